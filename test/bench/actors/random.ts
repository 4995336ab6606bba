/** Seeded randomness of the simulation: uniform (mulberry32) and gamma with mean 1 (Marsaglia & Tsang 2000). */
export interface Random {
  next(): number;
  below(n: number): number;
  /** Mean 1; the smaller the shape, the more skewed. */
  gamma(shape: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const gammaOf = (shape: number): number => {
    if (shape < 1) return gammaOf(shape + 1) * next() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  return { next, below: (n) => Math.floor(n * next()), gamma: (shape) => gammaOf(shape) / shape };
}
