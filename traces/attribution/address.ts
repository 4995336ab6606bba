/** Reads one address as headers and attributes write it, strictly: what is not plainly an address is none. */
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

export type Parsed =
  | { readonly kind: 'address'; readonly text: string; readonly value: Address }
  | { readonly kind: 'obfuscated' | 'malformed' };

const MALFORMED: Parsed = { kind: 'malformed' };
const OBFUSCATED: Parsed = { kind: 'obfuscated' };

// Four decimal parts without leading zeros: `0177.0.0.1`, `1` and `127.1` are addresses to C libraries, not to us.
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
/** RFC 7239 §6: node-port = port / obfport. */
const PORT = '(?::(?:\\d{1,5}|_[\\w.-]+))?';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IPV4_PORT = new RegExp(`^(${OCTET}(?:\\.${OCTET}){3})${PORT}$`);
const BRACKETED = new RegExp(`^\\[([^\\]]+)\\]${PORT}$`);
/** RFC 7239 §6.3: an obfuscated identifier begins with an underscore. */
const OBFUSCATED_NODE = new RegExp(`^(?:unknown|_[\\w.-]+)${PORT}$`, 'i');
/** RFC 6874 §2: a zone of unreserved characters; `%25` in place of `%` where it stands in a URI. */
const V6_ZONE = /^([0-9a-fA-F:.]+)(?:%(?:25)?[\w.~-]+)?$/;
const COMPATIBLE = /^::\d+(?:\.\d+){3}$/;
const MAX_LENGTH = 80;

/** Without the blanks and tabs that a list may have around its elements (RFC 9110 §5.6.3); no other white space is any. */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** An address with or without port, brackets, zone; IPv4 in IPv6 comes out as IPv4. Canonical text (RFC 5952). */
export function parseAddress(given: string): Parsed {
  const text = withoutBlanks(given);
  if (text.length > MAX_LENGTH) return MALFORMED;
  const v4 = IPV4_PORT.exec(text)?.[1];
  if (v4 !== undefined) return { kind: 'address', text: v4, value: ipaddr.IPv4.parse(v4) };
  if (OBFUSCATED_NODE.test(text)) return OBFUSCATED;
  const v6 = V6_ZONE.exec(BRACKETED.exec(text)?.[1] ?? text)?.[1];
  if (v6 === undefined || !v6.includes(':')) return MALFORMED;
  if (v6.includes('.') && !IPV4.test(v6.slice(v6.lastIndexOf(':') + 1))) return MALFORMED;
  if (!ipaddr.IPv6.isValid(v6)) return MALFORMED;
  // ipaddr.js takes ::1.2.3.4 (deprecated, RFC 4291 §2.5.5.1) for ::ffff:1.2.3.4, and ::102:304, which is the same, for itself
  const compatible = COMPATIBLE.exec(v6);
  const value = compatible === null ? ipaddr.IPv6.parse(v6) : ipaddr.IPv6.parse(`::0:${v6.slice(2)}`);
  if (value.isIPv4MappedAddress()) {
    const mapped = value.toIPv4Address();
    return { kind: 'address', text: mapped.toString(), value: mapped };
  }
  return { kind: 'address', text: value.toRFC5952String(), value };
}

/** How the other end of the own host is written in lists of proxies, as in nginx's set_real_ip_from. */
export const UNIX_PEER = 'unix:';

export type Peer = Parsed | { readonly kind: 'unix' | 'absent' };

const ABSENT: Peer = { kind: 'absent' };
const UNIX: Peer = { kind: 'unix' };

/**
 * The other end of a connection as instrumentations write it: an address; gRPC's `ipv4:203.0.113.7:443` and
 * `ipv6:%5B::1%5D:443`; Java's `/203.0.113.7:443`; a Unix socket's path, `unix:…` or abstract `@…`.
 */
export function parsePeer(text: string): Peer {
  if (text === '') return ABSENT;
  const plain = parseAddress(text);
  if (plain.kind === 'address') return plain;
  const grpc = /^ipv[46]:(.{2,80})$/.exec(text)?.[1];
  if (grpc !== undefined) return parseAddress(grpc.replace(/%5B/i, '[').replace(/%5D/i, ']'));
  if (text.startsWith('/')) {
    const java = parseAddress(text.slice(1));
    return java.kind === 'address' ? java : UNIX;
  }
  return text.startsWith('unix:') || text.startsWith('unix-abstract:') || text.startsWith('@') ? UNIX : plain;
}

export type AddressClass = 'loopback' | 'link-local' | 'private' | 'public';

/** The IPv4 address that translators and 6to4 make of an IPv6 one; where they make none, itself. */
export function translated(value: Address): Address {
  const range = value.range();
  const bytes = value.toByteArray();
  if (range === '6to4') return new ipaddr.IPv4(bytes.slice(2, 6));
  // 64:ff9b::/96, NAT64; ::ffff:0:0:0/96, SIIT; ::/96, but for :: and ::1
  const isCompatible = range === 'unicast' && bytes.length === 16 && bytes.every((byte, i) => i >= 12 || byte === 0);
  return range === 'rfc6052' || range === 'rfc6145' || isCompatible ? new ipaddr.IPv4(bytes.slice(12)) : value;
}

/** Where an address can be reached from; an IPv6 address that translators make an IPv4 one is what that is. */
export function addressClass(value: Address): AddressClass {
  switch (translated(value).range()) {
    case 'loopback':
    case 'unspecified': // 0.0.0.0 and :: reach the host itself
      return 'loopback';
    case 'linkLocal':
      return 'link-local';
    case 'private':
    case 'uniqueLocal':
    case 'carrierGradeNat':
      return 'private';
    default:
      return 'public';
  }
}

export interface AddressRanges {
  has(value: Address): boolean;
  /** Whether `unix:` is among them. */
  readonly unix: boolean;
}

/** A set of addresses and CIDR ranges; one that cannot be read is named by `rejected`. */
export function createRanges(texts: readonly string[], rejected: (text: string) => void = () => {}): AddressRanges {
  const ranges: [Address, number][] = [];
  for (const text of texts) {
    if (text === UNIX_PEER) continue;
    const slash = text.indexOf('/');
    const base = slash < 0 ? text : text.slice(0, slash);
    const parsed = parseAddress(base);
    const bits =
      parsed.kind === 'address' ? bitsOf(parsed.value, base, slash < 0 ? undefined : text.slice(slash + 1)) : -1;
    if (parsed.kind !== 'address' || bits < 0) rejected(text);
    else ranges.push([parsed.value, bits]);
  }
  return {
    unix: texts.includes(UNIX_PEER),
    has(value) {
      for (const [base, bits] of ranges) {
        if (base.kind() !== value.kind()) continue;
        if (
          value.kind() === 'ipv4'
            ? (value as ipaddr.IPv4).match(base as ipaddr.IPv4, bits)
            : (value as ipaddr.IPv6).match(base as ipaddr.IPv6, bits)
        )
          return true;
      }
      return false;
    },
  };
}

/** Length of the prefix, −1 when it is none; ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
function bitsOf(value: Address, base: string, given: string | undefined): number {
  const most = value.kind() === 'ipv4' ? 32 : 128;
  if (given === undefined) return most;
  if (!/^\d{1,3}$/.test(given)) return -1;
  const bits = most === 32 && base.includes(':') ? Number(given) - 96 : Number(given);
  return bits >= 0 && bits <= most ? bits : -1;
}
