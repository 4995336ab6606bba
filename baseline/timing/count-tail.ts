/** P(X ≥ k) of a count that varies more than Poisson: negative binomial with the given mean and variance/mean. */

export function countTail(k: number, mean: number, dispersion: number): number {
  if (k <= 0) return 1;
  if (!(mean > 0)) return 0;
  return dispersion <= 1.01 ? poissonTail(k, mean) : negativeBinomialTail(k, mean, dispersion);
}

function poissonTail(k: number, mean: number): number {
  return sumFrom(k, k * Math.log(mean) - mean - logFactorial(k), (i) => mean / (i + 1), mean);
}

function negativeBinomialTail(k: number, mean: number, dispersion: number): number {
  const size = mean / (dispersion - 1);
  const logQ = Math.log(1 - 1 / dispersion);
  const first = logGamma(k + size) - logGamma(size) - logFactorial(k) - size * Math.log(dispersion) + k * logQ;
  return sumFrom(k, first, (i) => ((i + size) / (i + 1)) * (1 - 1 / dispersion), mean);
}

/** Sums probabilities from k up when k is beyond the mean, else 1 − those below are not needed: close to 1. */
function sumFrom(k: number, logFirst: number, ratio: (i: number) => number, mean: number): number {
  let term = Math.exp(logFirst);
  let sum = term;
  for (let i = k; i < k + 10_000; i++) {
    term *= ratio(i);
    sum += term;
    if (i > mean && term < 1e-12 * sum) break;
  }
  return Math.min(1, sum);
}

const logFactorial = (n: number): number => logGamma(n + 1);

/** Lanczos (g = 7, n = 9), relative error < 1e-13 for x > 0. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
