/**
 * Egress classes (DETECTION §3.6) from what reading found: `service:NAME` or `CLASS:host:port` (traces/reading/egress.ts).
 * A class keeps what an operator would allow: loopback and link-local by port, private and public addresses by port, names
 * with their port. An address by itself says nothing: pods change theirs every day.
 */

/** Names of a public kind beyond this many make the one class `public` of an operation. */
export const MAX_PUBLIC_NAMES = 20;
export const PUBLIC = 'public';

const isAddress = (host: string): boolean => {
  if (host.startsWith('[') || host.includes(':')) return true;
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => part.length > 0 && part.length <= 3 && [...part].every(isDigit));
};

const isDigit = (c: string): boolean => c >= '0' && c <= '9';

/** `public:api.example.com:443` → itself; `private:10.1.2.3:80` → `private:address:80`; `loopback:[::1]:81` → `loopback:81`. */
export const egressClass = (text: string): string => {
  const colon = text.indexOf(':');
  if (colon < 0) return text;
  const kind = text.slice(0, colon);
  if (kind === 'service') return text;
  const last = text.lastIndexOf(':');
  const bracket = text.lastIndexOf(']');
  const portAt = last > colon && last > bracket ? last : -1;
  const host = portAt < 0 ? text.slice(colon + 1) : text.slice(colon + 1, portAt);
  const port = portAt < 0 ? '' : text.slice(portAt);
  if (kind === 'loopback' || kind === 'link-local') return `${kind}${port}`;
  return isAddress(host) ? `${kind}:address${port}` : `${kind}:${host}${port}`;
};

/** A name in the public DNS: counted by hash only, because exfiltration puts data into names. */
export const isPublicName = (cls: string): boolean => cls.startsWith('public:') && !cls.startsWith('public:address');

export const isResolved = (cls: string): boolean => cls.startsWith('service:');
