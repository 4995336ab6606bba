/** What stands against a decision, whatever an incident says. The first that does is its reason. Pure. */

import type { DecisionScope } from '../../schemas/alerts/decision.ts';
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import type { ResponseConfig } from '../../schemas/config/response.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { UNIX_PEER } from '../../traces/attribution/address.ts';
import { MASK } from '../../traces/redaction/redactor.ts';
import type { Known, KnownActor } from './known.ts';
import { type Network, networksOf, overlap, parseNetwork } from './network.ts';

/** Why nothing is decided; the key is counted, the text shown. */
export const RAILS = {
  'not-an-address': 'no address or range',
  'no-user': 'nobody, or one whose name redaction hides',
  confidence: 'the client is not known well enough',
  special: 'no address of a client: loopback, link-local or special',
  private: 'a private address (response.allowPrivate)',
  infrastructure: 'our own (response.ownInfrastructure)',
  proxy: 'a trusted proxy, or seen to forward for others',
  'allow-list': 'on the allow-list',
  notice: 'a notice says that clients there cannot be told apart',
  'too-wide': 'a range wider than /24 (IPv6 /64)',
  'no-facts': 'not known how many share it (response.unnamedUsers)',
  shared: 'shared by more users than response.maxUsersPerAddress',
  cap: 'more decisions in an hour than response.maxDecisionsPerHour',
} as const;
export type Rail = keyof typeof RAILS;

export interface Subject {
  readonly scope: DecisionScope;
  readonly value: string;
}

/** How sure a client's address is, and has to be. */
export interface Sure {
  readonly is: ClientRecord['confidence'];
  readonly least: 'medium' | 'high';
}

export interface Rails {
  /** Null: nothing stands against it. `no-facts` may pass, as what is known grows. */
  against(subject: Subject, sure: Sure, nowMs: number): Rail | null;
}

/** Widest range there may be a decision about. */
const WIDEST = { 4: 24, 16: 64 } as const;
/** So few requests are one's, whoever it is: nobody else was there. */
const FEW_REQUESTS = 20;

export function createRails(
  config: Pick<
    ResponseConfig,
    'allow' | 'allowUsers' | 'ownInfrastructure' | 'allowPrivate' | 'maxUsersPerAddress' | 'unnamedUsers'
  >,
  attribution: Pick<AttributionConfig, 'trustedProxies' | 'services' | 'singleValueHeaders'>,
  known: Known,
): Rails {
  const allowed = networksOf(config.allow);
  const allowedUsers = new Set(config.allowUsers);
  const own = networksOf(config.ownInfrastructure);
  const services = Object.values(attribution.services);
  const named = [
    ...attribution.trustedProxies,
    ...attribution.singleValueHeaders.flatMap((one) => one.proxies),
    ...services.flatMap((one) => one.trustedProxies ?? []),
    ...services.flatMap((one) => (one.singleValueHeaders ?? []).flatMap((single) => single.proxies)),
  ];
  const proxies = networksOf(named.filter((one) => one !== UNIX_PEER));
  const meets = (networks: readonly Network[], network: Network): boolean =>
    networks.some((one) => overlap(one, network));

  function againstNetwork(network: Network, nowMs: number): Rail | null {
    if (!network.single && network.bits < WIDEST[network.bytes.length as 4 | 16]) return 'too-wide';
    if (network.reach === 'loopback' || network.reach === 'link-local' || network.reach === 'special') return 'special';
    if (meets(allowed, network)) return 'allow-list';
    if (meets(proxies, network) || known.isProxy(network, nowMs)) return 'proxy';
    if (meets(own, network)) return 'infrastructure';
    if (network.reach === 'private' && !config.allowPrivate) return 'private';
    if (known.isNoticed(network, nowMs)) return 'notice';
    const actor = network.single ? known.address(network.text, nowMs) : known.network(network.text, nowMs);
    if (actor === undefined) return 'no-facts';
    // what is told of a network counts those that took part
    const users = network.single ? actor.users : known.usersWithin(network, nowMs);
    if (users > config.maxUsersPerAddress) return 'shared';
    return isCounted(users, actor) ? null : 'no-facts';
  }

  /** Whether few users named are few people (docs/adr/045). */
  function isCounted(users: number, { requests, usersNamed }: KnownActor): boolean {
    if (config.unnamedUsers === 'single' || requests <= FEW_REQUESTS) return true;
    return config.unnamedUsers === 'auto' ? usersNamed : users > 0;
  }

  return {
    against({ scope, value }, { is, least }, nowMs) {
      const network = scope === 'user' ? null : parseNetwork(value);
      if (is !== 'high' && (is !== 'medium' || least === 'high'))
        return network !== null && known.isNoticed(network, nowMs) ? 'notice' : 'confidence'; // which says why
      if (scope === 'user') {
        if (value === '' || value.includes(MASK)) return 'no-user';
        return allowedUsers.has(value) ? 'allow-list' : null;
      }
      if (network === null || network.single !== (scope === 'ip')) return 'not-an-address';
      return againstNetwork(network, nowMs);
    },
  };
}
