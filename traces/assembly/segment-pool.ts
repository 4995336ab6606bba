/**
 * Held segments: members, times, state. Two lists a partition thread through the columns, both in order of first offset:
 * all that are held, and those that have not settled.
 */
import type { SegmentSpans } from '../segment.ts';
import { createFreeList, grownFloat64, grownInt32, grownUint8 } from './columns.ts';

export const SegmentBits = {
  /** The first span is its entry. */
  decided: 0x01,
  closed: 0x02,
  /** Judged after the absence grace. */
  absent: 0x04,
  settled: 0x08,
  /** Spans came since it was last closed. */
  dirty: 0x10,
  truncated: 0x20,
  cyclic: 0x40,
  edgeAsked: 0x80,
} as const;

/** Row, timer entries and the last closed form; the columns of its spans are their own. */
export const SEGMENT_ROW_BYTES = 400;

export interface SegmentPool {
  trace: Int32Array;
  first: Int32Array;
  last: Int32Array;
  count: Int32Array;
  top: Int32Array;
  bits: Uint8Array;
  /** 1: has a span at or above the offset that was committed when its partition was taken over (see `resume`). */
  heard: Uint8Array;
  generation: Int32Array;
  firstOffset: Float64Array;
  /** Log-append times of the first record, of the top span's, and of the newest. */
  firstMs: Float64Array;
  topMs: Float64Array;
  lastMs: Float64Array;
  /** End of the top span by its own clock, 0 when out of range. */
  topEndMs: Float64Array;
  /** When it first closed; Infinity before. */
  closedMs: Float64Array;
  /** Due time of its live timer entry; Infinity without one. */
  scheduledMs: Float64Array;
  /** Held list, then unsettled list: before and after, −1 at the ends. */
  before: Int32Array;
  after: Int32Array;
  unsettledBefore: Int32Array;
  unsettledAfter: Int32Array;
  readonly lastClosed: (SegmentSpans | null)[];
  readonly used: number;
  take(): number;
  give(segment: number): void;
}

export function createSegmentPool(): SegmentPool {
  const rows = createFreeList(1024);
  const size0 = 1024;
  const pool: SegmentPool = {
    trace: new Int32Array(size0),
    first: new Int32Array(size0),
    last: new Int32Array(size0),
    count: new Int32Array(size0),
    top: new Int32Array(size0),
    bits: new Uint8Array(size0),
    heard: new Uint8Array(size0),
    generation: new Int32Array(size0),
    firstOffset: new Float64Array(size0),
    firstMs: new Float64Array(size0),
    topMs: new Float64Array(size0),
    lastMs: new Float64Array(size0),
    topEndMs: new Float64Array(size0),
    closedMs: new Float64Array(size0),
    scheduledMs: new Float64Array(size0),
    before: new Int32Array(size0),
    after: new Int32Array(size0),
    unsettledBefore: new Int32Array(size0),
    unsettledAfter: new Int32Array(size0),
    lastClosed: [],
    get used() {
      return rows.used;
    },
    take() {
      let row = rows.take();
      if (row < 0) {
        grow(rows.capacity * 2);
        row = rows.take();
      }
      pool.lastClosed[row] = null;
      return row;
    },
    give(segment) {
      pool.generation[segment]!++;
      pool.lastClosed[segment] = null;
      rows.give(segment);
    },
  };

  function grow(size: number): void {
    pool.trace = grownInt32(pool.trace, size);
    pool.first = grownInt32(pool.first, size);
    pool.last = grownInt32(pool.last, size);
    pool.count = grownInt32(pool.count, size);
    pool.top = grownInt32(pool.top, size);
    pool.bits = grownUint8(pool.bits, size);
    pool.heard = grownUint8(pool.heard, size);
    pool.generation = grownInt32(pool.generation, size);
    pool.firstOffset = grownFloat64(pool.firstOffset, size);
    pool.firstMs = grownFloat64(pool.firstMs, size);
    pool.topMs = grownFloat64(pool.topMs, size);
    pool.lastMs = grownFloat64(pool.lastMs, size);
    pool.topEndMs = grownFloat64(pool.topEndMs, size);
    pool.closedMs = grownFloat64(pool.closedMs, size);
    pool.scheduledMs = grownFloat64(pool.scheduledMs, size);
    pool.before = grownInt32(pool.before, size);
    pool.after = grownInt32(pool.after, size);
    pool.unsettledBefore = grownInt32(pool.unsettledBefore, size);
    pool.unsettledAfter = grownInt32(pool.unsettledAfter, size);
    rows.grown(size);
  }
  return pool;
}

/** The ends of a list of segments. */
export interface SegmentList {
  head: number;
  tail: number;
}

export const createSegmentList = (): SegmentList => ({ head: -1, tail: -1 });

export function appendTo(list: SegmentList, before: Int32Array, after: Int32Array, segment: number): void {
  before[segment] = list.tail;
  after[segment] = -1;
  if (list.tail >= 0) after[list.tail] = segment;
  else list.head = segment;
  list.tail = segment;
}

export function removeFrom(list: SegmentList, before: Int32Array, after: Int32Array, segment: number): void {
  const left = before[segment]!;
  const right = after[segment]!;
  if (left >= 0) after[left] = right;
  else list.head = right;
  if (right >= 0) before[right] = left;
  else list.tail = left;
}

/** Puts `segment`, which is not in the list, where `place` stands; `place` leaves the list. */
export function takePlace(
  list: SegmentList,
  before: Int32Array,
  after: Int32Array,
  segment: number,
  place: number,
): void {
  putBetween(list, before, after, segment, before[place]!, after[place]!);
}

function putBetween(
  list: SegmentList,
  before: Int32Array,
  after: Int32Array,
  segment: number,
  left: number,
  right: number,
): void {
  before[segment] = left;
  after[segment] = right;
  if (left >= 0) after[left] = segment;
  else list.head = segment;
  if (right >= 0) before[right] = segment;
  else list.tail = segment;
}

/** Inserts `segment` by its first offset, looking from `from` (or the tail) towards the head. */
export function insertSorted(
  list: SegmentList,
  before: Int32Array,
  after: Int32Array,
  firstOffset: Float64Array,
  segment: number,
  from: number,
): void {
  let left = from;
  while (left >= 0 && firstOffset[left]! > firstOffset[segment]!) left = before[left]!;
  putBetween(list, before, after, segment, left, left >= 0 ? after[left]! : list.head);
}
