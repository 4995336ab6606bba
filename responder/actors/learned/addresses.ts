/** What an address is by its range: its network, and whether it is nobody's own (private, or a delivery network's). */
import ipaddr from 'ipaddr.js';

/**
 * Whom an address stands for, as text. Of IPv6 that is its /64: a household, a machine or a phone has at least one (RFC 6177, RFC 8273)
 * and picks addresses in it as it likes. The address is canonical: what stands before `::` is whole.
 */
export const clientOf = (address: string): string =>
  address.includes(':') && !address.includes('/') ? ofGroups(address, 4, '/64') || address : address;

/** A /24 or /48 (what a site gets, RFC 6177) as text, of an address or a client; '' for what is neither. */
export function networkOf(client: string): string {
  if (client.includes(':')) return ofGroups(client, 3, '/48');
  const dot = client.lastIndexOf('.');
  return dot > 0 ? `${client.slice(0, dot)}.0/24` : '';
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
  const parsed = ipaddr.process(address);
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
