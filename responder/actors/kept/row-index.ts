/**
 * Rows of a table by the hash of their key: open addressing in 256 segments by the hash's first byte, each of which grows by itself, so
 * that memory is what the rows need and no growth takes long. A place holds the row and, in the bits that are left, some of the
 * key: nearly every other row on the way is passed without a look at it.
 */
const SEGMENTS = 256;
const FIRST_PLACES = 16;
/** A segment fuller than this grows; linear probing then looks at three places of a known key (Knuth 6.4). */
const FULLEST = 0.75;
const GROWTH = 1.5;
/** Room beyond a fair share of all rows, before which a segment need not grow: five standard deviations of a thousand rows. */
const SLACK = 1.15;

export interface RowIndex {
  /** −1 when not there. */
  find(keyA: number, keyB: number): number;
  insert(keyA: number, keyB: number, row: number): void;
  /** One that was inserted under this key. */
  remove(keyB: number, row: number): void;
}

/** Keys of a row, as it was inserted. */
export interface RowKeys {
  keyA(row: number): number;
  keyB(row: number): number;
}

export function createRowIndex(maxRows: number, keys: RowKeys): RowIndex {
  const rowBits = Math.ceil(Math.log2(maxRows + 1));
  /** Of a place: row + 1; the bits above are the key's. 0 = empty. */
  const rowMask = rowBits >= 32 ? -1 : (1 << rowBits) - 1;
  const keyMask = ~rowMask;
  const fair = Math.max(FIRST_PLACES, Math.ceil((maxRows / SEGMENTS / FULLEST) * SLACK));
  const segments = Array.from({ length: SEGMENTS }, () => new Int32Array(0));
  const sizes = new Uint32Array(SEGMENTS);

  /** Where it belongs in a segment of this length, by the 24 bits that do not name the segment. */
  const homeOf = (keyB: number, length: number): number => Math.floor(((keyB & 0xffffff) * length) / 0x1000000);

  function place(segment: Int32Array, keyA: number, keyB: number, row: number): void {
    const { length } = segment;
    let at = homeOf(keyB, length);
    while (segment[at] !== 0) at = at + 1 === length ? 0 : at + 1;
    segment[at] = (keyA & keyMask) | (row + 1);
  }

  function grow(number: number): Int32Array {
    const before = segments[number]!;
    const wanted = Math.max(FIRST_PLACES, Math.ceil(before.length * GROWTH));
    const length = before.length < fair && wanted > fair ? fair : wanted;
    const segment = new Int32Array(length);
    for (let at = 0; at < before.length; at++) {
      if (before[at] === 0) continue;
      const row = (before[at]! & rowMask) - 1;
      place(segment, keys.keyA(row), keys.keyB(row), row);
    }
    segments[number] = segment;
    return segment;
  }

  return {
    find(keyA, keyB) {
      const segment = segments[keyB >>> 24]!;
      const { length } = segment;
      if (length === 0) return -1;
      for (let at = homeOf(keyB, length); ; at = at + 1 === length ? 0 : at + 1) {
        const held = segment[at]!;
        if (held === 0) return -1;
        if (((held ^ keyA) & keyMask) !== 0) continue;
        const row = (held & rowMask) - 1;
        if (keys.keyA(row) === keyA && keys.keyB(row) === keyB) return row;
      }
    },
    insert(keyA, keyB, row) {
      const number = keyB >>> 24;
      const size = sizes[number]! + 1;
      sizes[number] = size;
      const segment = segments[number]!;
      place(size > segment.length * FULLEST ? grow(number) : segment, keyA, keyB, row);
    },
    /** Without tombstones: what comes after moves up (Knuth 6.4, algorithm R). */
    remove(keyB, row) {
      const number = keyB >>> 24;
      const segment = segments[number]!;
      const { length } = segment;
      const next = (at: number): number => (at + 1 === length ? 0 : at + 1);
      const distance = (from: number, to: number): number => (to >= from ? to - from : to - from + length);
      let at = homeOf(keyB, length);
      while ((segment[at]! & rowMask) !== row + 1) at = next(at);
      for (let other = next(at); segment[other] !== 0; other = next(other)) {
        const home = homeOf(keys.keyB((segment[other]! & rowMask) - 1), length);
        if (distance(home, other) < distance(at, other)) continue;
        segment[at] = segment[other]!;
        at = other;
      }
      segment[at] = 0;
      sizes[number] = sizes[number]! - 1;
    },
  };
}
