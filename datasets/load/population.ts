/** Who uses the shop: clients with public addresses, roles, accounts and habits. Pure; the same seed gives the same people. */
import ipaddr from 'ipaddr.js';
import { BLOCKED_ACCOUNT, STAFF_FROM } from '../shop/database/schema.ts';
import type { Random } from './random.ts';

export type Role = 'visitor' | 'buyer' | 'mobile' | 'staff';

export interface Persona {
  readonly role: Role;
  /** Public address, canonical text. */
  readonly address: string;
  /** 0: never signs in. */
  readonly account: number;
  readonly userAgent: string;
  readonly channel: 'web' | 'mobile';
  /** X-Forwarded-For it sends itself: nonsense from proxies at home and from people who try things; '' = none. */
  readonly forwardedFor: string;
  /** Its app has a tracing SDK of its own and sends `traceparent`; its spans never reach us. */
  readonly sendsTraceparent: boolean;
}

export interface PopulationOptions {
  readonly clients: number;
}

const SHARES: readonly (readonly [Role, number])[] = [
  ['visitor', 0.38],
  ['buyer', 0.42],
  ['mobile', 0.11],
  ['staff', 0.09],
];
/** Accounts kept for scenarios: no persona has them. */
export const SPARE_CUSTOMERS = { from: 400, to: BLOCKED_ACCOUNT - 1 } as const;
export const SPARE_STAFF = { from: 485, to: 500 } as const;
/** Accounts of people behind one address. */
export const BEHIND_NAT = { from: 300, to: 399 } as const;
/** Accounts whose addresses of mail others have leaked. */
export const LEAKED = { from: 130, to: 299 } as const;

const AGENTS: Readonly<Record<Role, readonly string[]>> = {
  visitor: [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  ],
  buyer: [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:139.0) Gecko/20100101 Firefox/139.0',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0',
  ],
  mobile: ['ShopApp/7.2 (Android 15)', 'ShopApp/7.1 (iOS 18.5)'],
  staff: ['Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
};

const NONSENSE = ['unknown', '10.0.0.5', '192.168.1.20', '1.2.3.4, 5.6.7.8', 'localhost', '::1', '-', '"_hidden"'];
/** First octets of unicast space that regional registries give to networks. */
const OCTETS = [24, 31, 37, 46, 62, 78, 80, 83, 86, 91, 93, 109, 121, 151, 178, 181, 189, 201, 212, 217] as const;

/** A public address nobody else has; one in eight is IPv6. */
export function publicAddress(random: Random, taken: Set<string>): string {
  for (;;) {
    const part = (): string => random.below(65_536).toString(16);
    const address = random.chance(0.125)
      ? `2a0${random.between(1, 9)}:${part()}:${part()}:${part()}::${part()}`
      : [random.pick(OCTETS), random.below(256), random.below(256), random.between(1, 254)].join('.');
    const canonical = ipaddr.parse(address).toString();
    if (taken.has(canonical) || ipaddr.parse(canonical).range() !== 'unicast') continue;
    taken.add(canonical);
    return canonical;
  }
}

/** So many addresses of an IPv4 network (/24) in which nobody is, in no order. */
export function freeNetwork(random: Random, taken: Set<string>, count: number): readonly string[] {
  for (;;) {
    const network = [random.pick(OCTETS), random.below(256), random.below(256)].join('.');
    if (ipaddr.parse(`${network}.1`).range() !== 'unicast') continue;
    if ([...taken].some((address) => address.startsWith(`${network}.`))) continue;
    const addresses: string[] = [];
    while (addresses.length < count) {
      const address = `${network}.${random.between(1, 254)}`;
      if (taken.has(address)) continue;
      taken.add(address);
      addresses.push(address);
    }
    return addresses;
  }
}

export function createPopulation(random: Random, { clients }: PopulationOptions): readonly Persona[] {
  const taken = new Set<string>();
  const personas: Persona[] = [];
  let customer = 1;
  let staff = STAFF_FROM;
  for (const [role, share] of SHARES) {
    const count = Math.round(clients * share);
    for (let i = 0; i < count; i++) {
      const account = role === 'visitor' ? 0 : role === 'staff' ? staff++ : customer++;
      personas.push({
        role,
        address: publicAddress(random, taken),
        account,
        userAgent: random.pick(AGENTS[role]),
        channel: role === 'mobile' ? 'mobile' : 'web',
        forwardedFor: random.chance(0.07) ? random.pick(NONSENSE) : '',
        sendsTraceparent: role === 'mobile' && random.chance(0.3),
      });
    }
  }
  return personas;
}
