/** How sure a rate is: the exact binomial interval, widened where what was counted comes in bursts. */

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
  const lower = count <= 0 ? 0 : solve((rate) => betaBelow(rate, count, of - count + 1) < 0.025);
  const upper = count >= of ? 1 : solve((rate) => betaBelow(rate, count + 1, of - count) < 0.975);
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

/** Regularised incomplete beta function I_x(a, b), by its continued fraction (Numerical Recipes, 6.4). */
function betaBelow(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(1 - x, b, a)) / b;
}

function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const kept = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m <= 500; m++) {
    for (const step of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / kept(1 + step * d);
      c = kept(1 + step / c);
      h *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-12) break;
  }
  return h;
}

/** Lanczos's approximation. */
function logGamma(x: number): number {
  const terms = [
    76.18009172947146, -86.5053203294167, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2,
    -0.5395239384953e-5,
  ];
  let sum = 1.000000000190015;
  for (const [i, term] of terms.entries()) sum += term / (x + i + 1);
  const t = x + 5.5;
  return (x + 0.5) * Math.log(t) - t + Math.log((Math.sqrt(2 * Math.PI) * sum) / x);
}
