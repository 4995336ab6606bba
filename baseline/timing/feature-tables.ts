/**
 * Compiled durations of all keys in a few typed arrays: 20,000 keys must not be 200,000 objects. p of a duration: conformal
 * rank inside the sample, ties counted against us; beyond the largest a generalised-Pareto tail with a shape pooled over
 * all keys, beyond the smallest an exponential one in octaves.
 */
import { excessProbability } from '../fusion/tail.ts';
import { BIN_COUNT, nsAt, octavesAt } from './bins.ts';
import { type FeatureForm, tailCount } from './feature.ts';
import { type Counts, TOP } from './sketch.ts';

/** What is kept of a feature: places in its row of `facts`. */
export const Fact = {
  n: 0,
  /** First bin with a count, and how many bins from there on. */
  low: 1,
  bins: 2,
  /** Where its bins and its largest values begin in the pools. */
  binsAt: 3,
  topAt: 4,
  topCount: 5,
  /** From this bin on the largest values decide one by one. */
  exactFrom: 6,
  max: 7,
  maxOctaves: 8,
  minOctaves: 9,
  /** Beyond the largest: P = weight · GPD(x − threshold). */
  threshold: 10,
  weight: 11,
  shape: 12,
  scale: 13,
  /** Mean excess of the lower tail, octaves. */
  lowScale: 14,
  /** Octaves at 0.5 %, 50 %, 99.5 %. */
  q005: 15,
  median: 16,
  medianNs: 17,
  q995: 18,
  /** Largest 1/p it may claim while it is learning (DETECTION §7); Infinity when active. */
  claim: 19,
} as const;
export const FACTS = 20;

export interface FeatureTables {
  /** FACTS numbers a feature. */
  readonly facts: Float64Array;
  /** 1/p, two-sided, of a value in each bin below `exactFrom`. */
  readonly inverse: Float32Array;
  readonly counts: Counts;
  /** Largest values, ascending, nanoseconds. */
  readonly top: Float64Array;
}

export interface FeatureSource {
  readonly form: FeatureForm;
  readonly active: boolean;
}

const LEAST_LOW_SCALE = 0.125;

export function compileFeatures(sources: readonly FeatureSource[]): FeatureTables {
  let bins = 0;
  let tops = 0;
  let largest = 0;
  for (const { form } of sources) {
    bins += form.counts.length;
    tops += form.top.length;
    if (form.n > largest) largest = form.n;
  }
  const tables: FeatureTables = {
    facts: new Float64Array(FACTS * sources.length),
    inverse: new Float32Array(bins),
    counts: largest < 2 ** 32 ? new Uint32Array(bins) : new Float64Array(bins),
    top: new Float64Array(tops),
  };
  let binsAt = 0;
  let topAt = 0;
  for (const [f, { form, active }] of sources.entries()) {
    compileFeature(tables, f * FACTS, binsAt, topAt, form, active);
    binsAt += form.counts.length;
    topAt += form.top.length;
  }
  return tables;
}

function compileFeature(
  { facts, inverse, counts, top }: FeatureTables,
  at: number,
  binsAt: number,
  topAt: number,
  form: FeatureForm,
  active: boolean,
): void {
  const { n, low } = form;
  const topCount = form.top.length;
  const sorted = top.subarray(topAt, topAt + topCount);
  sorted.set(form.top);
  sorted.sort();
  counts.set(form.counts, binsAt);
  let below = 0;
  for (let i = 0; i < form.counts.length; i++) {
    const upTo = below + form.counts[i]!;
    inverse[binsAt + i] = 1 / Math.min(1, (2 * (1 + Math.min(upTo, n - below))) / (n + 1));
    below = upTo;
  }
  const tail = tailCount(n, topCount);
  const max = sorted[topCount - 1] ?? 0;
  const quantile = quantileOf(form.counts, low, n);
  const set = (fact: number, value: number): void => {
    facts[at + fact] = value;
  };
  set(Fact.n, n);
  set(Fact.low, low);
  set(Fact.bins, form.counts.length);
  set(Fact.binsAt, binsAt);
  set(Fact.topAt, topAt);
  set(Fact.topCount, topCount);
  set(Fact.exactFrom, topCount < n ? binAtOrAbove(sorted[0] ?? 0) : low);
  set(Fact.max, max);
  set(Fact.maxOctaves, max > 0 ? Math.log2(max + 16_384) - 14 : 0);
  set(Fact.minOctaves, octavesAt(low));
  set(Fact.threshold, tail < 2 ? max : sorted[topCount - tail - 1]!);
  set(Fact.weight, Math.max(1, tail < 2 ? 1 : tail) / (n + 1));
  set(Fact.shape, form.shape);
  set(Fact.scale, form.scale);
  set(Fact.lowScale, Math.max(LEAST_LOW_SCALE, lowExcess(form.counts, low, n)));
  set(Fact.q005, quantile(0.005, 0));
  set(Fact.median, quantile(0.5, 0.5));
  set(Fact.medianNs, nsAt(quantile(0.5, 0.5)));
  set(Fact.q995, quantile(0.995, 1));
  set(Fact.claim, active ? Number.POSITIVE_INFINITY : n + 1);
}

/** The form it was compiled from. */
export function formOf({ facts, counts, top }: FeatureTables, f: number): FeatureForm {
  const at = f * FACTS;
  const binsAt = facts[at + Fact.binsAt]!;
  const topAt = facts[at + Fact.topAt]!;
  return {
    n: facts[at + Fact.n]!,
    low: facts[at + Fact.low]!,
    counts: [...counts.subarray(binsAt, binsAt + facts[at + Fact.bins]!)],
    top: [...top.subarray(topAt, topAt + facts[at + Fact.topCount]!)].reverse(),
    shape: facts[at + Fact.shape]!,
    scale: facts[at + Fact.scale]!,
  };
}

const binAtOrAbove = (ns: number): number => Math.min(BIN_COUNT - 1, Math.floor((Math.log2(ns + 16_384) - 14) * 8));

/** Octaves at a quantile; `edge` 0 = the bin's lower edge, 1 = its upper. */
export function quantileOf(counts: readonly number[], low: number, n: number): (q: number, edge: number) => number {
  return (q, edge) => {
    let below = 0;
    for (let i = 0; i < counts.length; i++) {
      below += counts[i]!;
      if (below > q * n) return octavesAt(low + i) + edge / 8;
    }
    return octavesAt(low + counts.length);
  };
}

/** Mean excess, in octaves, of the lowest tenth (at most 64 values) below where it begins. */
function lowExcess(counts: readonly number[], low: number, n: number): number {
  const wanted = Math.min(TOP, Math.max(2, Math.floor(n / 10)));
  let taken = 0;
  let edge = 0;
  while (edge < counts.length && taken < wanted) taken += counts[edge++]!;
  if (taken === 0) return 0;
  let sum = 0;
  for (let i = 0; i < edge; i++) sum += counts[i]! * (octavesAt(low + edge) - octavesAt(low + i) - 1 / 16);
  return sum / taken;
}

/** 1/p of a duration outside the plain part of feature `f`: among the largest, beyond them, or below all. */
export function inverseOutside(tables: FeatureTables, f: number, ns: number, octaves: number): number {
  const { facts, inverse, top } = tables;
  const at = f * FACTS;
  const n = facts[at + Fact.n]!;
  const claim = facts[at + Fact.claim]!;
  const least = facts[at + Fact.minOctaves]!;
  if (octaves < least) {
    const p = (2 * Math.exp(-(least - octaves) / facts[at + Fact.lowScale]!)) / (n + 1);
    return Math.min(claim, 1 / Math.min(1, p));
  }
  if (ns > facts[at + Fact.max]!) {
    const excess = ns - facts[at + Fact.threshold]!;
    const beyond = excessProbability(facts[at + Fact.shape]!, facts[at + Fact.scale]!, excess);
    const p = Math.min(1 / (n + 1), facts[at + Fact.weight]! * beyond);
    return Math.min(claim, 1 / Math.max(1e-300, Math.min(1, 2 * p)));
  }
  const first = facts[at + Fact.topAt]!;
  const end = first + facts[at + Fact.topCount]!;
  let low = first;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (top[middle]! < ns) low = middle + 1;
    else high = middle;
  }
  const bin = Math.min(BIN_COUNT - 1, (octaves * 8) | 0) - facts[at + Fact.low]!;
  const both = bin >= 0 && bin < facts[at + Fact.bins]! ? inverse[facts[at + Fact.binsAt]! + bin]! : 1;
  // not above the smallest kept: as many as it may be equal to it and were not kept
  const upper = low === first && end - first < n ? 1 : (n + 1) / (2 * (1 + end - low));
  return Math.min(claim, Math.max(1, both, upper));
}

/** Octaves outside everything learned; 0 inside. */
export function severityOf({ facts }: FeatureTables, f: number, octaves: number): number {
  return Math.max(0, octaves - facts[f * FACTS + Fact.maxOctaves]!, facts[f * FACTS + Fact.minOctaves]! - octaves);
}
