/** From the configuration to what the actors' owner needs. */
import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Config } from '../schemas/config/index.ts';
import type { ActorsServiceConfig } from './actor-events.ts';

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
  const ranges = actors.clientRanges.map(parseRange);
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
      if (ranges.length === 0 || !ipaddr.isValid(address)) return false;
      const parsed = ipaddr.process(address);
      return ranges.some(
        (range) => range !== null && range[0].kind() === parsed.kind() && parsed.match(range[0], range[1]),
      );
    },
    // keyed where the installation has a key; without one, chosen collisions merge actors, and no more
    seed: createHash('sha256').update(`actors ${redaction.key}`).digest().readUInt32LE(0),
  };
}

function parseRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | null {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const one = ipaddr.parse(text);
    return [one, one.kind() === 'ipv4' ? 32 : 128];
  } catch {
    return null;
  }
}
