/**
 * Parts of events taken lately: each counts once, however often a replay says it. Two generations of hashes; the older is forgotten. Kept
 * are 32 bits of a hash, in a place that 32 others choose: one part in half a billion is taken for another and not counted.
 */
import { hashInto } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

export interface RecentParts {
  /** True the first time. */
  takes(id: string, tag: number): boolean;
  readonly parts: PartSource;
}

/** Of a generation, at its end. */
const FULLEST = 2 / 3;

const lanes = new Uint32Array(2);

/** Remembers at least `most` parts, at most twice as many. */
export function createRecentParts(most: number, seed: number): RecentParts {
  const size = Math.ceil(most / FULLEST);
  /** Both generations of a place side by side: what is new is looked for in both. */
  const table = new Uint32Array(2 * size);
  const counts = new Uint32Array(2); // in use: which generation, how many
  /** Its place, or −1 − the place it would have. */
  const placeOf = (generation: number, a: number, b: number): number => {
    for (let at = 2 * Math.floor((b * size) / 0x1_0000_0000) + generation; ; ) {
      if (table[at] === 0) return -1 - at;
      if (table[at] === a) return at;
      at += 2;
      if (at >= table.length) at = generation;
    }
  };
  return {
    takes(id, tag) {
      hashInto(id, seed ^ Math.imul(tag + 1, 0x9e3779b1), lanes);
      const a = lanes[0]!;
      const b = lanes[1]!;
      const newer = counts[0]!;
      const place = placeOf(newer, a, b);
      if (place >= 0 || placeOf(1 - newer, a, b) >= 0) return false;
      table[-1 - place] = a;
      counts[1] = counts[1]! + 1;
      if (counts[1]! >= most) {
        counts[0] = 1 - newer;
        counts[1] = 0;
        for (let at = 1 - newer; at < table.length; at += 2) table[at] = 0;
      }
      return true;
    },
    parts: arraySource('recent', { table, counts }),
  };
}
