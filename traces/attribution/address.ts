/** Reads one address as headers and attributes write it, strictly: what is not plainly an address is none. */
import ipaddr from 'ipaddr.js';

export type Parsed =
  | { readonly kind: 'address'; readonly text: string; readonly value: ipaddr.IPv4 | ipaddr.IPv6 }
  | { readonly kind: 'obfuscated' | 'malformed' };

const MALFORMED: Parsed = { kind: 'malformed' };
const OBFUSCATED: Parsed = { kind: 'obfuscated' };

// Four decimal parts without leading zeros: `0177.0.0.1`, `1` and `127.1` are addresses to C libraries, not to us.
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IPV4_PORT = new RegExp(`^(${OCTET}(?:\\.${OCTET}){3}):\\d{1,5}$`);
const BRACKETED = /^\[([^\]]+)\](?::(?:\d{1,5}|_[\w.-]+))?$/;
/** RFC 7239 §6.3: an obfuscated identifier begins with an underscore. */
const OBFUSCATED_NODE = /^(?:unknown|_[\w.-]+)(?::(?:\d{1,5}|_[\w.-]+))?$/i;
const MAX_LENGTH = 80;

/** An address with or without port, brackets, zone; IPv4 in IPv6 comes out as IPv4. Canonical text (RFC 5952). */
export function parseAddress(given: string): Parsed {
  if (given.length > MAX_LENGTH) return MALFORMED;
  const text = given.trim();
  if (OBFUSCATED_NODE.test(text)) return OBFUSCATED;
  const withPort = IPV4_PORT.exec(text);
  const bare = withPort?.[1] ?? text;
  if (IPV4.test(bare)) return { kind: 'address', text: bare, value: ipaddr.IPv4.parse(bare) };
  const inner = BRACKETED.exec(bare)?.[1] ?? bare;
  const zone = inner.indexOf('%');
  const v6 = zone < 0 ? inner : inner.slice(0, zone);
  if (!v6.includes(':') || !/^[0-9a-fA-F:.]+$/.test(v6)) return MALFORMED;
  if (v6.includes('.') && !IPV4.test(v6.slice(v6.lastIndexOf(':') + 1))) return MALFORMED;
  if (!ipaddr.IPv6.isValid(v6)) return MALFORMED;
  const value = ipaddr.IPv6.parse(v6);
  if (value.isIPv4MappedAddress()) {
    const v4 = value.toIPv4Address();
    return { kind: 'address', text: v4.toString(), value: v4 };
  }
  return { kind: 'address', text: value.toRFC5952String(), value };
}

export type AddressClass = 'loopback' | 'link-local' | 'private' | 'public';

/** Where an address can be reached from. */
export function addressClass(value: ipaddr.IPv4 | ipaddr.IPv6): AddressClass {
  switch (value.range()) {
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
  has(value: ipaddr.IPv4 | ipaddr.IPv6): boolean;
}

/** A set of addresses and CIDR ranges; one that cannot be read is named by `rejected`. */
export function createRanges(texts: readonly string[], rejected: (text: string) => void = () => {}): AddressRanges {
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const text of texts) {
    const slash = text.indexOf('/');
    const parsed = parseAddress(slash < 0 ? text : text.slice(0, slash));
    if (parsed.kind !== 'address') {
      rejected(text);
      continue;
    }
    const most = parsed.value.kind() === 'ipv4' ? 32 : 128;
    const given = slash < 0 ? most : Number(text.slice(slash + 1));
    // ::ffff:10.0.0.0/104 is 10.0.0.0/8
    const bits = most === 32 && given > 32 ? given - 96 : given;
    if (!(bits >= 0 && bits <= most)) rejected(text);
    else ranges.push([parsed.value, bits]);
  }
  return {
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
