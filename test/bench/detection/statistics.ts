/** The figures of detection: exact intervals, recall at a rate of false alarms, area under precision and recall. */

export interface Proportion {
  readonly hits: number;
  readonly of: number;
  readonly value: number;
  /** 95 % interval, Clopper–Pearson. */
  readonly low: number;
  readonly high: number;
}

export function proportion(hits: number, of: number): Proportion {
  const [low, high] = clopperPearson(hits, of);
  return { hits, of, value: of === 0 ? Number.NaN : hits / of, low, high };
}

/** Exact binomial interval (Clopper & Pearson 1934): quantiles of the beta distribution, by bisection. */
export function clopperPearson(hits: number, of: number, alpha = 0.05): readonly [number, number] {
  if (of === 0) return [0, 1];
  const low = hits === 0 ? 0 : solve((p) => betaCdf(p, hits, of - hits + 1), alpha / 2);
  const high = hits === of ? 1 : solve((p) => betaCdf(p, hits + 1, of - hits), 1 - alpha / 2);
  return [low, high];
}

function solve(rising: (p: number) => number, target: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) < target) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Regularised incomplete beta function, by its continued fraction (Numerical Recipes §6.4, Lentz's method). */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(1 - x, b, a)) / b;
}

function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let sum = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    sum *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    sum *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return sum;
}

/** Lanczos' approximation, good to 15 digits for x > 0. */
function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = 0.99999999999980993;
  for (const [i, coefficient] of coefficients.entries()) sum += coefficient / (x + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
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
