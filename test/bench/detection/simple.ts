/** Trivial detectors, as the yardstick: error flag, unseen signature, root latency, number of spans, everything. */

import type { Judgement } from '../../../baseline/model.ts';
import { Outcome, type Segment } from '../../../traces/segment.ts';
import { type Detector, judge } from './detector.ts';

export const SIMPLE = ['error flag', 'unseen signature', 'root latency', 'span count', 'flag everything'] as const;
export type Simple = (typeof SIMPLE)[number];

/** Scores by detector, a trace each; higher = more anomalous. */
export type SimpleScores = Readonly<Record<Simple, Float64Array>>;

export interface SimpleDetectors {
  score(records: readonly Uint8Array[]): SimpleScores;
  /** By detector: the score above which it raises a flag. */
  readonly flagsAbove: Readonly<Record<Simple, number>>;
}

/** What the trivial detectors learn of the same window. */
export function learnSimple(detector: Detector, learned: readonly Uint8Array[]): SimpleDetectors {
  const signatures = new Set<number>();
  /** Root latencies by entry label, and the 99.9th percentile of each. */
  const latencies = new Map<number, number[]>();
  judge(detector, learned, (_i, _judgement, segment) => {
    signatures.add(signatureOf(segment));
    const label = segment.label[0]!;
    const known = latencies.get(label);
    if (known === undefined) latencies.set(label, [segment.durationNs[0]!]);
    else known.push(segment.durationNs[0]!);
  });
  const limits = new Map<number, number>();
  for (const [label, values] of latencies) {
    values.sort((a, b) => a - b);
    limits.set(label, values[Math.min(values.length - 1, Math.floor(0.999 * values.length))]!);
  }
  return {
    flagsAbove: {
      'error flag': 0,
      'unseen signature': 0,
      'root latency': 1,
      'span count': Number.POSITIVE_INFINITY,
      'flag everything': 0,
    },
    score(records) {
      const scores: Record<Simple, Float64Array> = {
        'error flag': new Float64Array(records.length),
        'unseen signature': new Float64Array(records.length),
        'root latency': new Float64Array(records.length),
        'span count': new Float64Array(records.length),
        'flag everything': new Float64Array(records.length).fill(1),
      };
      const raise = (which: Simple, i: number, value: number): void => {
        if (value > scores[which][i]!) scores[which][i] = value;
      };
      judge(detector, records, (i, _judgement: Judgement, segment) => {
        let failed = 0;
        for (let n = 0; n < segment.spanCount; n++) if (segment.outcome[n] === Outcome.error) failed = 1;
        raise('error flag', i, failed);
        raise('unseen signature', i, signatures.has(signatureOf(segment)) ? 0 : 1);
        raise('root latency', i, segment.durationNs[0]! / (limits.get(segment.label[0]!) ?? Number.MIN_VALUE));
        scores['span count'][i] = scores['span count'][i]! + segment.spanCount;
      });
      return scores;
    },
  };
}

/** Multiset of calls: which label was called by which, how often, as a sum of mixed hashes. */
function signatureOf(segment: Segment): number {
  const { symbols } = segment;
  let sum = 0;
  for (let i = 0; i < segment.spanCount; i++) {
    const own = symbols.labelHash(segment.label[i]!) % 4_294_967_296;
    const parent = i === 0 ? 0 : symbols.labelHash(segment.label[segment.parent[i]!]!) % 4_294_967_296;
    let mixed = Math.imul(own ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(parent ^ 0x27d4eb2f, 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0;
    sum = (sum + mixed) % 9_007_199_254_740_881;
  }
  return sum;
}
