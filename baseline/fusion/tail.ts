/**
 * Generalised-Pareto tail: how probable is an exceedance beyond what was sampled (Pickands–Balkema–de Haan)?
 * Fitted by probability-weighted moments (Hosking & Wallis 1987), which stay sane on a few dozen values.
 */

export interface ParetoTail {
  /** Threshold the excesses are counted from. */
  readonly threshold: number;
  /** P(X > threshold). */
  readonly weight: number;
  readonly shape: number;
  readonly scale: number;
  /** Excesses the fit rests on. */
  readonly count: number;
}

/** P(X ≥ x) for x at or beyond the threshold. */
export function tailProbability(tail: ParetoTail, x: number): number {
  return tail.weight * excessProbability(tail.shape, tail.scale, x - tail.threshold);
}

/** P(excess ≥ y) under shape ξ and scale σ. */
export function excessProbability(shape: number, scale: number, y: number): number {
  if (y <= 0) return 1;
  if (Math.abs(shape) < 1e-6) return Math.exp(-y / scale);
  const base = 1 + (shape * y) / scale;
  return base <= 0 ? 0 : base ** (-1 / shape);
}

/** Shape and scale from ascending excesses by probability-weighted moments; undefined when they tell nothing. */
export function fitPareto(excesses: ArrayLike<number>): { shape: number; scale: number } | undefined {
  const n = excesses.length;
  if (n < 5) return undefined;
  let a0 = 0;
  let a1 = 0;
  for (let i = 0; i < n; i++) {
    const x = excesses[i]!;
    a0 += x;
    a1 += x * (1 - (i + 0.65) / n);
  }
  a0 /= n;
  a1 /= n;
  if (!(a0 > 0) || a0 - 2 * a1 <= 1e-12 * a0) return undefined;
  const shape = 2 - a0 / (a0 - 2 * a1);
  const scale = (2 * a0 * a1) / (a0 - 2 * a1);
  return scale > 0 && Number.isFinite(shape) ? { shape, scale } : undefined;
}

/** Scale for a given shape from the mean excess: E[excess] = σ / (1 − ξ). */
export const scaleOf = (meanExcess: number, shape: number): number => meanExcess * (1 - shape);
