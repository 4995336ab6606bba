/**
 * How improbable a novelty is, given where it stands: places (a parent, a pair of its children, a signature) differ in how
 * often they bring something new, and a place that was seen 500 times cannot say by itself what happens once in 5,000. So
 * places are put in order of their own rate, and p at one of them is the share of all observations that were novelties at
 * places with at most its rate: uniform under normal traffic, near 1/N where nothing new ever came, and of no weight where
 * novelties are usual (DETECTION §7, "pooled by class and maturity"; the ordering is that of rules by support in §1).
 */
import type { Mass } from './entries.ts';

/** A place with fewer observations speaks for itself only. */
const LEAST_POOLED = 100;
/** At most 0.3 decade of evidence beyond what the place itself can say (DETECTION §3, §1). */
const BEYOND = 10 ** -0.3;

/** p of one place by itself: Good–Turing, no more than its own sample can say. */
export const ownP = ([seen, of]: Mass): number => (1 + seen) / (1 + of);

/** `masses`: [novelties, of] of each place; the result is in the same order. `all`: observations, if not their sum. */
export function pooledP(masses: readonly Mass[], all = sumOf(masses)): Float64Array {
  const own = Float64Array.from(masses, ownP);
  const order = masses.map((_, at) => at).sort((x, y) => own[x]! - own[y]!);
  const out = new Float64Array(masses.length);
  let novelties = 0;
  for (let from = 0, to = 0; from < order.length; from = to) {
    // Places of one rate share their p: their order is an accident.
    for (; to < order.length && own[order[to]!] === own[order[from]!]; to++) novelties += masses[order[to]!]![0];
    const p = (1 + novelties) / (1 + all);
    for (const at of order.slice(from, to)) out[at] = p;
  }
  return out;
}

/** What a place may claim of its pooled p, tested `times` over. */
export function claim(pooled: number, own: number, of: number, times = 1): number {
  const p = pooled * times;
  return of < LEAST_POOLED ? Math.max(p, own) : Math.max(p, own * BEYOND);
}

const sumOf = (masses: readonly Mass[]): number => masses.reduce((sum, [, of]) => sum + of, 0);

/** `pooledP` as each place may claim it. */
export const claims = (masses: readonly Mass[], all?: number): Float64Array =>
  pooledP(masses, all).map((p, at) => claim(p, ownP(masses[at]!), masses[at]![1]));
