/** Everything that is remembered from event to event, beside the clock: who is known, what is usual, what is being watched. */
import { createBaseRates } from './base-rates.ts';
import type { ActorsCoreConfig } from './config.ts';
import { createEverybody } from './everybody.ts';
import { createFailures } from './failures.ts';
import type { FullActor } from './full-actor.ts';
import { createFullTier } from './full-tier.ts';
import { hashInto } from './hash.ts';
import { createNetworks } from './networks.ts';
import { createNoticeWatch } from './notice.ts';
import { createObjectKinds } from './object-kinds.ts';
import { createObjectOwners } from './object-owners.ts';
import { createOperations } from './operations.ts';
import { createOwnersMet } from './owners-met.ts';
import { createQuietTier, indexIn } from './quiet-tier.ts';
import { createRecentParts } from './recent-parts.ts';
import type { Scene } from './scene.ts';
import { createSteps } from './steps.ts';
import { createUsersNamed } from './users-named.ts';
import { createVolumes } from './volumes.ts';

export type Tables = ReturnType<typeof createTables>;

export function createTables(config: ActorsCoreConfig, seed: number, { subjects }: Scene) {
  const clients = createQuietTier('clients', config.maxClients);
  const users = createQuietTier('users', config.maxUsers);
  /** Places in the full tier, by key. */
  const networks = createNetworks();
  const accounts = new Map<string, number>();
  const full = createFullTier(config, onEvict);
  const rates = createBaseRates(config.budgetPerDay);
  const lanes = new Uint32Array(2);

  /** Nobody knows it by its place any more. */
  function onEvict(actor: FullActor, place: number): void {
    const { kind, key } = actor;
    tables.givenUp(actor);
    if (kind === 'network') networks.delete(key);
    else if (kind === 'account') accounts.delete(key);
    else if (kind === 'client' || kind === 'user') {
      const tier = kind === 'client' ? clients : users;
      hashInto(key, seed, lanes);
      const row = tier.find(lanes[0]!, lanes[1]!);
      if (row >= 0 && tier.block(row).full[indexIn(row)] === place + 1) tier.block(row).full[indexIn(row)] = 0;
    }
    for (const s of subjects) if (s.place === place) s.place = -1;
  }

  const tables = {
    clients,
    users,
    full,
    networks,
    accounts,
    /** Place in the full tier of all clients together; −1 = there is none yet. */
    everyonePlace: -1,
    /** An alarm was raised; an actor gives way: who has to know (standing-alarms.ts). */
    raised: (_actor: FullActor, _place: number, _test: number): void => {},
    givenUp: (_actor: FullActor): void => {},
    recent: createRecentParts(config.maxRecent, seed),
    objects: createObjectOwners(config.maxObjects, seed),
    met: createOwnersMet(),
    kinds: createObjectKinds(rates.forgetKind),
    operations: createOperations(config.privilegedRoutes),
    steps: createSteps(),
    volumes: createVolumes(),
    rates,
    failures: createFailures(seed),
    everybody: createEverybody(),
    usersNamed: createUsersNamed(),
    notices: createNoticeWatch(),
  };
  return tables;
}
