/**
 * Held spans: ids, places in their records, and two hash indexes by (trace, id): which span has this id, and which spans
 * wait for a parent of this id. Chains are threaded through the columns, so that a span is a row and nothing else.
 */
import { createFreeList, grownInt32, grownUint8, grownUint32 } from './columns.ts';

export const SpanBits = {
  kind: 0x07,
  remoteKnown: 0x08,
  remote: 0x10,
  links: 0x20,
  root: 0x40,
  waiting: 0x80,
} as const;

/** Bytes of a row in all columns and both indexes. */
export const SPAN_ROW_BYTES = 4 * 18 + 1 + 8;

export interface SpanPool {
  idHigh: Uint32Array;
  idLow: Uint32Array;
  parentHigh: Uint32Array;
  parentLow: Uint32Array;
  trace: Int32Array;
  segment: Int32Array;
  /** Next span of the same segment, −1 at the end. */
  nextMember: Int32Array;
  record: Int32Array;
  resourceStart: Int32Array;
  resourceEnd: Int32Array;
  scopeStart: Int32Array;
  scopeEnd: Int32Array;
  spanStart: Int32Array;
  spanEnd: Int32Array;
  bits: Uint8Array;
  readonly used: number;
  take(): number;
  give(span: number): void;
  /** Span of the trace with this id, −1 when there is none. */
  find(trace: number, high: number, low: number): number;
  index(span: number): void;
  unindex(span: number): void;
  /** The span waits for its parent. */
  wait(span: number): void;
  unwait(span: number): void;
  /** A span of the trace that waits for this parent, −1 when there is none. */
  waiting(trace: number, high: number, low: number): number;
}

export function createSpanPool(): SpanPool {
  const rows = createFreeList(4096);
  let mask = 8191;
  /** Row + 1 by bucket. */
  let idHeads = new Int32Array(mask + 1);
  let waitHeads = new Int32Array(mask + 1);
  let idNext = new Int32Array(4096);
  let waitNext = new Int32Array(4096);
  let waitBefore = new Int32Array(4096);

  const bucketOf = (trace: number, high: number, low: number): number => {
    const h = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(trace, 0xc2b2ae35);
    return (h ^ (h >>> 15)) & mask;
  };

  function grow(): void {
    const size = rows.capacity * 2;
    pool.idHigh = grownUint32(pool.idHigh, size);
    pool.idLow = grownUint32(pool.idLow, size);
    pool.parentHigh = grownUint32(pool.parentHigh, size);
    pool.parentLow = grownUint32(pool.parentLow, size);
    pool.trace = grownInt32(pool.trace, size);
    pool.segment = grownInt32(pool.segment, size);
    pool.nextMember = grownInt32(pool.nextMember, size);
    pool.record = grownInt32(pool.record, size);
    pool.resourceStart = grownInt32(pool.resourceStart, size);
    pool.resourceEnd = grownInt32(pool.resourceEnd, size);
    pool.scopeStart = grownInt32(pool.scopeStart, size);
    pool.scopeEnd = grownInt32(pool.scopeEnd, size);
    pool.spanStart = grownInt32(pool.spanStart, size);
    pool.spanEnd = grownInt32(pool.spanEnd, size);
    pool.bits = grownUint8(pool.bits, size);
    const oldHeads = idHeads;
    const oldWaiting = waitHeads;
    const oldNext = idNext;
    const oldWaitNext = waitNext;
    mask = size * 2 - 1;
    idHeads = new Int32Array(mask + 1);
    waitHeads = new Int32Array(mask + 1);
    idNext = new Int32Array(size);
    waitNext = new Int32Array(size);
    waitBefore = new Int32Array(size);
    rows.grown(size);
    for (const head of oldHeads) for (let at = head; at !== 0; at = oldNext[at - 1]!) pool.index(at - 1);
    for (const head of oldWaiting) for (let at = head; at !== 0; at = oldWaitNext[at - 1]!) pool.wait(at - 1);
  }

  const pool: SpanPool = {
    idHigh: new Uint32Array(4096),
    idLow: new Uint32Array(4096),
    parentHigh: new Uint32Array(4096),
    parentLow: new Uint32Array(4096),
    trace: new Int32Array(4096),
    segment: new Int32Array(4096),
    nextMember: new Int32Array(4096),
    record: new Int32Array(4096),
    resourceStart: new Int32Array(4096),
    resourceEnd: new Int32Array(4096),
    scopeStart: new Int32Array(4096),
    scopeEnd: new Int32Array(4096),
    spanStart: new Int32Array(4096),
    spanEnd: new Int32Array(4096),
    bits: new Uint8Array(4096),
    get used() {
      return rows.used;
    },
    take() {
      const row = rows.take();
      if (row >= 0) return row;
      grow();
      return rows.take();
    },
    give: (span) => rows.give(span),
    find(trace, high, low) {
      for (let at = idHeads[bucketOf(trace, high, low)]!; at !== 0; at = idNext[at - 1]!) {
        const row = at - 1;
        if (pool.idLow[row] === low && pool.idHigh[row] === high && pool.trace[row] === trace) return row;
      }
      return -1;
    },
    index(span) {
      const bucket = bucketOf(pool.trace[span]!, pool.idHigh[span]!, pool.idLow[span]!);
      idNext[span] = idHeads[bucket]!;
      idHeads[bucket] = span + 1;
    },
    unindex(span) {
      const bucket = bucketOf(pool.trace[span]!, pool.idHigh[span]!, pool.idLow[span]!);
      let at = idHeads[bucket]!;
      if (at === span + 1) {
        idHeads[bucket] = idNext[span]!;
        return;
      }
      while (idNext[at - 1] !== span + 1) at = idNext[at - 1]!;
      idNext[at - 1] = idNext[span]!;
    },
    // Doubly linked: many thousand spans may wait for one parent that never comes (one traceparent used by everybody).
    wait(span) {
      const bucket = bucketOf(pool.trace[span]!, pool.parentHigh[span]!, pool.parentLow[span]!);
      const after = waitHeads[bucket]!;
      waitNext[span] = after;
      waitBefore[span] = 0;
      if (after !== 0) waitBefore[after - 1] = span + 1;
      waitHeads[bucket] = span + 1;
      pool.bits[span]! |= SpanBits.waiting;
    },
    unwait(span) {
      if ((pool.bits[span]! & SpanBits.waiting) === 0) return;
      pool.bits[span]! &= ~SpanBits.waiting;
      const before = waitBefore[span]!;
      const after = waitNext[span]!;
      if (after !== 0) waitBefore[after - 1] = before;
      if (before !== 0) waitNext[before - 1] = after;
      else waitHeads[bucketOf(pool.trace[span]!, pool.parentHigh[span]!, pool.parentLow[span]!)] = after;
    },
    waiting(trace, high, low) {
      for (let at = waitHeads[bucketOf(trace, high, low)]!; at !== 0; at = waitNext[at - 1]!) {
        const row = at - 1;
        if (pool.parentLow[row] === low && pool.parentHigh[row] === high && pool.trace[row] === trace) return row;
      }
      return -1;
    },
  };
  return pool;
}
