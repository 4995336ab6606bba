/**
 * Which entry services name users in their spans: behind an address that asks one of these few users mean few people, behind others
 * nothing (docs/adr/045). Pure; bounded.
 */

export interface UsersNamed {
  /** A request there; those of an actor that floods it are not counted. Failed sign-ins name nobody. */
  request(service: string, named: boolean): void;
  isNamed(service: string): boolean;
  state(): readonly (readonly [service: string, requests: number, named: number])[];
}

/** A share of requests with a user from which on the others have none, rather than none that is told. */
const LEAST_SHARE = 0.05;
/** As few say nothing. */
const LEAST_NAMED = 50;
const MOST_SERVICES = 256;
/** Halved there: what was so long ago says little. */
const MOST_COUNTED = 1_000_000;

export function createUsersNamed(from: ReturnType<UsersNamed['state']> = []): UsersNamed {
  const services = new Map(from.map(([service, requests, named]) => [service, { requests, named }]));
  /** Asked for again and again. */
  let last: string | null = null;
  let lastCounts: { requests: number; named: number } | undefined;
  return {
    request(service, named) {
      if (service !== last) {
        last = service;
        lastCounts = services.get(service);
      }
      let counts = lastCounts;
      if (counts === undefined) {
        if (services.size >= MOST_SERVICES) return;
        counts = { requests: 0, named: 0 };
        services.set(service.slice(0, 256), counts);
        last = null;
      }
      counts.requests++;
      if (named) counts.named++;
      if (counts.requests < MOST_COUNTED) return;
      counts.requests = Math.floor(counts.requests / 2);
      counts.named = Math.floor(counts.named / 2);
    },
    isNamed(service) {
      const { requests, named } = services.get(service) ?? { requests: 0, named: 0 };
      return named >= LEAST_NAMED && named >= LEAST_SHARE * requests;
    },
    state: () => [...services].map(([service, { requests, named }]) => [service, requests, named] as const),
  };
}
