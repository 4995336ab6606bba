/** Everything that is remembered from event to event, beside the clock: who is known, what is usual, what is being watched. */

import type { ActorsCoreConfig } from '../config.ts';
import { createBaseRates } from '../evidence/base-rates.ts';
import { TESTS } from '../evidence/tests.ts';
import { hashInto } from '../hash.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { createFullTier } from '../kept/full-tier.ts';
import { createQuietTier, indexIn } from '../kept/quiet-tier.ts';
import { createRecentParts } from '../kept/recent-parts.ts';
import { createEverybody } from '../learned/everybody.ts';
import { createFailures } from '../learned/failures.ts';
import { createNoticeWatch } from '../learned/notice.ts';
import { createObjectKinds } from '../learned/object-kinds.ts';
import { createObjectOwners } from '../learned/object-owners.ts';
import { createOperations } from '../learned/operations.ts';
import { createOwnersMet } from '../learned/owners-met.ts';
import { createSteps } from '../learned/steps.ts';
import { createUsersNamed } from '../learned/users-named.ts';
import { createVolumes } from '../learned/volumes.ts';
import { createNetworks } from './networks.ts';
import type { Scene } from './scene.ts';

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
    /** By test, place in the full tier of all clients together: who took part in one has none in another. −1 = there is none yet. */
    everyonePlaces: new Array<number>(TESTS).fill(-1),
    /** An alarm was raised; an actor gives way: who has to know (standing-alarms.ts). */
    raised: (_actor: FullActor, _place: number, _test: number): void => {},
    givenUp: (_actor: FullActor): void => {},
    recent: createRecentParts(config.maxRecent, seed),
    objects: createObjectOwners(config.maxObjects, seed),
    met: createOwnersMet(config.maxUsers),
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
