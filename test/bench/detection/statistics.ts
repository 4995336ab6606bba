/** The figures of detection: exact intervals, recall at a rate of false alarms, area under precision and recall. */

import { binomialInterval } from '../../../detector/check/interval.ts';

export interface Proportion {
  readonly hits: number;
  readonly of: number;
  readonly value: number;
  /** 95 % interval, Clopper–Pearson. */
  readonly low: number;
  readonly high: number;
}

export function proportion(hits: number, of: number): Proportion {
  const [low, high] = binomialInterval(hits, of);
  return { hits, of, value: of === 0 ? Number.NaN : hits / of, low, high };
}

/**
 * Score above which at most the share `rate` of the negatives lies. Ties count against the detector: what scores no more than
 * the first negative too many is not found.
 */
export function thresholdAt(negatives: Float64Array, rate: number): number {
  const sorted = Float64Array.from(negatives).sort();
  const allowed = Math.floor(rate * sorted.length);
  return allowed >= sorted.length ? Number.NEGATIVE_INFINITY : sorted[sorted.length - 1 - allowed]!;
}

export function recallAt(positives: ArrayLike<number>, negatives: Float64Array, rate: number): Proportion {
  return above(positives, thresholdAt(negatives, rate));
}

export function above(values: ArrayLike<number>, threshold: number): Proportion {
  let hits = 0;
  for (let i = 0; i < values.length; i++) if (values[i]! > threshold) hits++;
  return proportion(hits, values.length);
}

/** Average precision; equal scores are one step. */
export function averagePrecision(positives: ArrayLike<number>, negatives: ArrayLike<number>): number {
  const all = [
    ...Array.from(positives, (score) => ({ score, hit: 1 })),
    ...Array.from(negatives, (score) => ({ score, hit: 0 })),
  ].sort((a, b) => b.score - a.score);
  let found = 0;
  let seen = 0;
  let area = 0;
  for (let from = 0; from < all.length; ) {
    let to = from;
    let hits = 0;
    while (to < all.length && all[to]!.score === all[from]!.score) hits += all[to++]!.hit;
    found += hits;
    seen = to;
    area += (hits / positives.length) * (found / seen);
    from = to;
  }
  return area;
}

/** Share of the values that equal the largest one. */
export function tiedAtTop(values: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! > top) {
      top = values[i]!;
      count = 1;
    } else if (values[i] === top) count++;
  }
  return values.length === 0 ? 0 : count / values.length;
}
