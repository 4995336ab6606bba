/** Parts of events taken lately: each counts once, however often a replay says it. Two generations of hashes; the older is forgotten. */
import { hashInto } from './hash.ts';
import { arraySource, type PartSource } from './parts.ts';

export interface RecentParts {
  /** True the first time. */
  takes(id: string, tag: number): boolean;
  readonly parts: PartSource;
}

const lanes = new Uint32Array(2);

/** Remembers at least `most` parts, at most twice as many. */
export function createRecentParts(most: number, seed: number): RecentParts {
  let log2 = 8;
  while (1 << log2 < most * 1.6) log2++;
  const size = 1 << log2;
  const mask = size - 1;
  const generations = [new Uint32Array(2 * size), new Uint32Array(2 * size)] as const;
  const counts = new Uint32Array(2); // in use: which generation, how many
  const has = (table: Uint32Array, a: number, b: number): number => {
    for (let at = b & mask; ; at = (at + 1) & mask) {
      if (table[2 * at] === 0) return -1 - at;
      if (table[2 * at] === a && table[2 * at + 1] === b) return at;
    }
  };
  return {
    takes(id, tag) {
      hashInto(id, seed ^ Math.imul(tag + 1, 0x9e3779b1), lanes);
      const a = lanes[0]!;
      const b = lanes[1]!;
      const newer = generations[counts[0]! as 0 | 1];
      const place = has(newer, a, b);
      if (place >= 0) return false;
      if (has(generations[(1 - counts[0]!) as 0 | 1], a, b) >= 0) return false;
      const at = -1 - place;
      newer[2 * at] = a;
      newer[2 * at + 1] = b;
      counts[1] = counts[1]! + 1;
      if (counts[1]! >= most) {
        counts[0] = 1 - counts[0]!;
        counts[1] = 0;
        generations[counts[0]! as 0 | 1].fill(0);
      }
      return true;
    },
    parts: arraySource('recent', { first: generations[0], second: generations[1], counts }),
  };
}
