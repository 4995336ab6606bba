/** The held state of assembly, and the operations on it that know nothing of time: members, merging, freeing, closed forms. */

import { SpanKind } from '../../schemas/otlp/fields.ts';
import { createSpanHead, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { hexOfPair } from '../../schemas/otlp/text.ts';
import { type EntryReason, PLACE_STRIDE, type SegmentSpans } from '../segment.ts';
import type { SpanPlace } from './contract.ts';
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
import { createSpanPool, SPAN_ROW_BYTES, SpanBits, type SpanPool } from './span-pool.ts';
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
  reasonOf(segment: number): EntryReason;
  placeOf(span: number): SpanPlace;
  /** In a ring of parents: makes the earliest member of the ring the top. */
  chooseTop(segment: number): void;
  toSpans(segment: number, partition: number): SegmentSpans;
  /** The top of each held segment of the trace, the oldest first, by itself; at most 1,024. */
  topsOf(state: PartitionState, trace: number): SegmentSpans[];
}

const MAX_TOPS = 1_024;

export function createStore(): Store {
  const spans = createSpanPool();
  const segments = createSegmentPool();
  const records = createRecordPool();
  const traces = createTraceTable();
  const head = createSpanHead();
  let stamp = 0;

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

  function isAsynchronous(segment: number): boolean {
    const bits = spans.bits[segments.top[segment]!]!;
    const kind = bits & SpanBits.kind;
    if (kind === SpanKind.consumer) return true;
    if ((bits & SpanBits.root) === 0 || kind === SpanKind.server) return false;
    if ((bits & SpanBits.links) !== 0) return true;
    // A batch: the root receives, and its CONSUMER children link to where each message came from.
    for (let span = segments.first[segment]!; span >= 0; span = spans.nextMember[span]!) {
      if ((spans.bits[span]! & SpanBits.kind) === SpanKind.consumer) return true;
    }
    return false;
  }

  function startsBefore(a: number, b: number): boolean {
    const time = (span: number): [number, number] => {
      readSpanHead(records.bytes[spans.record[span]!]!, spans.spanStart[span]!, spans.spanEnd[span]!, head);
      return [head.startHigh, head.startLow];
    };
    const [aHigh, aLow] = time(a);
    const [bHigh, bLow] = time(b);
    if (aHigh !== bHigh) return aHigh < bHigh;
    if (aLow !== bLow) return aLow < bLow;
    return spans.idHigh[a] === spans.idHigh[b]
      ? spans.idLow[a]! < spans.idLow[b]!
      : spans.idHigh[a]! < spans.idHigh[b]!;
  }

  const store: Store = {
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
    placeOf: (span) => ({
      bytes: records.bytes[spans.record[span]!]!,
      resourceStart: spans.resourceStart[span]!,
      resourceEnd: spans.resourceEnd[span]!,
      spanStart: spans.spanStart[span]!,
      spanEnd: spans.spanEnd[span]!,
    }),
    reasonOf(segment) {
      const bits = spans.bits[segments.top[segment]!]!;
      const kind = bits & SpanBits.kind;
      if ((bits & SpanBits.root) !== 0) return 'root';
      const local = (bits & SpanBits.remoteKnown) !== 0 && (bits & SpanBits.remote) === 0;
      if (kind === SpanKind.consumer && !local) return 'consumer';
      if ((segments.bits[segment]! & SegmentBits.cyclic) !== 0) return 'orphan';
      if ((bits & SpanBits.remote) !== 0) return 'remote';
      if (!local && (kind === SpanKind.server || kind === SpanKind.unspecified)) return 'parent-missing';
      return 'orphan';
    },
    chooseTop(segment) {
      const trace = segments.trace[segment]!;
      const start = segments.top[segment]!;
      let best = start;
      const parentOf = (span: number): number => spans.find(trace, spans.parentHigh[span]!, spans.parentLow[span]!);
      for (let span = parentOf(start); span >= 0 && span !== start; span = parentOf(span)) {
        if (startsBefore(span, best)) best = span;
      }
      segments.top[segment] = best;
    },
    toSpans(segment, partition) {
      const count = segments.count[segment]!;
      const places = new Int32Array(count * PLACE_STRIDE);
      const own: Uint8Array[] = [];
      stamp++;
      const top = segments.top[segment]!;
      let at = PLACE_STRIDE;
      for (let span = segments.first[segment]!; span >= 0; span = spans.nextMember[span]!) {
        const record = spans.record[span]!;
        if (records.stamp[record] !== stamp) {
          records.stamp[record] = stamp;
          records.index[record] = own.length;
          own.push(records.bytes[record]!);
        }
        const to = span === top ? 0 : at;
        places[to] = records.index[record]!;
        places[to + 1] = spans.resourceStart[span]!;
        places[to + 2] = spans.resourceEnd[span]!;
        places[to + 3] = spans.scopeStart[span]!;
        places[to + 4] = spans.scopeEnd[span]!;
        places[to + 5] = spans.spanStart[span]!;
        places[to + 6] = spans.spanEnd[span]!;
        if (span !== top) at += PLACE_STRIDE;
      }
      return {
        traceId: traces.hex(segments.trace[segment]!),
        entrySpanId: hexOfPair(spans.idHigh[top]!, spans.idLow[top]!),
        entryReason: store.reasonOf(segment),
        asynchronous: isAsynchronous(segment),
        partition,
        firstOffset: segments.firstOffset[segment]!,
        appendMs: segments.firstMs[segment]!,
        records: own,
        spanCount: count,
        places,
        truncated: (segments.bits[segment]! & SegmentBits.truncated) !== 0,
      };
    },
    topsOf(state, trace) {
      const tops: SegmentSpans[] = [];
      for (let segment = state.held.head; segment >= 0 && tops.length < MAX_TOPS; segment = segments.after[segment]!) {
        if (segments.trace[segment] !== trace) continue;
        const top = segments.top[segment]!;
        tops.push({
          traceId: traces.hex(trace),
          entrySpanId: hexOfPair(spans.idHigh[top]!, spans.idLow[top]!),
          entryReason: store.reasonOf(segment),
          asynchronous: isAsynchronous(segment),
          partition: state.partition,
          firstOffset: segments.firstOffset[segment]!,
          appendMs: segments.firstMs[segment]!,
          records: [records.bytes[spans.record[top]!]!],
          spanCount: 1,
          places: Int32Array.of(
            0,
            spans.resourceStart[top]!,
            spans.resourceEnd[top]!,
            spans.scopeStart[top]!,
            spans.scopeEnd[top]!,
            spans.spanStart[top]!,
            spans.spanEnd[top]!,
          ),
          truncated: true,
        });
      }
      return tops;
    },
  };
  return store;
}
