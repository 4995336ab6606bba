/** What an address is by its range: its network, and whether it is nobody's own (private, or a delivery network's). */
import ipaddr from 'ipaddr.js';
import { translated } from '../../../traces/attribution/address.ts';

/**
 * Whom an address stands for, as text. Of IPv6 that is its /64: a household, a machine or a phone has at least one (RFC 6177, RFC 8273)
 * and picks addresses in it as it likes. The address is canonical: what stands before `::` is whole. One that a translator or tunnel made of
 * an IPv4 address stands for that alone: all of IPv4 may be in one such /64.
 */
export const clientOf = (address: string): string =>
  !address.includes(':') || address.includes('/') || EMBEDS_IPV4.test(address)
    ? address
    : ofGroups(address, 4, '/64') || address;

/**
 * A /24 or /48 (what a site gets, RFC 6177) as text, of an address or a client, the /24 of an embedded IPv4 address as the /120 that it is;
 * '' for what is neither.
 */
export function networkOf(client: string): string {
  if (EMBEDS_IPV4.test(client) && !client.includes('/')) return withoutLastByte(client);
  if (client.includes(':')) return ofGroups(client, 3, '/48');
  const dot = client.lastIndexOf('.');
  return dot > 0 ? `${client.slice(0, dot)}.0/24` : '';
}

/**
 * Translators' 64:ff9b::/96 (NAT64, RFC 6052), 64:ff9b:1::/48 (RFC 8215, whichever part of it) and ::ffff:0:0:0/96 (SIIT, RFC 7915), ::/96 and
 * ::ffff:0:0/96 (RFC 4291), and Teredo's 2001::/32 (RFC 4380), where it is the last 32 bits inverted. A 6to4 network (2002::/16) is one client's.
 */
const EMBEDS_IPV4 =
  /^(?:64:ff9b:1:|2001::|2001:0:|64:ff9b::(?:[\da-f]{1,4}(?::[\da-f]{1,4})?)?$|::(?:ffff:(?:0:)?)?(?:[\da-f]{1,4}:[\da-f]{1,4}|\d+(?:\.\d+){3})$)/;

/** Of an IPv6 address; what stands before its last group stays as it is. */
function withoutLastByte(address: string): string {
  const dot = address.lastIndexOf('.');
  if (dot > 0) return `${address.slice(0, dot)}.0/120`;
  const group = address.lastIndexOf(':') + 1;
  const value = Number.parseInt(address.slice(group), 16) || 0;
  return `${address.slice(0, group)}${(value & 0xff00).toString(16)}/120`;
}

/** The first of eight groups; '' where there are not as many. */
function ofGroups(address: string, count: number, suffix: string): string {
  let groups = 0;
  let at = -1;
  do {
    const next = address.indexOf(':', at + 1);
    if (next < 0) return '';
    // `::`: zeros up to the last of these groups, or beyond
    if (next === at + 1 && next > 0) return prefix(address.slice(0, next - 1), suffix);
    at = next;
    groups++;
  } while (groups < count);
  return prefix(address.slice(0, at), suffix);
}

/** One text a network: zeros at its end are left out (RFC 5952 shortens only the longest run of the whole address). */
function prefix(groups: string, suffix: string): string {
  let end = groups.length;
  while (end > 2 && groups[end - 1] === '0' && groups[end - 2] === ':') end -= 2;
  return `${groups.slice(0, end)}::${suffix}`;
}

/** '' = an address of its own. */
export type NobodysRange = '' | 'private' | 'CDN';

/** Of an address or a client. */
export function rangeOf(client: string): NobodysRange {
  const address = baseOf(client);
  if (!ipaddr.isValid(address)) return '';
  const parsed = translated(ipaddr.process(address));
  const range = parsed.range();
  if (PRIVATE.has(range)) return 'private';
  return DELIVERY.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits)) ? 'CDN' : '';
}

/** As ipaddr.js names them: RFC 1918, RFC 6598 (carriers' NAT), loopback, link-local, unique local (RFC 4193). */
const PRIVATE = new Set(['private', 'carrierGradeNat', 'loopback', 'linkLocal', 'uniqueLocal']);

/** Published ranges that requests of whole populations come from: Cloudflare and Fastly. Others are found by their share. */
const DELIVERY = (
  '173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 141.101.64.0/18 108.162.192.0/18 190.93.240.0/20 ' +
  '188.114.96.0/20 197.234.240.0/22 198.41.128.0/17 162.158.0.0/15 104.16.0.0/13 104.24.0.0/14 172.64.0.0/13 ' +
  '131.0.72.0/22 2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29 ' +
  '2c0f:f248::/32 23.235.32.0/20 43.249.72.0/22 103.244.50.0/24 103.245.222.0/23 103.245.224.0/24 104.156.80.0/20 ' +
  '140.248.64.0/18 140.248.128.0/17 146.75.0.0/17 151.101.0.0/16 157.52.64.0/18 167.82.0.0/17 167.82.128.0/20 ' +
  '167.82.160.0/20 167.82.224.0/20 172.111.64.0/18 185.31.16.0/22 199.27.72.0/21 199.232.0.0/16 2a04:4e40::/32 ' +
  '2a04:4e42::/32'
)
  .split(' ')
  .map((range) => ipaddr.parseCIDR(range));

/** A client without the length of its network. */
export const baseOf = (client: string): string => (client.endsWith('/64') ? client.slice(0, -3) : client);
