/**
 * Addresses and ranges in configuration, as strictly as they are read when the program runs: one that is misspelt there would be
 * left out in silence, and would protect, trust or name nobody. `::ffff:10.0.0.0/104` is 10.0.0.0/8.
 */
import ipaddr from 'ipaddr.js';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const RANGE = /^([0-9a-fA-F:.]{2,48})(?:\/(\d{1,3}))?$/;

/** IPv4 in four decimal parts without leading zeros, IPv6, each with or without the length of a prefix. */
export function isRange(text: string): boolean {
  const [, address, bits] = RANGE.exec(text) ?? [];
  if (address === undefined) return false;
  const length = bits === undefined ? undefined : Number(bits);
  if (IPV4.test(address)) return length === undefined || length <= 32;
  const dotted = address.slice(address.lastIndexOf(':') + 1);
  if (!address.includes(':') || (dotted.includes('.') && !IPV4.test(dotted)) || !ipaddr.IPv6.isValid(address))
    return false;
  const least = ipaddr.IPv6.parse(address).isIPv4MappedAddress() ? 96 : 0;
  return length === undefined || (length >= least && length <= 128);
}
