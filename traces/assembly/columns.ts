/** Growing typed-array columns with a free list: rows are handed out and given back, nothing is allocated per row. */

export interface FreeList {
  /** Rows in use. */
  used: number;
  capacity: number;
  /** A free row, −1 when all are in use: then the caller grows its columns and calls `grown`. */
  take(): number;
  give(row: number): void;
  grown(capacity: number): void;
}

export function createFreeList(capacity: number): FreeList {
  let next = new Int32Array(capacity);
  let first = -1;
  let fresh = 0;
  const list: FreeList = {
    used: 0,
    capacity,
    take() {
      let row = first;
      if (row >= 0) first = next[row]!;
      else if (fresh < list.capacity) row = fresh++;
      else return -1;
      list.used++;
      return row;
    },
    give(row) {
      next[row] = first;
      first = row;
      list.used--;
    },
    grown(larger) {
      const longer = new Int32Array(larger);
      longer.set(next);
      next = longer;
      list.capacity = larger;
    },
  };
  return list;
}

export function grownInt32(from: Int32Array, size: number): Int32Array {
  const to = new Int32Array(size);
  to.set(from);
  return to;
}

export function grownUint32(from: Uint32Array, size: number): Uint32Array {
  const to = new Uint32Array(size);
  to.set(from);
  return to;
}

export function grownUint8(from: Uint8Array, size: number): Uint8Array {
  const to = new Uint8Array(size);
  to.set(from);
  return to;
}

export function grownFloat64(from: Float64Array, size: number): Float64Array {
  const to = new Float64Array(size);
  to.set(from);
  return to;
}
