/** How sure a rate is: the exact binomial interval, widened where what was counted comes in bursts. */

import { betaCdf } from './beta-distribution.ts';

export type Interval = readonly [number, number];

/** 95 % interval of a rate of which `count` in `of` were seen (Clopper and Pearson 1934); both may be fractions. */
export function binomialInterval(count: number, of: number): Interval {
  if (of <= 0) return [0, 1];
  const solve = (isBelow: (rate: number) => boolean): number => {
    let low = 0;
    let high = 1;
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (isBelow(middle)) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  const lower = count <= 0 ? 0 : solve((rate) => betaCdf(rate, count, of - count + 1) < 0.025);
  const upper = count >= of ? 1 : solve((rate) => betaCdf(rate, count + 1, of - count) < 0.975);
  return [lower, upper];
}

/**
 * How many times the variance is what independent events would have, from their counts in equal parts of the time: requests of one
 * slow second are odd together, and many of them say as much as few. At least 1.
 */
export function dispersionOf(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  if (!(mean > 0) || counts.length < 2) return 1;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1);
  return Math.max(1, variance / mean);
}
