/**
 * Conformal rank against calibration values: p = (1 + #{calibration ≥ x}) / (n + 1), ties counted against us
 * (Vovk et al., "Algorithmic Learning in a Random World"). The upper part is kept value by value; below, steps.
 */

/** Values kept one by one at the top; below them the rank is rounded up, which only makes p larger. */
const EXACT_TOP = 2_048;
const STEPS_BELOW = 256;

export interface Ranking {
  /** Calibration values in all. */
  readonly n: number;
  /** Ascending distinct values. */
  readonly at: Float64Array;
  /** Upper bound of #{calibration ≥ x} for at[j−1] < x ≤ at[j]. */
  readonly atLeast: Float64Array;
  /** Units of x in which the last decade of the sample's probability passed: how the group's own scale goes on. */
  readonly decade: number;
}

export function createRanking(values: ArrayLike<number>): Ranking {
  const n = values.length;
  const sorted = Float64Array.from(values).sort();
  const at: number[] = [];
  const atLeast: number[] = [];
  const stride = Math.max(1, Math.floor((n - EXACT_TOP) / STEPS_BELOW));
  let skippedTo = -1; // rank from which values were left out
  for (let i = 0; i < n; ) {
    let j = i + 1;
    while (j < n && sorted[j] === sorted[i]) j++;
    const from = skippedTo >= 0 ? skippedTo : i;
    const exact = n - i <= EXACT_TOP;
    if (exact || i === 0 || i - from >= stride) {
      at.push(sorted[i]!);
      atLeast.push(n - from);
      skippedTo = -1;
    } else if (skippedTo < 0) skippedTo = i;
    i = j;
  }
  return { n, at: Float64Array.from(at), atLeast: Float64Array.from(atLeast), decade: decadeOf(sorted) };
}

/** Least change of x that may count as a decade: keeps a constant sample from claiming a decade for nothing. */
const LEAST_DECADE = 0.3;

function decadeOf(sorted: Float64Array): number {
  const n = sorted.length;
  if (n < 20) return 1;
  const top = Math.max(1, Math.floor(n / 1000)); // a few values from the end: the very last one is noise
  const high = sorted[n - top]!;
  const low = sorted[Math.max(0, n - 10 * top)]!;
  return Math.max(LEAST_DECADE, high - low);
}

/** p of a new value: inside the sample its rank, beyond it at most one decade less, on the group's own scale. */
export function rankOf(ranking: Ranking, x: number): number {
  const { n, at, atLeast } = ranking;
  if (n === 0) return 1;
  const top = at[at.length - 1]!;
  if (x > top) return 10 ** -Math.min(1, (x - top) / ranking.decade) / (n + 1);
  return Math.min(1, (1 + atLeast[firstNotBelow(at, x)]!) / (n + 1));
}

/** p of a calibration value among the others: the rank it would have had, had it not been in the sample. */
export function rankAmongOthers(ranking: Ranking, x: number): number {
  const { n, at, atLeast } = ranking;
  if (n <= 1) return 1;
  const last = at.length - 1;
  if (x >= at[last]! && atLeast[last] === 1 && last > 0) {
    return 10 ** -Math.min(1, (x - at[last - 1]!) / ranking.decade) / n;
  }
  return Math.min(1, atLeast[firstNotBelow(at, x)]! / n);
}

function firstNotBelow(at: Float64Array, x: number): number {
  let low = 0;
  let high = at.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** For a version file: what rankOf needs, as plain numbers. */
export interface RankingForm {
  readonly n: number;
  readonly decade: number;
  readonly at: readonly number[];
  readonly atLeast: readonly number[];
}

export const toForm = (ranking: Ranking): RankingForm => ({
  n: ranking.n,
  decade: ranking.decade,
  at: [...ranking.at],
  atLeast: [...ranking.atLeast],
});

export const fromForm = (form: RankingForm): Ranking => ({
  n: form.n,
  decade: form.decade,
  at: Float64Array.from(form.at),
  atLeast: Float64Array.from(form.atLeast),
});
