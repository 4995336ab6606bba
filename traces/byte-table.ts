/**
 * A hash table from byte strings to dense ids, without making strings: bytes are hashed in place and compared with the
 * stored copy, so a hit is exact. Ids count up from 0 in order of arrival; the table never removes one by one, `clear`
 * empties it whole (for bounded caches).
 */

export interface ByteTable {
  /** Id of the bytes, or −1. Leaves their hash behind for an `add` of the same range. */
  find(bytes: Uint8Array, start: number, end: number): number;
  /** Adds bytes that `find` did not know; the id, or −1 when the table is full. */
  add(bytes: Uint8Array, start: number, end: number): number;
  clear(): void;
  readonly size: number;
}

export interface ByteTableOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

// cyrb53 (bryc, public domain): two 32-bit lanes over the bytes, cross-mixed at the end. Not a secret hash: every use
// either compares the bytes or tolerates a collision.
let high = 0;
let low = 0;

function hash(bytes: Uint8Array, start: number, end: number): void {
  let h1 = 0xdeadbeef;
  let h2 = 0x41c6ce57;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    h1 = Math.imul(h1 ^ byte, 2654435761);
    h2 = Math.imul(h2 ^ byte, 1597334677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  high = h2 >>> 0;
  low = h1 >>> 0;
}

/** 53-bit hash of bytes, the same in every process. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  hash(bytes, start, end);
  return (high & 0x1fffff) * 4294967296 + low;
}

const encoder = new TextEncoder();

/** 53-bit hash of a text's UTF-8 bytes, the same in every process. */
export function hashText(text: string): number {
  const bytes = encoder.encode(text);
  return hashBytes(bytes, 0, bytes.length);
}

export function createByteTable(options: ByteTableOptions): ByteTable {
  const { maxEntries, maxBytes } = options;
  let mask = 1023;
  /** Entry + 1 by slot, 0 = empty; linear probing. */
  let slots = new Int32Array(mask + 1);
  let hashes = new Uint32Array(512);
  let starts = new Int32Array(513);
  let arena = new Uint8Array(16_384);
  let size = 0;

  function grow(): void {
    mask = mask * 2 + 1;
    slots = new Int32Array(mask + 1);
    const wider = new Uint32Array(hashes.length * 2);
    wider.set(hashes);
    hashes = wider;
    const longer = new Int32Array(wider.length + 1);
    longer.set(starts);
    starts = longer;
    for (let id = 0; id < size; id++) {
      let slot = hashes[id]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    }
  }

  function equal(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = starts[id]!;
    if (starts[id + 1]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (arena[at++] !== bytes[i]) return false;
    return true;
  }

  return {
    find(bytes, start, end) {
      hash(bytes, start, end);
      const wanted = low;
      let slot = wanted & mask;
      for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
        if (hashes[entry - 1] === wanted && equal(entry - 1, bytes, start, end)) return entry - 1;
        slot = (slot + 1) & mask;
      }
      return -1;
    },
    add(bytes, start, end) {
      const at = starts[size]!;
      const length = end - start;
      if (size >= maxEntries || at + length > maxBytes) return -1;
      if (size >= hashes.length) grow();
      if (at + length > arena.length) {
        const larger = new Uint8Array(Math.max(arena.length * 2, at + length));
        larger.set(arena);
        arena = larger;
      }
      for (let i = 0; i < length; i++) arena[at + i] = bytes[start + i]!;
      hash(bytes, start, end);
      hashes[size] = low;
      starts[size + 1] = at + length;
      let slot = low & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = size + 1;
      return size++;
    },
    clear() {
      slots.fill(0);
      size = 0;
    },
    get size() {
      return size;
    },
  };
}
