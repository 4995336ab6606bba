/**
 * Compiled durations of one key and feature: conformal rank inside the sample, ties counted against us; beyond the largest a
 * generalised-Pareto tail with a shape pooled over all keys, beyond the smallest an exponential one in octaves.
 */
import { excessProbability, fitPareto, scaleOf } from '../fusion/tail.ts';
import { BIN_COUNT, nsAt, octavesAt } from './bins.ts';
import { type Sketch, sketchToForm, TOP } from './sketch.ts';

export interface FeatureTable {
  readonly n: number;
  /** Bin of inverse[0]. */
  readonly low: number;
  /** 1/p, two-sided, of a value in each bin below `exactFrom`. */
  readonly inverse: Float64Array;
  /** From this bin on the largest values decide one by one. */
  readonly exactFrom: number;
  /** Ascending. */
  readonly top: Float64Array;
  readonly max: number;
  readonly maxOctaves: number;
  readonly minOctaves: number;
  /** Values beyond the largest: P = weight · GPD(x − threshold). */
  readonly threshold: number;
  readonly weight: number;
  readonly shape: number;
  readonly scale: number;
  /** Mean excess of the lower tail, octaves. */
  readonly lowScale: number;
  /** Octaves at 0.5 %, 50 %, 99.5 %. */
  readonly q005: number;
  readonly median: number;
  readonly medianNs: number;
  readonly q995: number;
  /** Largest 1/p this key may claim while it is learning (DETECTION §7); Infinity when active. */
  readonly claim: number;
}

/** Jitter that timers and schedulers add to anything: the least scale of a tail. */
const LEAST_RELATIVE_SCALE = 0.05;
const LEAST_SCALE_NS = 20_000;
const LEAST_LOW_SCALE = 0.125;
const BORROWED = 8;

/** Largest values that make the tail: a tenth of the sample, at most what is kept exactly. */
const tailCount = (n: number, kept: number): number => Math.min(kept - 1, TOP - 1, Math.max(2, Math.floor(n / 10)));

export interface TailExcess {
  readonly threshold: number;
  /** Ascending excesses. */
  readonly excesses: Float64Array;
}

export function tailOf(sketch: Sketch): TailExcess | undefined {
  const count = tailCount(sketch.n, sketch.topCount);
  if (count < 2) return undefined;
  const sorted = sketch.topNs.slice(0, sketch.topCount).sort();
  const threshold = sorted[sorted.length - count - 1]!;
  return { threshold, excesses: sorted.subarray(sorted.length - count).map((x) => x - threshold) };
}

export interface PooledTail {
  readonly shape: number;
  /** Mean excess over threshold, over keys. */
  readonly relative: number;
}

const SHAPE_LOW = 0.05;
const SHAPE_HIGH = 0.6;

/** One shape for all keys, weighted by their excesses: a single key's few dozen values cannot tell it. */
export function poolTails(sketches: Iterable<Sketch>): PooledTail {
  let shapes = 0;
  let weights = 0;
  const relatives: number[] = [];
  for (const sketch of sketches) {
    const tail = tailOf(sketch);
    if (tail === undefined) continue;
    const mean = meanOf(tail.excesses);
    if (mean > 0) relatives.push(mean / (tail.threshold + LEAST_SCALE_NS));
    if (tail.excesses.length < 16) continue;
    const fit = fitPareto(tail.excesses);
    if (fit === undefined) continue;
    shapes += Math.max(-0.5, Math.min(1, fit.shape)) * tail.excesses.length;
    weights += tail.excesses.length;
  }
  relatives.sort((a, b) => a - b);
  return {
    shape: Math.min(SHAPE_HIGH, Math.max(SHAPE_LOW, weights === 0 ? 0.2 : shapes / weights)),
    relative: relatives[relatives.length >> 1] ?? 0.5,
  };
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length === 0 ? 0 : sum / values.length;
}

/** What a version file holds of a feature. */
export interface FeatureForm {
  readonly n: number;
  readonly low: number;
  readonly counts: readonly number[];
  /** Nanoseconds, descending. */
  readonly top: readonly number[];
  readonly shape: number;
  readonly scale: number;
}

export function featureForm(sketch: Sketch, pooled: PooledTail): FeatureForm {
  const [n, low, counts, top] = sketchToForm(sketch);
  const tail = tailOf(sketch);
  const threshold = tail?.threshold ?? top[0]?.[0] ?? 0;
  const own = tail === undefined ? 0 : meanOf(tail.excesses);
  const count = tail?.excesses.length ?? 0;
  const mean = (count * own + BORROWED * pooled.relative * threshold) / (count + BORROWED);
  const scale = Math.max(scaleOf(mean, pooled.shape), LEAST_RELATIVE_SCALE * threshold + LEAST_SCALE_NS);
  return { n, low, counts, top: top.map(([ns]) => ns), shape: pooled.shape, scale };
}

export function compileFeature(form: FeatureForm, active: boolean): FeatureTable {
  const { n, low, counts } = form;
  const top = Float64Array.from(form.top).sort();
  const count = tailCount(n, top.length);
  const threshold = count < 2 ? (top[top.length - 1] ?? 0) : top[top.length - count - 1]!;
  const weight = Math.max(1, count < 2 ? 1 : count) / (n + 1);
  const exactFrom = top.length < n ? binAtOrAbove(top[0] ?? 0) : low;
  const inverse = new Float64Array(counts.length);
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const upTo = below + counts[i]!;
    const p = Math.min(1, (2 * (1 + Math.min(upTo, n - below))) / (n + 1));
    inverse[i] = 1 / p;
    below = upTo;
  }
  const quantile = quantileOf(counts, low, n);
  const max = top[top.length - 1] ?? 0;
  const minOctaves = octavesAt(low);
  return {
    n,
    low,
    inverse,
    exactFrom,
    top,
    max,
    maxOctaves: max > 0 ? Math.log2(max + 16_384) - 14 : 0,
    minOctaves,
    threshold,
    weight,
    shape: form.shape,
    scale: form.scale,
    lowScale: Math.max(LEAST_LOW_SCALE, lowExcess(counts, low, n)),
    q005: quantile(0.005, 0),
    median: quantile(0.5, 0.5),
    medianNs: nsAt(quantile(0.5, 0.5)),
    q995: quantile(0.995, 1),
    claim: active ? Number.POSITIVE_INFINITY : n + 1,
  };
}

const binAtOrAbove = (ns: number): number => Math.min(BIN_COUNT - 1, Math.floor((Math.log2(ns + 16_384) - 14) * 8));

/** Octaves at a quantile; `edge` 0 = the bin's lower edge, 1 = its upper. */
function quantileOf(counts: readonly number[], low: number, n: number): (q: number, edge: number) => number {
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

/** 1/p of a duration outside the plain part of the table: among the largest, beyond them, or below all. */
export function inverseOutside(table: FeatureTable, ns: number, octaves: number): number {
  const { n, top } = table;
  if (octaves < table.minOctaves) {
    const p = (2 * Math.exp(-(table.minOctaves - octaves) / table.lowScale)) / (n + 1);
    return Math.min(table.claim, 1 / Math.min(1, p));
  }
  if (ns > table.max) {
    const p = Math.min(1 / (n + 1), table.weight * excessProbability(table.shape, table.scale, ns - table.threshold));
    return Math.min(table.claim, 1 / Math.max(1e-300, Math.min(1, 2 * p)));
  }
  let low = 0;
  let high = top.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (top[middle]! < ns) low = middle + 1;
    else high = middle;
  }
  const bin = Math.min(BIN_COUNT - 1, (octaves * 8) | 0) - table.low;
  const both = bin >= 0 && bin < table.inverse.length ? table.inverse[bin]! : 1;
  const upper = (n + 1) / (2 * (1 + top.length - low));
  return Math.max(1, both, upper);
}

/** Octaves outside everything learned; 0 inside. */
export function severityOf(table: FeatureTable, octaves: number): number {
  return Math.max(0, octaves - table.maxOctaves, table.minOctaves - octaves);
}

export const typicalRange = (table: FeatureTable): readonly [number, number] => [nsAt(table.q005), nsAt(table.q995)];
