/** How much of a minute's requests, objects and bytes is much: quantiles by class, from histograms of eight bins an octave. */

import { CLASSES, STAND_INS } from '../evidence/tests.ts';
import { arraySource, type PartSource } from '../parts.ts';

export const MEASURES = 3;
const BINS = 320;
/** A minute above this share of its class's minutes is a large one. */
const SHARE = 0.995;
/** Fewer minutes tell no quantile. */
const MINUTES = 500;
/** What nobody calls much. */
const LEAST: readonly number[] = [30, 30, 4_096];
const HALVE_AT = 1_000_000;
const REVIEW = 256;

export interface Volumes {
  /** Whether it is more than all but a few minutes of the class: requests, objects, kilobytes of one user. */
  isLarge(peers: number, requests: number, objects: number, kilobytes: number): boolean;
  /** The limit of a measure; ∞ = not known yet. */
  limit(peers: number, measure: number): number;
  add(peers: number, requests: number, objects: number, kilobytes: number): void;
  readonly parts: PartSource;
}

export function createVolumes(): Volumes {
  const bins = new Float64Array(CLASSES * MEASURES * BINS);
  const totals = new Float64Array(CLASSES);
  const limits = new Float64Array(CLASSES * MEASURES).fill(Number.POSITIVE_INFINITY);
  const bin = (value: number): number => Math.min(BINS - 1, Math.floor(8 * Math.log2(1 + value)));

  function review(peers: number): void {
    const total = totals[peers]!;
    for (let m = 0; m < MEASURES; m++) {
      const from = (peers * MEASURES + m) * BINS;
      let above = 0;
      let at = BINS - 1;
      for (; at > 0 && above + bins[from + at]! <= total * (1 - SHARE); at--) above += bins[from + at]!;
      limits[peers * MEASURES + m] =
        total < MINUTES ? Number.POSITIVE_INFINITY : Math.max(LEAST[m]!, 2 ** ((at + 1) / 8) - 1);
    }
    if (total < HALVE_AT) return;
    totals[peers] = total / 2;
    for (let at = peers * MEASURES * BINS; at < (peers + 1) * MEASURES * BINS; at++) bins[at] = bins[at]! / 2;
  }

  /** Of the nearest class that is known: most minutes of a class, wherever it is small, are like its neighbours'. */
  function limit(peers: number, measure: number): number {
    const own = limits[peers * MEASURES + measure]!;
    if (own !== Number.POSITIVE_INFINITY) return own;
    for (const stand of STAND_INS[peers] ?? []) {
      const other = limits[stand * MEASURES + measure]!;
      if (other !== Number.POSITIVE_INFINITY) return other;
    }
    return own;
  }

  return {
    isLarge: (peers, requests, objects, kilobytes) =>
      requests > limit(peers, 0) || objects > limit(peers, 1) || kilobytes > limit(peers, 2),
    limit,
    add(peers, requests, objects, kilobytes) {
      const from = peers * MEASURES * BINS;
      const at0 = from + bin(requests);
      const at1 = from + BINS + bin(objects);
      const at2 = from + 2 * BINS + bin(kilobytes);
      bins[at0] = bins[at0]! + 1;
      bins[at1] = bins[at1]! + 1;
      bins[at2] = bins[at2]! + 1;
      totals[peers] = totals[peers]! + 1;
      if (totals[peers]! % REVIEW === 0) review(peers);
    },
    parts: arraySource('volumes', { bins, totals, limits }),
  };
}
