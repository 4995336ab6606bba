/**
 * Egress classes (DETECTION §3.6) from what reading found: `service:NAME` or `CLASS:host:port` (traces/reading/egress.ts).
 * A class keeps what an operator would allow: loopback and link-local by port, private and public addresses by port, names
 * with their port. An address by itself says nothing: pods change theirs every day; nor does one in a private name.
 */
import { appendName } from '../../traces/operations/name-template.ts';
import { createSink } from '../../traces/operations/sink.ts';

/** Names of a public kind beyond this many make the one class `public` of an operation. */
export const MAX_PUBLIC_NAMES = 20;
export const PUBLIC = 'public';
/** Text kept of a public name's class: that it is one. */
export const PUBLIC_NAME = 'public:name';

const isAddress = (host: string): boolean => {
  if (host.startsWith('[') || host.includes(':')) return true;
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => part.length > 0 && part.length <= 3 && [...part].every(isDigit));
};

/** `ip-10-1-2-3`, `10-1-2-3.default.pod`: an address written as a name. */
const ADDRESS_IN_NAME = /\d{1,3}(?:-\d{1,3}){3}/;

/**
 * A private name without what differs from instance to instance: addresses and identifiers, which are also all that could
 * be a secret in one. Letters, and numbers of one or two digits (`db-1`, `kafka-12`), stay.
 */
const privateName = (host: string): string => {
  if (!/\d/.test(host)) return host;
  const bytes = Buffer.from(host.replace(ADDRESS_IN_NAME, '{address}'));
  const named = createSink();
  appendName(named, bytes, 0, bytes.length);
  return Buffer.from(named.bytes.subarray(0, named.length)).toString();
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
  if (isAddress(host)) return `${kind}:address${port}`;
  return kind === 'private' ? `private:${privateName(host)}${port}` : `${kind}:${host}${port}`;
};

/** A name in the public DNS: counted by hash only, because exfiltration puts data into names. */
export const isPublicName = (cls: string): boolean => cls.startsWith('public:') && !cls.startsWith('public:address');

/** Suffixes under which anybody gets a name: two names below one have nothing in common. */
const SHARED = new Set(
  (
    'amazonaws.com azureedge.net azurewebsites.net blogspot.com cloudapp.net cloudfront.net core.windows.net ' +
    'duckdns.org fastly.net firebaseapp.com fly.dev github.io gitlab.io googleapis.com herokuapp.com netlify.app ' +
    'ngrok.io ngrok.app nip.io onrender.com pages.dev run.app s3.amazonaws.com sslip.io trycloudflare.com vercel.app ' +
    'web.app workers.dev windows.net'
  ).split(' '),
);

/**
 * Registrable domain of a public name, '' when it has none of its own: its last two labels, three where the last two look
 * like a country's registry (`co.uk`, `com.au`). Naive, without the public suffix list: a registry with long names
 * (`city.kawasaki.jp`) or a host of others' names that is not listed above counts as one owner.
 */
export const registrableDomain = (cls: string): string => {
  const host = cls.slice(cls.indexOf(':') + 1).replace(/:\d+$/, '');
  const labels = host.split('.');
  if (labels.length < 2) return '';
  const last = labels.at(-1)!;
  const second = labels.at(-2)!;
  const registry = last.length === 2 && second.length <= 3;
  if (registry && labels.length < 3) return host;
  const domain = labels.slice(registry ? -3 : -2).join('.');
  return SHARED.has(domain) ? '' : domain;
};

export const isResolved = (cls: string): boolean => cls.startsWith('service:');
