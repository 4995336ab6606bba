/**
 * Clients whose traffic is full of what models of all other times find near-impossible by its kind, while others' is not: what few
 * do steadily is an attack or a broken client, not what is normal (DETECTION §0a.5; docs/adr/036). As a burst is told in time
 * (docs/adr/032), so are these told among clients.
 */
import { countTail } from '../timing/count-tail.ts';

/** What is known of one calibration segment. */
export interface OfClient {
  /** 32-bit hash, 0 = unknown. */
  readonly client: number;
  readonly hard: boolean;
  /** Nothing was learned of it. */
  readonly quarantined: boolean;
}

export interface FewClients {
  /** Their segments do not calibrate. */
  readonly apart: ReadonlySet<number>;
  /** Those of them of which hard findings were learned, the worst first: the models do without them. */
  readonly taught: readonly number[];
}

/** From so many hard findings on they are steady, */
const STEADY = 3;
/** and of one client where they are so many times what the others have of theirs, */
const TIMES = 4;
/** with so little chance that any of all clients has as many (Poisson, Bonferroni). */
const CHANCE = 1e-3;
/** A client with a larger share of the traffic is no exception to what is normal. */
const LARGEST_SHARE = 0.1;
/** All of them together. */
const MOST_LEFT_OUT = 0.2;
/** More are not few; and each takes a 32nd of the known clients' counts along (structure/without-clients.ts). */
const MOST_CLIENTS = 6;

interface Count {
  readonly client: number;
  segments: number;
  hard: number;
  taught: number;
}

export function fewClients(samples: Iterable<OfClient>): FewClients {
  const counts = new Map<number, Count>();
  let all = 0;
  let hard = 0;
  for (const sample of samples) {
    all++;
    if (sample.hard) hard++;
    if (sample.client === 0) continue;
    let count = counts.get(sample.client);
    if (count === undefined) {
      count = { client: sample.client, segments: 0, hard: 0, taught: 0 };
      counts.set(sample.client, count);
    }
    count.segments++;
    if (!sample.hard) continue;
    count.hard++;
    if (!sample.quarantined) count.taught++;
  }
  const apart = new Set<number>();
  const taught: number[] = [];
  const largest = LARGEST_SHARE * all;
  let left = MOST_LEFT_OUT * all;
  const clients = [...counts.values()].filter((count) => count.hard >= STEADY && count.segments <= largest);
  // the worst one first: the next is held against the others without it
  while (apart.size < MOST_CLIENTS) {
    let worst: Count | undefined;
    let most = 0;
    for (const count of clients) {
      if (apart.has(count.client) || count.segments > left) continue;
      const expected = (count.segments * (1 + hard - count.hard)) / (all - count.segments);
      const excess = count.hard - expected;
      const steady = count.hard >= TIMES * expected && countTail(count.hard, expected, 1) * counts.size <= CHANCE;
      // equal ones in an order that does not depend on who came first
      if (!steady || excess < most || (excess === most && worst !== undefined && count.client > worst.client)) continue;
      worst = count;
      most = excess;
    }
    if (worst === undefined) break;
    apart.add(worst.client);
    if (worst.taught >= STEADY) taught.push(worst.client);
    left -= worst.segments;
    all -= worst.segments;
    hard -= worst.hard;
  }
  return { apart, taught };
}
