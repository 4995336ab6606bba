/**
 * Where an outgoing call goes, when the callee's own span is not in the segment (DETECTION §3.6): `loopback`,
 * `link-local`, `private` or `public`, then the name or address, then the port: `public:api.example.com:443`,
 * `loopback:[::1]:8500`. A callee in the segment, or one the caller names, is `service:NAME`.
 */
import ipaddr from 'ipaddr.js';
import { textOf } from '../../schemas/otlp/text.ts';
import { type AddressClass, addressClass, parseAddress } from '../attribution/address.ts';
import { createByteTable } from '../byte-table.ts';
import { Attribute } from './keys.ts';
import { type AttributeSlots, hasText, numberIn } from './slots.ts';
import { splitHost, type UrlRanges } from './url.ts';

/** Names that only mean something inside: RFC 6762, 8375, 9476 and Kubernetes. */
const INSIDE = [
  '.local',
  '.internal',
  '.svc',
  '.cluster.local',
  '.lan',
  '.home.arpa',
  '.intranet',
  '.corp',
  '.private',
];

/** Class of a host name or of an address in any notation, also the ones that C libraries read and SSRF hides in. */
export function hostClass(host: string): AddressClass {
  const name = host.toLowerCase().replace(/\.$/, '');
  const parsed = parseAddress(name);
  if (parsed.kind === 'address') return addressClass(parsed.value);
  if (name.startsWith('/') || name === 'localhost' || name.endsWith('.localhost')) return 'loopback';
  if (ipaddr.IPv4.isValid(name)) return addressClass(ipaddr.IPv4.parse(name));
  // The clouds' metadata service answers on a link-local address.
  if (name === 'metadata.google.internal' || name === 'instance-data.ec2.internal') return 'link-local';
  if (!name.includes('.') || INSIDE.some((suffix) => name.endsWith(suffix))) return 'private';
  return 'public';
}

export interface EgressWriter {
  /** Finds address and port of a client span; false when it says none. Then `host` and `port` are set. */
  find(slots: AttributeSlots, url: UrlRanges): boolean;
  /** `class:host` of the last found, without the port. */
  hostBytes(): Uint8Array;
  port: number;
}

const MAX_HOST_BYTES = 255;

export function createEgress(): EgressWriter {
  const hosts = createByteTable({ maxEntries: 8_192, maxBytes: 1_048_576 });
  const texts: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(0);
  let start = 0;
  let end = 0;

  function portOf(slots: AttributeSlots, url: UrlRanges): number {
    // Rank 0 is net.host.port, the caller's own in a client span.
    if (slots.ranks[Attribute.serverPort] !== 0) {
      const port = numberIn(slots, Attribute.serverPort);
      if (port > 0) return port;
    }
    const old = numberIn(slots, Attribute.netPeerPort);
    if (old > 0) return old;
    if (url.port > 0) return url.port;
    return Math.max(0, numberIn(slots, Attribute.networkPeerPort));
  }

  const take = (slots: AttributeSlots, slot: Attribute): void => {
    bytes = slots.bytes as Uint8Array<ArrayBuffer>;
    start = slots.starts[slot]!;
    end = slots.ends[slot]!;
  };

  const writer: EgressWriter = {
    port: 0,
    find(slots, url) {
      let hostPort = 0;
      if (hasText(slots, Attribute.serverAddress) && slots.ranks[Attribute.serverAddress] !== 0) {
        take(slots, Attribute.serverAddress);
      } else if (hasText(slots, Attribute.netPeerName)) take(slots, Attribute.netPeerName);
      else if (url.hostEnd > url.hostStart) {
        bytes = slots.bytes as Uint8Array<ArrayBuffer>;
        start = url.hostStart;
        end = url.hostEnd;
      } else if (hasText(slots, Attribute.httpHost)) {
        const port = url.port;
        splitHost(slots.bytes, slots.starts[Attribute.httpHost]!, slots.ends[Attribute.httpHost]!, url);
        hostPort = url.port;
        url.port = port;
        bytes = slots.bytes as Uint8Array<ArrayBuffer>;
        start = url.hostStart;
        end = url.hostEnd;
      } else if (hasText(slots, Attribute.networkPeerAddress)) take(slots, Attribute.networkPeerAddress);
      else return false;
      end = Math.min(end, start + MAX_HOST_BYTES);
      writer.port = portOf(slots, url) || hostPort;
      return end > start;
    },
    hostBytes() {
      const known = hosts.find(bytes, start, end);
      if (known >= 0) return texts[known]!;
      const host = textOf(bytes, start, end);
      const parsed = parseAddress(host);
      const canonical = parsed.kind === 'address' ? parsed.text : host.toLowerCase();
      const text = encoder.encode(`${hostClass(host)}:${canonical.includes(':') ? `[${canonical}]` : canonical}`);
      if (hosts.size >= 8_192) hosts.clear();
      const id = hosts.add(bytes, start, end);
      if (id >= 0) texts[id] = text;
      return text;
    },
  };
  return writer;
}
