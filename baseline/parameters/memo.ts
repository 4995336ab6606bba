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
  /** Slot of (profile, value), −1 when it is not remembered. */
  find(profile: number, hash: number, bytes: Uint8Array, start: number, end: number): number;
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
  readonly inverse: Float64Array;
  readonly severity: Float64Array;
  /** 1 = deviates so much that it has to be explained. */
  readonly remarkable: Uint8Array;
}

export const createMemo = (): Memo => {
  const profiles = new Int32Array(SLOTS).fill(-1);
  const hashes = new Uint32Array(SLOTS);
  const lengths = new Int32Array(SLOTS);
  /** Position in an endless stream; its bytes are still in the ring while `written − position ≤ RING_BYTES`. */
  const positions = new Float64Array(SLOTS);
  const ring = Buffer.alloc(RING_BYTES);
  let written = 0;
  const memo: Memo = {
    inverse: new Float64Array(SLOTS),
    severity: new Float64Array(SLOTS),
    remarkable: new Uint8Array(SLOTS),
    find(profile, hash, bytes, start, end) {
      const slot = (hash ^ Math.imul(profile, 0x9e3779b1)) & (SLOTS - 1);
      const length = end - start;
      if (profiles[slot] !== profile || hashes[slot] !== hash || lengths[slot] !== length) return -1;
      const position = positions[slot]!;
      if (written - position > RING_BYTES) return -1;
      // Values never straddle the ring's end.
      const from = position % RING_BYTES;
      if (length >= NATIVE_BYTES) return ring.compare(bytes, start, end, from, from + length) === 0 ? slot : -1;
      for (let i = 0; i < length; i++) if (ring[from + i] !== bytes[start + i]) return -1;
      return slot;
    },
    remember(profile, hash, bytes, start, end, inverse, severity, remarkable) {
      const length = end - start;
      if (length > MAX_MEMO_BYTES) return;
      const room = RING_BYTES - (written % RING_BYTES);
      if (room < length) written += room;
      const from = written % RING_BYTES;
      for (let i = 0; i < length; i++) ring[from + i] = bytes[start + i]!;
      const slot = (hash ^ Math.imul(profile, 0x9e3779b1)) & (SLOTS - 1);
      profiles[slot] = profile;
      hashes[slot] = hash;
      lengths[slot] = length;
      positions[slot] = written;
      memo.inverse[slot] = inverse;
      memo.severity[slot] = severity;
      memo.remarkable[slot] = remarkable ? 1 : 0;
      written += length;
    },
  };
  return memo;
};
