/**
 * Where an alert may be posted. Targets of the configuration file may be private, since receivers usually are, unless
 * `alerts.privateTargets` is off; link-local and cloud metadata addresses never. The addresses that a name resolves to are checked
 * when connecting, and the connection is made to those and no others, so that DNS cannot lie in between.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SpanwardenError } from '../../runtime/errors.ts';

/** What the machines of a cloud ask about themselves: Alibaba, Azure, Oracle; the others use 169.254.169.254. */
const METADATA = new Set(['100.100.100.200', '168.63.129.16', '192.0.0.192']);

/** The same over IPv6, as ranges: AWS has its metadata, DNS, time and credentials (EKS pod identity, ::23) in one of its own. */
const METADATA_RANGES: readonly (readonly [ipaddr.IPv6, number])[] = [
  [ipaddr.IPv6.parse('fd00:ec2::'), 32], // AWS
  [ipaddr.IPv6.parse('fd20:ce::'), 32], // Google
  [ipaddr.IPv6.parse('fd00:42::'), 32], // Scaleway
];

/** IPv6 ranges whose last 32 bits are an IPv4 address that a gateway or the kernel delivers to. */
const EMBEDDING: readonly (readonly [string, number])[] = [
  ['::ffff:0:0', 96], // mapped (RFC 4291 §2.5.5.2)
  ['::', 96], // compatible (deprecated, RFC 4291 §2.5.5.1)
  ['::ffff:0:0:0', 96], // translated (RFC 2765)
  ['64:ff9b::', 96], // NAT64 (RFC 6052)
  ['64:ff9b:1::', 48], // NAT64 of a network of its own (RFC 8215)
];

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The address, and the IPv4 address inside it where there is one. */
function addressesIn(address: Address): Address[] {
  if (address.kind() === 'ipv4') return [address];
  const six = address as ipaddr.IPv6;
  const bytes = six.toByteArray();
  const found: Address[] = [six];
  if (EMBEDDING.some(([range, bits]) => six.match(ipaddr.IPv6.parse(range), bits)) && !isOwn(six))
    found.push(new ipaddr.IPv4(bytes.slice(12)));
  if (bytes[0] === 0x20 && bytes[1] === 0x02) found.push(new ipaddr.IPv4(bytes.slice(2, 6))); // 6to4 (RFC 3056)
  // ISATAP (RFC 5214 §6.1): …:0:5efe:a.b.c.d or …:200:5efe:a.b.c.d
  if (bytes[10] === 0x5e && bytes[11] === 0xfe && bytes[9] === 0) found.push(new ipaddr.IPv4(bytes.slice(12)));
  return found;
}

/** `::` and `::1` are addresses of their own, not IPv4 ones. */
const isOwn = (six: ipaddr.IPv6): boolean => six.range() === 'unspecified' || six.range() === 'loopback';

const isWithin = (address: Address, [range, bits]: readonly [ipaddr.IPv6, number]): boolean =>
  address.kind() === 'ipv6' && (address as ipaddr.IPv6).match(range, bits);

const NEVER: Readonly<Record<string, string>> = {
  linkLocal: 'is link-local',
  unspecified: 'is unspecified',
  multicast: 'is multicast',
  broadcast: 'is broadcast',
};

/** Why the address may not be contacted, or null. `privateToo`: private, loopback and other addresses that are not public may be. */
export function forbidden(text: string, privateToo = true): string | null {
  const bare = text.replace(/%.*$/, '');
  if (!ipaddr.isValid(bare)) return 'is not an address';
  const all = addressesIn(ipaddr.parse(bare));
  for (const address of all) {
    if (METADATA.has(address.toString()) || METADATA_RANGES.some((range) => isWithin(address, range)))
      return 'is a cloud metadata address';
    const why = NEVER[address.range()];
    if (why !== undefined) return why;
  }
  if (privateToo) return null;
  // an address that embeds another is public when that is
  const range = all.at(-1)!.range();
  return range === 'unicast' ? null : `is not public (${range})`;
}

export interface TargetGuard {
  /** For node:http: refuses a name with any forbidden address. */
  readonly lookup: LookupFunction;
  /** Throws TARGET_FORBIDDEN for a URL whose literal host may not be contacted. */
  check(url: URL): void;
}

type Resolved = readonly { readonly address: string; readonly family: number }[];
export type Resolve = (hostname: string) => Promise<Resolved>;

/** As programs of the machine resolve, /etc/hosts included. */
const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) =>
    systemLookup(hostname, { all: true, order: 'verbatim' }, (error, found) =>
      error === null ? resolve(found) : reject(error),
    ),
  );

export function createTargetGuard(privateToo: boolean, resolve: Resolve = resolveBySystem): TargetGuard {
  // getaddrinfo takes one of four threads until it answers: a name whose server is silent may hold one of them, not all
  const underWay = new Map<string, Promise<Resolved>>();

  function resolved(hostname: string): Promise<Resolved> {
    const before = underWay.get(hostname);
    if (before !== undefined) return before;
    const answer = resolve(hostname).finally(() => underWay.delete(hostname));
    underWay.set(hostname, answer);
    return answer;
  }

  async function allowed(hostname: string, family: number): Promise<Resolved> {
    const all = await resolved(hostname);
    const bad = all.find(({ address }) => forbidden(address, privateToo) !== null);
    if (bad !== undefined) {
      const why = `target ${hostname} resolves to ${bad.address}, which ${forbidden(bad.address, privateToo)}`;
      throw new SpanwardenError('TARGET_FORBIDDEN', why);
    }
    const usable = all.filter((one) => family === 0 || one.family === family);
    if (usable.length === 0) throw new SpanwardenError('DELIVERY_FAILED', `target ${hostname} has no address`);
    return usable;
  }

  return {
    lookup(hostname, options, callback) {
      const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
      allowed(hostname, family).then(
        (found) => {
          if (options.all === true) callback(null, [...found]);
          else callback(null, found[0]!.address, found[0]!.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, '', 0),
      );
    },
    check(url) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const why = ipaddr.isValid(host) ? forbidden(host, privateToo) : null;
      if (why !== null) throw new SpanwardenError('TARGET_FORBIDDEN', `target ${host} ${why}`);
    },
  };
}
