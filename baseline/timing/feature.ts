/** Durations of one key and feature as a version holds them, and the tail that goes on beyond the largest (DETECTION §2). */
import { fitPareto, scaleOf } from '../fusion/tail.ts';
import { type Sketch, sketchToForm, TOP } from './sketch.ts';

/** Jitter that timers and schedulers add to anything: the least scale of a tail. */
const LEAST_RELATIVE_SCALE = 0.05;
const LEAST_SCALE_NS = 20_000;
const BORROWED = 8;

/** Largest values that make the tail: a tenth of the sample, at most what is kept exactly. */
export const tailCount = (n: number, kept: number): number =>
  Math.min(kept - 1, TOP - 1, Math.max(2, Math.floor(n / 10)));

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
