/**
 * How improbable a novelty is, given where it stands: places (a parent, what stood before a call, a signature) differ in how
 * often they bring something new, and a place that was seen 500 times cannot say by itself what happens once in 5,000. So
 * places are put in order of their rate of novelties, and the pooled p is the share of all observations that were novelties
 * at places with at most this rate: uniform under normal traffic, near 1/N where nothing new ever came, and of no weight
 * where novelties are usual (DETECTION §7, "pooled by class and maturity"; rules are ordered by support alike, §1).
 *
 * The rate of a place leans on that of all (beta-binomial shrinkage, A. Gelman et al., Bayesian Data Analysis, §5.3), and each
 * novelty is ranked by what the place would have been without it: else places where nothing new came would owe that to luck.
 */
import type { Mass } from './entries.ts';

/** A place with fewer observations speaks for itself only. */
const LEAST_POOLED = 100;
/** At most 0.3 decade of evidence beyond what the place itself can say (DETECTION §1, §3). */
const BEYOND = 10 ** -0.3;
/** Novelties the overall rate counts for: little, as most places have none and a few have many. */
const PRIOR = 0.1;

export interface Pool {
  /** Pooled p of a novelty at a place with [novelties, of]. */
  p(place: Mass): number;
}

/**
 * `places`: [novelties, of] of each; with a third number, `novelties` is how often this or something rarer came there, and
 * the third how often this did. `all`: observations, if they are not the places' sum.
 */
export function createPool(
  places: readonly (Mass | readonly [seen: number, of: number, count: number])[],
  all = places.reduce((sum, [, of]) => sum + of, 0),
): Pool {
  const novelties = places.reduce((sum, [seen, , count = seen]) => sum + count, 0);
  const overall = (1 + novelties) / (1 + all);
  const rate = (seen: number, of: number): number => (PRIOR + seen) / (PRIOR / overall + of);
  const ranked = places
    .filter(([seen]) => seen > 0)
    .map(([seen, of, count = seen]) => ({ rate: rate(Math.max(0, seen - 1), of - 1), count }))
    .sort((x, y) => x.rate - y.rate);
  const rates = Float64Array.from(ranked, (place) => place.rate);
  let sum = 0;
  const upTo = Float64Array.from(ranked, (place) => {
    sum += place.count;
    return sum;
  });
  return {
    p([seen, of]) {
      const own = rate(seen, of);
      let low = 0;
      let high = rates.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (rates[middle]! <= own) low = middle + 1;
        else high = middle;
      }
      return (1 + (low === 0 ? 0 : upTo[low - 1]!)) / (1 + all);
    },
  };
}

/** p of one place by itself: Good–Turing, no more than its own sample can say. */
export const ownP = ([seen, of]: Mass): number => (1 + seen) / (1 + of);

/** Least p that a place may claim, of its own p and observations. */
export const claim = (own: number, of: number): number => (of < LEAST_POOLED ? own : own * BEYOND);
