/** From the configuration to what the actors' owner needs. */
import { createHash } from 'node:crypto';
import type { Config } from '../schemas/config/index.ts';
import type { ActorsServiceConfig } from './actor-events.ts';
import { covers, networksOf, parseNetwork } from './decisions/network.ts';

const LEARN_MS: Readonly<Record<Config['learning']['profile'], number>> = {
  production: 86_400_000,
  demo: 90_000,
  export: 0,
};

export function actorsConfigOf({
  actors,
  learning,
  redaction,
}: Pick<Config, 'actors' | 'learning' | 'redaction'>): ActorsServiceConfig {
  const ranges = networksOf(actors.clientRanges);
  return {
    budgetPerDay: actors.budgetPerDay,
    learnMs: actors.learnMs ?? LEARN_MS[learning.profile],
    addressHalfLifeMs: actors.addressHalfLifeMs,
    userHalfLifeMs: actors.userHalfLifeMs,
    quietMs: actors.quietMs,
    maxClients: actors.maxClients,
    maxUsers: actors.maxUsers,
    maxFull: actors.maxFull,
    maxObjects: actors.maxObjects,
    maxRecent: actors.maxRecent,
    privilegedRoutes: actors.privilegedRoutes,
    isClientRange(address) {
      const client = ranges.length === 0 ? null : parseNetwork(address);
      return client !== null && ranges.some((range) => covers(range, client));
    },
    // keyed where the installation has a key; without one, chosen collisions merge actors, and no more
    seed: createHash('sha256').update(`actors ${redaction.key}`).digest().readUInt32LE(0),
  };
}
