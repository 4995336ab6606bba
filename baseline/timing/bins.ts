/**
 * The scale of durations: log2 with 8 bins an octave, softened below 16 µs, where clocks and scheduling make the noise
 * (a self time of 0 ns and one of 2 µs are the same for our purpose, though octaves apart).
 */

const SOFT_NS = 16_384;
const LOWEST = 14; // log2 of SOFT_NS
const PER_OCTAVE = 8;
export const BIN_COUNT = (52 - LOWEST) * PER_OCTAVE;

/** Softened octaves of a duration: 0 for nothing, growing by 1 a doubling. */
export const octavesOf = (ns: number): number => (ns > 0 ? Math.log2(ns + SOFT_NS) - LOWEST : 0);

export const binOf = (octaves: number): number => {
  const bin = (octaves * PER_OCTAVE) | 0;
  return bin < BIN_COUNT ? bin : BIN_COUNT - 1;
};

/** Lower edge of a bin, in octaves. */
export const octavesAt = (bin: number): number => bin / PER_OCTAVE;

/** Duration at so many softened octaves. */
export const nsAt = (octaves: number): number => Math.max(0, 2 ** (octaves + LOWEST) - SOFT_NS);
