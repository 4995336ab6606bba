/**
 * Which requests are alike end to end: the entry operation and the set of calls made, counts ignored (DETECTION §0, §2).
 * A 53-bit number that is the same in every process: the distinct labels' hashes, added up in any order.
 */
import type { Segment } from '../../traces/segment.ts';

export interface FamilyReader {
  /** Of a segment's family. */
  read(segment: Segment): number;
}

const LOW = 2 ** 32;

export function createFamilyReader(): FamilyReader {
  /** Label id → number of the segment it was met in last. */
  let met = new Uint32Array(256);
  let current = 0;
  return {
    read({ spanCount, label, symbols }) {
      current = (current + 1) >>> 0;
      if (current === 0) {
        met.fill(0);
        current = 1;
      }
      let low = 0;
      let high = 0;
      for (let i = 0; i < spanCount; i++) {
        const id = label[i]!;
        if (id >= met.length) {
          const wider = new Uint32Array(2 * id + 2);
          wider.set(met);
          met = wider;
        } else if (met[id] === current) continue;
        met[id] = current;
        const hash = symbols.labelHash(id);
        const weight = i === 0 ? 0x9e3779b1 : 1; // the entry is not just one of the calls
        low = (low + Math.imul(hash | 0, weight)) | 0;
        high = (high + Math.imul((hash / 2097152) | 0, weight)) | 0;
      }
      return (high >>> 11) * LOW + (low >>> 0);
    },
  };
}
