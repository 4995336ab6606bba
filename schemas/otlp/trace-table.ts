/** Trace ids to small row numbers, without strings: open addressing over the ids' four words. Emptied for each request. */

export interface TraceTable {
  /** Rows in use: 0 … count − 1. */
  readonly count: number;
  /** Row of the trace whose 16 bytes lie at `at`, a new one when unseen. */
  rowOf(bytes: Uint8Array, at: number): number;
  /** Where the id of a row lies, in the bytes it was first seen in. */
  idAt(row: number): number;
  reset(): void;
}

const FIRST_ROWS = 256;
const FIRST_SLOTS = 1_024;
/** A table grown by one large request is not kept: emptying it for each small one would cost more than growing again. */
const KEPT_SLOTS = 65_536;
/** Words of the id, then where it lies. */
const STRIDE = 5;

/** `seed` keeps senders from choosing ids that collide. */
export function createTraceTable(seed: number): TraceTable {
  let rows = new Int32Array(FIRST_ROWS * STRIDE);
  /** Row + 1, 0 = free; at most half full. */
  let slots = new Int32Array(FIRST_SLOTS);
  let count = 0;

  function growSlots(): void {
    slots = new Int32Array(slots.length * 4);
    for (let row = 0; row < count; row++) {
      const i = row * STRIDE;
      let slot = hashOf(rows[i]!, rows[i + 1]!, rows[i + 2]!, rows[i + 3]!, seed) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = row + 1;
    }
  }

  return {
    get count() {
      return count;
    },
    idAt: (row) => rows[row * STRIDE + 4]!,
    rowOf(bytes, at) {
      const a = wordAt(bytes, at);
      const b = wordAt(bytes, at + 4);
      const c = wordAt(bytes, at + 8);
      const d = wordAt(bytes, at + 12);
      let slot = hashOf(a, b, c, d, seed) & (slots.length - 1);
      for (;;) {
        const row = slots[slot]! - 1;
        if (row < 0) break;
        const i = row * STRIDE;
        if (rows[i + 3] === d && rows[i + 2] === c && rows[i + 1] === b && rows[i] === a) return row;
        slot = (slot + 1) & (slots.length - 1);
      }
      if ((count + 1) * STRIDE > rows.length) {
        const larger = new Int32Array(rows.length * 2);
        larger.set(rows);
        rows = larger;
      }
      const row = count++;
      const i = row * STRIDE;
      rows[i] = a;
      rows[i + 1] = b;
      rows[i + 2] = c;
      rows[i + 3] = d;
      rows[i + 4] = at;
      slots[slot] = row + 1;
      if (count * 2 > slots.length) growSlots();
      return row;
    },
    reset() {
      count = 0;
      if (slots.length > KEPT_SLOTS) slots = new Int32Array(FIRST_SLOTS);
      else slots.fill(0);
    },
  };
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/** 32-bit mix of a trace id (murmur3's constants and finaliser). */
function hashOf(a: number, b: number, c: number, d: number, seed: number): number {
  let h = Math.imul(a ^ seed, 0xcc9e2d51);
  h = Math.imul(((h << 13) | (h >>> 19)) ^ b, 0x1b873593);
  h = Math.imul(((h << 13) | (h >>> 19)) ^ c, 0x85ebca6b);
  h = Math.imul(((h << 13) | (h >>> 19)) ^ d, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
