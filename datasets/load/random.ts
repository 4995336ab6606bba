/** Seeded randomness: every choice of the demo's world comes from here, so that a seed gives the same run again. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, below). */
  below(below: number): number;
  /** Uniform integer in [from, to]. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** Picks by weight. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T;
  /** Index in [0, count) with probability falling as 1 / (index + 1): what is popular stays popular. */
  zipf(count: number): number;
  /** Waiting time to the next of events that come at `rate` a second, in milliseconds (exponential). */
  waitMs(rate: number): number;
  /** A stream of its own that does not shift this one. */
  fork(name: string): Random;
}

/** mulberry32 over a seed mixed with FNV-1a of a stream's name. */
export function createRandom(seed: number, name = ''): Random {
  const base = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ hashText(name)) >>> 0;
  let state = base;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const random: Random = {
    next,
    below: (below) => Math.floor(next() * below),
    between: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)]!,
    weighted(choices) {
      let total = 0;
      for (const [, weight] of choices) total += weight;
      let at = next() * total;
      for (const [value, weight] of choices) {
        at -= weight;
        if (at < 0) return value;
      }
      return choices[choices.length - 1]![0];
    },
    // Inverse of the continuous 1/x distribution over [1, count + 1).
    zipf: (count) => Math.min(count - 1, Math.floor((count + 1) ** next()) - 1),
    waitMs: (rate) => (-Math.log(1 - next()) / rate) * 1000,
    fork: (stream) => createRandom(base, stream),
  };
  return random;
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
