/** Addresses and ranges as networks: canonical text, what covers what. IPv4 inside IPv6 is IPv4. Pure. */
import ipaddr from 'ipaddr.js';
import { type AddressClass, addressClass, parseAddress } from '../../traces/attribution/address.ts';

export interface Network {
  /** Canonical: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/64`; the bits of the host are zero. */
  readonly text: string;
  readonly bytes: readonly number[];
  readonly bits: number;
  /** It is one address. */
  readonly single: boolean;
  readonly reach: AddressClass | 'special';
}

/** Null for anything that is not plainly an address or a range of addresses. */
export function parseNetwork(given: string): Network | null {
  if (given.length > 64) return null;
  const slash = given.indexOf('/');
  const parsed = parseAddress(slash < 0 ? given : given.slice(0, slash));
  if (parsed.kind !== 'address') return null;
  const bytes = parsed.value.toByteArray();
  const most = bytes.length * 8;
  if (slash < 0) return network(bytes, most);
  const length = given.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length)) return null;
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8
  const mapped = most === 32 && given.slice(0, slash).includes(':');
  const bits = mapped ? Number(length) - 96 : Number(length);
  return bits >= 0 && bits <= most ? network(bytes, bits) : null;
}

function network(given: readonly number[], bits: number): Network {
  const bytes = given.map((byte, i) => byte & (0xff << Math.max(0, 8 - Math.max(0, bits - 8 * i))) & 0xff);
  const value = ipaddr.fromByteArray(bytes);
  const address = value.kind() === 'ipv4' ? value.toString() : (value as ipaddr.IPv6).toRFC5952String();
  const single = bits === bytes.length * 8;
  const kind = value.range();
  const special = kind === 'multicast' || kind === 'broadcast' || kind === 'unspecified';
  return {
    text: single ? address : `${address}/${bits}`,
    bytes,
    bits,
    single,
    reach: special ? 'special' : addressClass(value),
  };
}

/** Every address of `inner` is one of `outer`. */
export function covers(outer: Network, inner: Network): boolean {
  return outer.bits <= inner.bits && sharePrefix(outer, inner, outer.bits);
}

/** They have an address in common. */
export const overlap = (a: Network, b: Network): boolean => sharePrefix(a, b, Math.min(a.bits, b.bits));

function sharePrefix(a: Network, b: Network, bits: number): boolean {
  if (a.bytes.length !== b.bytes.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a.bytes[i] !== b.bytes[i]) return false;
  const rest = bits & 7;
  return rest === 0 || ((a.bytes[whole]! ^ b.bytes[whole]!) & (0xff << (8 - rest)) & 0xff) === 0;
}

/** Equal for networks of one family that share their first `bits`. */
export function prefixKey({ bytes }: Network, bits: number): string {
  const whole = bits >> 3;
  const rest = bits & 7;
  const key = String.fromCharCode(bytes.length, ...bytes.slice(0, whole));
  return rest === 0 ? key : key + String.fromCharCode(bytes[whole]! & (0xff << (8 - rest)) & 0xff);
}

/** Of ranges that the configuration names: none of them may be left out. */
export const networksOf = (texts: readonly string[]): Network[] =>
  texts.map((text) => {
    const network = parseNetwork(text);
    if (network === null) throw new TypeError(`'${text}' is no address or range`);
    return network;
  });
