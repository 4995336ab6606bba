/**
 * Judgements of values seen lately: most traffic repeats itself. A direct-mapped table over a ring of bytes, compared byte
 * by byte, so that a hit is the same value for certain and the memo can never change a verdict. Bounded: a slot or its
 * bytes are simply overwritten.
 */

const SLOTS = 1 << 14;
const RING_BYTES = 1 << 21;
/** Longer values are judged anew each time. */
export const MAX_MEMO_BYTES = 2_048;

/** From this length on comparing natively beats a loop. */
const NATIVE_BYTES = 64;

/**
 * Hash of at most 32 bytes of a value: all of a short one, else both ends and some between. Only where to look: whether it
 * is the same value is then decided byte by byte.
 */
export const sampleHash = (bytes: Uint8Array, start: number, end: number): number => {
  const length = end - start;
  let h = length;
  if (length <= 32) {
    for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  } else {
    for (let i = 0; i < 8; i++) {
      h = Math.imul(h ^ bytes[start + i]!, 0x01000193);
      h = Math.imul(h ^ bytes[end - 1 - i]!, 0x01000193);
    }
    const step = (length - 16) / 16;
    for (let i = 0; i < 16; i++) h = Math.imul(h ^ bytes[start + 8 + ((i * step) | 0)]!, 0x01000193);
  }
  return (h ^ (h >>> 15)) >>> 0;
};

export interface Memo {
  /** Whether (profile, value) is remembered; then `inverse`, `severity` and `remarkable` are its judgement. */
  find(profile: number, hash: number, bytes: Uint8Array, start: number, end: number): boolean;
  remember(
    profile: number,
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    inverse: number,
    severity: number,
    remarkable: boolean,
  ): void;
  inverse: number;
  severity: number;
  /** Deviates so much that it has to be explained. */
  remarkable: boolean;
}

// A slot is two rows of neighbours, not a place in each of seven columns: most lookups miss the processor's caches.
const INTEGERS = 4;
const PROFILE = 0;
const HASH = 1;
const LENGTH = 2;
const REMARKABLE = 3;
const FLOATS = 4;
const POSITION = 0;
const INVERSE = 1;
const SEVERITY = 2;

export const createMemo = (): Memo => {
  const integers = new Int32Array(SLOTS * INTEGERS).fill(-1);
  /** POSITION is one in an endless stream; its bytes are still in the ring while `written − POSITION ≤ RING_BYTES`. */
  const floats = new Float64Array(SLOTS * FLOATS);
  const ring = Buffer.alloc(RING_BYTES);
  let written = 0;
  const slotOf = (profile: number, hash: number): number => (hash ^ Math.imul(profile, 0x9e3779b1)) & (SLOTS - 1);
  const memo: Memo = {
    inverse: 1,
    severity: 0,
    remarkable: false,
    find(profile, hash, bytes, start, end) {
      const slot = slotOf(profile, hash);
      const row = slot * INTEGERS;
      const length = end - start;
      if (integers[row + PROFILE] !== profile || integers[row + HASH] !== (hash | 0)) return false;
      if (integers[row + LENGTH] !== length) return false;
      const at = slot * FLOATS;
      const position = floats[at + POSITION]!;
      if (written - position > RING_BYTES) return false;
      // Values never straddle the ring's end.
      const from = position % RING_BYTES;
      if (length >= NATIVE_BYTES) {
        if (ring.compare(bytes, start, end, from, from + length) !== 0) return false;
      } else {
        for (let i = 0; i < length; i++) if (ring[from + i] !== bytes[start + i]) return false;
      }
      memo.inverse = floats[at + INVERSE]!;
      memo.severity = floats[at + SEVERITY]!;
      memo.remarkable = integers[row + REMARKABLE] === 1;
      return true;
    },
    remember(profile, hash, bytes, start, end, inverse, severity, remarkable) {
      const length = end - start;
      if (length > MAX_MEMO_BYTES) return;
      const room = RING_BYTES - (written % RING_BYTES);
      if (room < length) written += room;
      const from = written % RING_BYTES;
      for (let i = 0; i < length; i++) ring[from + i] = bytes[start + i]!;
      const slot = slotOf(profile, hash);
      const row = slot * INTEGERS;
      integers[row + PROFILE] = profile;
      integers[row + HASH] = hash;
      integers[row + LENGTH] = length;
      integers[row + REMARKABLE] = remarkable ? 1 : 0;
      const at = slot * FLOATS;
      floats[at + POSITION] = written;
      floats[at + INVERSE] = inverse;
      floats[at + SEVERITY] = severity;
      written += length;
    },
  };
  return memo;
};
