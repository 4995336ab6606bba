/** The held state of assembly, and the operations on it that know nothing of time: members, merging, freeing. */
import { createRecordPool, type RecordPool } from './record-pool.ts';
import {
  appendTo,
  createSegmentPool,
  insertSorted,
  removeFrom,
  SEGMENT_ROW_BYTES,
  SegmentBits,
  type SegmentList,
  type SegmentPool,
  takePlace,
} from './segment-pool.ts';
import { createSpanPool, SPAN_ROW_BYTES, type SpanPool } from './span-pool.ts';
import type { Timers } from './timers.ts';
import { createTraceTable, type TraceTable } from './trace-table.ts';

/** One partition's stream time, timers and lists. */
export interface PartitionState {
  readonly partition: number;
  nowMs: number;
  readonly timers: Timers;
  readonly held: SegmentList;
  readonly unsettled: SegmentList;
  /** Segments that begin below were judged and made durable by an earlier owner: they are assembled without a word. */
  silentBelow: number;
}

export interface Store {
  readonly spans: SpanPool;
  readonly segments: SegmentPool;
  readonly records: RecordPool;
  readonly traces: TraceTable;
  heldBytes(): number;
  /** A segment of one span, in the lists of its partition, not decided. */
  open(state: PartitionState, span: number, offset: number, appendMs: number, endMs: number): number;
  addMember(segment: number, span: number): void;
  /**
   * Merges the segment under a waiting top into its parent's; the larger row is kept, so that a span changes its row at
   * most log2(n) times. State and entry are the parent's. Returns the row kept.
   */
  merge(state: PartitionState, parent: number, child: number): number;
  /** Frees the segment and its spans. */
  free(state: PartitionState, segment: number): void;
}

export function createStore(): Store {
  const spans = createSpanPool();
  const segments = createSegmentPool();
  const records = createRecordPool();
  const traces = createTraceTable();

  function appendMembers(into: number, from: number): void {
    for (let span = segments.first[from]!; span >= 0; span = spans.nextMember[span]!) spans.segment[span] = into;
    spans.nextMember[segments.last[into]!] = segments.first[from]!;
    segments.last[into] = segments.last[from]!;
    segments.count[into]! += segments.count[from]!;
  }

  function mergeLists(state: PartitionState, kept: number, gone: number, keptIsOlder: boolean): void {
    const { before, after } = segments;
    if (keptIsOlder) removeFrom(state.held, before, after, gone);
    else {
      removeFrom(state.held, before, after, kept);
      takePlace(state.held, before, after, kept, gone);
    }
  }

  /** `settled`: of the merged segment. Bits of both rows are as they were. */
  function mergeUnsettled(
    state: PartitionState,
    kept: number,
    gone: number,
    keptIsOlder: boolean,
    settled: boolean,
  ): void {
    const { unsettledBefore: before, unsettledAfter: after } = segments;
    const list = state.unsettled;
    const keptIn = (segments.bits[kept]! & SegmentBits.settled) === 0;
    const goneIn = (segments.bits[gone]! & SegmentBits.settled) === 0;
    if (!settled && keptIsOlder && keptIn) {
      if (goneIn) removeFrom(list, before, after, gone);
      return;
    }
    if (!settled && !keptIsOlder && goneIn) {
      if (keptIn) removeFrom(list, before, after, kept);
      takePlace(list, before, after, kept, gone);
      return;
    }
    if (keptIn) removeFrom(list, before, after, kept);
    if (goneIn) removeFrom(list, before, after, gone);
    if (!settled) {
      segments.firstOffset[kept] = Math.min(segments.firstOffset[kept]!, segments.firstOffset[gone]!);
      insertSorted(list, before, after, segments.firstOffset, kept, list.tail);
    }
  }

  return {
    spans,
    segments,
    records,
    traces,
    heldBytes: () => records.heldBytes + spans.used * SPAN_ROW_BYTES + segments.used * SEGMENT_ROW_BYTES,
    open(state, span, offset, appendMs, endMs) {
      const segment = segments.take();
      const trace = spans.trace[span]!;
      segments.trace[segment] = trace;
      segments.first[segment] = span;
      segments.last[segment] = span;
      segments.count[segment] = 1;
      segments.top[segment] = span;
      segments.bits[segment] = 0;
      segments.heard[segment] = 0;
      segments.firstOffset[segment] = offset;
      segments.firstMs[segment] = appendMs;
      segments.topMs[segment] = appendMs;
      segments.lastMs[segment] = appendMs;
      segments.topEndMs[segment] = endMs;
      segments.closedMs[segment] = Number.POSITIVE_INFINITY;
      segments.scheduledMs[segment] = Number.POSITIVE_INFINITY;
      spans.segment[span] = segment;
      spans.nextMember[span] = -1;
      traces.held[trace]!++;
      traces.open[trace]!++;
      traces.undecided[trace]!++;
      appendTo(state.held, segments.before, segments.after, segment);
      appendTo(state.unsettled, segments.unsettledBefore, segments.unsettledAfter, segment);
      return segment;
    },
    addMember(segment, span) {
      spans.segment[span] = segment;
      spans.nextMember[span] = -1;
      spans.nextMember[segments.last[segment]!] = span;
      segments.last[segment] = span;
      segments.count[segment]!++;
    },
    merge(state, parent, child) {
      const kept = segments.count[parent]! >= segments.count[child]! ? parent : child;
      const gone = kept === parent ? child : parent;
      const trace = segments.trace[parent]!;
      const parentBits = segments.bits[parent]!;
      const childBits = segments.bits[child]!;
      const keptIsOlder = segments.firstOffset[kept]! <= segments.firstOffset[gone]!;
      const older = keptIsOlder ? kept : gone;
      traces.held[trace]!--;
      if ((childBits & SegmentBits.closed) === 0) traces.open[trace]!--;
      if ((childBits & SegmentBits.decided) === 0) traces.undecided[trace]!--;
      else traces.entries[trace]!--;
      mergeUnsettled(state, kept, gone, keptIsOlder, (parentBits & SegmentBits.settled) !== 0);
      mergeLists(state, kept, gone, keptIsOlder);
      appendMembers(kept, gone);
      const firstOffset = segments.firstOffset[older]!;
      const firstMs = segments.firstMs[older]!;
      segments.top[kept] = segments.top[parent]!;
      segments.topMs[kept] = segments.topMs[parent]!;
      segments.topEndMs[kept] = segments.topEndMs[parent]!;
      segments.lastClosed[kept] = segments.lastClosed[parent]!;
      segments.firstOffset[kept] = firstOffset;
      segments.firstMs[kept] = firstMs;
      segments.lastMs[kept] = Math.max(segments.lastMs[kept]!, segments.lastMs[gone]!);
      // The time to forget runs on, so that no chain of late parents holds spans for ever.
      segments.closedMs[kept] = Math.min(segments.closedMs[kept]!, segments.closedMs[gone]!);
      segments.bits[kept] = parentBits | (childBits & SegmentBits.truncated);
      segments.heard[kept]! |= segments.heard[gone]!;
      segments.give(gone);
      return kept;
    },
    free(state, segment) {
      const trace = segments.trace[segment]!;
      const bits = segments.bits[segment]!;
      for (let span = segments.first[segment]!; span >= 0; ) {
        const next = spans.nextMember[span]!;
        spans.unwait(span);
        spans.unindex(span);
        records.release(spans.record[span]!);
        spans.give(span);
        span = next;
      }
      removeFrom(state.held, segments.before, segments.after, segment);
      if ((bits & SegmentBits.settled) === 0) {
        removeFrom(state.unsettled, segments.unsettledBefore, segments.unsettledAfter, segment);
      }
      if ((bits & SegmentBits.closed) === 0) traces.open[trace]!--;
      if ((bits & SegmentBits.decided) === 0) traces.undecided[trace]!--;
      else traces.entries[trace]!--;
      if (--traces.held[trace]! === 0) traces.give(trace);
      segments.give(segment);
    },
  };
}
