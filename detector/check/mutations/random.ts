/** Seeded random numbers: the same seed plants the same anomalies (mulberry32, T. Ettinger, public domain). */

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer in [0, limit); 0 where the limit is below 1. */
  below(limit: number): number;
  /** One of them, each as likely; undefined of none. */
  of<T>(items: readonly T[]): T | undefined;
}

export function createRandom(seed: number): Random {
  let state = (seed * 0x9e3779b1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, of: (items) => items[below(items.length)] };
}
