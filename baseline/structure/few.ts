/**
 * Whether an exception is the doing of few clients rather than what anybody's requests may meet: it came from hardly any of the
 * clients there are, and more often than chance would give so few of them what all have alike (docs/adr/036).
 */
import { countTail } from '../timing/count-tail.ts';
import type { Evidence } from './evidence.ts';
import { BINS } from './tally.ts';

/** A client's exceptions, from this many on, are its doing where no other client has any, */
const STEADY = 3;
/** or where they are so many times what the others have of theirs (learning/few-clients.ts). */
const TIMES = 4;
/** Few are at most so many of all clients; of fewer clients than its inverse, one. */
const FEW = 0.01;
/** Who makes up more of all calls is no exception to what is normal. */
const LARGEST_SHARE = 0.1;
/** Below it, it is no chance. */
const CHANCE = 1e-3;

/** More bins, and so clients, are not few. */
const MOST_BINS = 6;

const NOBODY: ReadonlySet<number> = new Set();

type Counted = Pick<Evidence, 'count' | 'unattributed' | 'bins'>;

/**
 * The bins of few clients that make exceptions again and again, at each place perhaps only once: those that have far more of all
 * exceptions together than the others have. `exceptions`: one to each place where hardly anybody makes any; `all`: everybody's calls.
 */
export function binsOfFew(exceptions: readonly Counted[], all: Counted, clients: number): ReadonlySet<number> {
  const sums = new Float64Array(BINS);
  let total = 0;
  for (const { bins } of exceptions) {
    if (occupied(bins) > MOST_BINS) continue;
    for (let i = 0; i < BINS; i++) {
      sums[i]! += bins[i]!;
      total += bins[i]!;
    }
  }
  let calls = 0;
  for (const count of all.bins) calls += count;
  const found = new Set<number>();
  const largest = LARGEST_SHARE * calls;
  // the worst one first: the next is held against the others without it
  for (;;) {
    let worst = -1;
    let most = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const own = sums[bin]!;
      const of = all.bins[bin]!;
      if (found.has(bin) || own < STEADY || of > largest) continue;
      const expected = ((1 + total - own) * of) / Math.max(1, calls - of);
      if (own < TIMES * expected || own - expected <= most || countTail(own, expected, 1) * BINS > CHANCE) continue;
      worst = bin;
      most = own - expected;
    }
    if (worst < 0) break;
    found.add(worst);
    total -= sums[worst]!;
    calls -= all.bins[worst]!;
  }
  return found.size <= Math.min(MOST_BINS, Math.max(1, FEW * clients)) ? found : NOBODY;
}

const occupied = (bins: Float64Array): number => bins.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);

/** What is left of exceptions without those of these bins. */
export function without({ count, unattributed, bins }: Counted, few: ReadonlySet<number>): Counted {
  const left = bins.slice();
  let taken = 0;
  for (const bin of few) {
    taken += bins[bin]!;
    left[bin] = 0;
  }
  return { count: count - taken, unattributed, bins: left };
}

/** `of`: what the exception is one to, such as all calls of the parent; `clients`: of the whole window. */
export function byFewClients(exception: Counted, of: Counted, clients: number): boolean {
  const { count, unattributed, bins } = exception;
  if (unattributed > 0 || count < STEADY) return false;
  const few = occupied(bins);
  if (few === 1) return true;
  return few <= FEW * clients && logChance(count, few, of) <= Math.log(CHANCE);
}

/**
 * Bound of the logarithm of the chance that `count` occurrences, each of a client drawn as the clients of `of` come, lie in `few`
 * bins: the number of ways to choose them, times the chance of the largest (union bound).
 */
function logChance(count: number, few: number, { bins }: Counted): number {
  const sorted = Float64Array.from(bins).sort().reverse();
  let all = 0;
  let largest = 0;
  let occupied = 0;
  for (let i = 0; i < BINS; i++) {
    all += sorted[i]!;
    if (i < few) largest += sorted[i]!;
    if (sorted[i]! > 0) occupied++;
  }
  if (few >= occupied) return 0;
  let ways = 0;
  for (let i = 0; i < few; i++) ways += Math.log((occupied - i) / (i + 1));
  return ways + count * Math.log(largest / all);
}
