/**
 * Assembly (ARCHITECTURE decision 5): spans of the log in, segments out when they close, again when the absence grace is
 * over, again when late spans came. A segment is what hangs under one entry span; the segments under spans whose parent
 * has not come merge into the parent's when it does. Driven by log-append times and stream time alone: the final form of
 * a segment depends on its spans, not on batches. Spans past a cap are given one by one: closed, then forgotten.
 */

import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { createCursor, readLength, readVarint, resetCursor, skipField } from '../../schemas/otlp/cursor.ts';
import {
  ResourceSpansField,
  ScopeSpansField,
  SpanFlags,
  SpanKind,
  TracesDataField,
} from '../../schemas/otlp/fields.ts';
import { createSpanHead, pairToMs, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { hexOfPair } from '../../schemas/otlp/text.ts';
import { isPlausible } from '../reading/times.ts';
import type { SegmentSpans } from '../segment.ts';
import type { Assembler, AssemblerSink } from './contract.ts';
import { createSegmentList, removeFrom, SegmentBits } from './segment-pool.ts';
import { SpanBits } from './span-pool.ts';
import { type AssemblyStats, createAssemblyStats } from './stats.ts';
import { createStore, type PartitionState } from './store.ts';
import { createTimers } from './timers.ts';

export interface AssemblerDeps {
  readonly sink: AssemblerSink;
  /**
   * Whether the version lists this span's operation as an edge, where requests enter from outside with a parent that never
   * comes. Ranges as in `SegmentSpans.places`; `appendMs` of the segment's first record says which version. Asked once for
   * a top whose parent is missing after the grace.
   */
  readonly isEdge?: (
    bytes: Uint8Array,
    resourceStart: number,
    resourceEnd: number,
    spanStart: number,
    spanEnd: number,
    appendMs: number,
  ) => boolean;
  /**
   * Whether a SERVER span is another client's request than the SERVER span it names as its parent: what an outsider writes
   * into `traceparent` must not put his request under somebody else's. Asked only of a SERVER span right under another,
   * without the CLIENT span of a call between them.
   */
  readonly isForeign?: (span: SpanPlace, parent: SpanPlace, appendMs: number) => boolean;
}

/** Where a span lies; ranges as in `SegmentSpans.places`. */
export interface SpanPlace {
  readonly bytes: Uint8Array;
  readonly resourceStart: number;
  readonly resourceEnd: number;
  readonly spanStart: number;
  readonly spanEnd: number;
}

/** What is held now. */
export interface AssemblyGauges {
  readonly spans: number;
  readonly segments: number;
  readonly bytes: number;
}

export interface SegmentAssembler extends Assembler {
  /**
   * A partition was handed over with this offset committed. Reading may start earlier, by `warmUpMs`: segments that begin
   * below `committed` are assembled silently, as an earlier owner has judged them; so those that straddle it are whole. One
   * that gets a span at or above `committed` is judged again: the earlier owner may not have come so far.
   */
  resume(partition: number, committed: number): void;
  /** How long before a record its segment can have begun: reading on from so much earlier makes a replay exact. */
  readonly warmUpMs: number;
  readonly stats: AssemblyStats;
  gauges(): AssemblyGauges;
}

const TRACE_FULL = 1;
const TRACE_REUSED = 2;
const RESOURCE_SPANS = (TracesDataField.resourceSpans << 3) | 2;
const RESOURCE = (ResourceSpansField.resource << 3) | 2;
const SCOPE_SPANS = (ResourceSpansField.scopeSpans << 3) | 2;
const SCOPE = (ScopeSpansField.scope << 3) | 2;
const SPAN = (ScopeSpansField.spans << 3) | 2;

export function createAssembler(config: AssemblyConfig, deps: AssemblerDeps): SegmentAssembler {
  const { sink, isEdge, isForeign } = deps;
  const { graceMs, absenceGraceMs, idleMs, maxAgeMs, lateMs, maxSpansPerSegment, maxSegmentsPerTrace } = config;
  const store = createStore();
  const { spans, segments, records, traces } = store;
  const stats = createAssemblyStats();
  const partitions = new Map<number, PartitionState>();
  const outer = createCursor(new Uint8Array(0));
  const middle = createCursor(new Uint8Array(0));
  const inner = createCursor(new Uint8Array(0));
  const head = createSpanHead();
  /** Segments opened by the record being read: scheduled when it is done, as most merge before. */
  const fresh: number[] = [];

  // Of the record being read.
  let current: PartitionState;
  let recordRow = -1;
  let recordBytes: Uint8Array = outer.bytes;
  let recordOffset = 0;
  let recordMs = 0;
  let resourceStart = 0;
  let resourceEnd = 0;
  let scopeStart = 0;
  let scopeEnd = 0;

  function stateOf(partition: number): PartitionState {
    let state = partitions.get(partition);
    if (state === undefined) {
      state = {
        partition,
        nowMs: Number.NEGATIVE_INFINITY,
        timers: createTimers(),
        held: createSegmentList(),
        unsettled: createSegmentList(),
        silentBelow: 0,
      };
      partitions.set(partition, state);
    }
    return state;
  }

  const isSettledBefore = (state: PartitionState, segment: number): boolean =>
    segments.firstOffset[segment]! < state.silentBelow;

  const isSilent = (state: PartitionState, segment: number): boolean =>
    isSettledBefore(state, segment) && segments.heard[segment] === 0;

  // ——— time ———

  /** When something is next to be done about the segment. */
  function dueOf(segment: number): number {
    const bits = segments.bits[segment]!;
    const top = segments.topMs[segment]!;
    const last = segments.lastMs[segment]!;
    if ((bits & SegmentBits.closed) !== 0) {
      let due = segments.closedMs[segment]! + lateMs;
      if ((bits & SegmentBits.absent) === 0) due = Math.max(due, absenceDue(segment));
      if ((bits & SegmentBits.dirty) !== 0) due = Math.min(due, last + graceMs);
      if ((bits & SegmentBits.absent) === 0) due = Math.min(due, absenceDue(segment));
      return due;
    }
    const oldest = segments.firstMs[segment]! + maxAgeMs;
    if ((bits & SegmentBits.decided) === 0) {
      const decide = Math.min(top + absenceGraceMs, oldest);
      if (isEdge === undefined || (bits & SegmentBits.edgeAsked) !== 0) return decide;
      return Math.min(decide, top + graceMs);
    }
    if (segments.count[segment]! >= maxSpansPerSegment) return last;
    return Math.min(Math.max(segments.topEndMs[segment]!, top, last) + graceMs, last + idleMs, oldest);
  }

  const absenceDue = (segment: number): number =>
    Math.min(
      Math.max(segments.topMs[segment]!, segments.lastMs[segment]!) + absenceGraceMs,
      segments.firstMs[segment]! + maxAgeMs + absenceGraceMs,
    );

  /** Makes sure that the segment comes up when it is due; one that comes up too early is put back then. */
  function schedule(state: PartitionState, segment: number): void {
    const due = dueOf(segment);
    if (due >= segments.scheduledMs[segment]!) return;
    segments.scheduledMs[segment] = due;
    state.timers.push(due, segments.firstOffset[segment]!, segment, segments.generation[segment]!);
  }

  function advance(state: PartitionState, streamMs: number): void {
    const { timers } = state;
    for (let due = timers.firstDueMs(); due <= streamMs; due = timers.firstDueMs()) {
      timers.pop();
      const segment = timers.segment;
      if (segments.generation[segment] !== timers.generation || segments.scheduledMs[segment] !== due) continue;
      if (due > state.nowMs) state.nowMs = due;
      segments.scheduledMs[segment] = Number.POSITIVE_INFINITY;
      if (dueOf(segment) <= due) act(state, segment, due);
      else schedule(state, segment);
    }
    if (streamMs > state.nowMs && streamMs !== Number.POSITIVE_INFINITY) state.nowMs = streamMs;
  }

  /** Does what is due at `nowMs`, and schedules what follows unless the segment is gone. */
  function act(state: PartitionState, segment: number, nowMs: number): void {
    const bits = segments.bits[segment]!;
    if ((bits & SegmentBits.closed) !== 0) {
      const absent = (bits & SegmentBits.absent) !== 0;
      if (!absent && nowMs >= absenceDue(segment)) judgeAbsent(state, segment);
      else if ((bits & SegmentBits.dirty) !== 0) close(state, segment, 'late', absent);
      else if (nowMs >= segments.closedMs[segment]! + lateMs) {
        forget(state, segment);
        return;
      }
    } else if ((bits & SegmentBits.decided) === 0) {
      if (!decide(state, segment, nowMs)) return;
      if (dueOf(segment) <= nowMs) closeFirst(state, segment, nowMs);
    } else closeFirst(state, segment, nowMs);
    schedule(state, segment);
  }

  // ——— entries ———

  /** The top's parent did not come: false when the segment went past the cap of its trace and is gone. */
  function decide(state: PartitionState, segment: number, nowMs: number): boolean {
    const aged = nowMs >= segments.topMs[segment]! + absenceGraceMs || nowMs >= segments.firstMs[segment]! + maxAgeMs;
    if (!aged) {
      segments.bits[segment]! |= SegmentBits.edgeAsked;
      const reason = store.reasonOf(segment);
      if (reason !== 'remote' && reason !== 'parent-missing') return true;
      const top = segments.top[segment]!;
      const edge = isEdge!(
        records.bytes[spans.record[top]!]!,
        spans.resourceStart[top]!,
        spans.resourceEnd[top]!,
        spans.spanStart[top]!,
        spans.spanEnd[top]!,
        segments.firstMs[segment]!,
      );
      if (!edge) return true;
      stats.entriesEdge++;
    }
    if ((segments.bits[segment]! & SegmentBits.cyclic) !== 0) store.chooseTop(segment);
    return makeEntry(state, segment);
  }

  function makeEntry(state: PartitionState, segment: number): boolean {
    const trace = segments.trace[segment]!;
    if (traces.entries[trace]! >= maxSegmentsPerTrace) {
      stats.overflowSpans += segments.count[segment]!;
      stats.spans -= segments.count[segment]!;
      segments.bits[segment]! |= SegmentBits.truncated;
      tellReused(state, trace, segments.firstOffset[segment]!, segments.firstMs[segment]!);
      if (!isSilent(state, segment)) tellAlone(state, store.toSpans(segment, state.partition));
      store.free(state, segment);
      return false;
    }
    traces.undecided[trace]!--;
    traces.entries[trace]!++;
    segments.bits[segment]! |= SegmentBits.decided;
    const reason = store.reasonOf(segment);
    if (reason === 'remote') stats.entriesRemote++;
    else if (reason === 'parent-missing') stats.entriesParentMissing++;
    else if (reason === 'consumer') stats.entriesConsumer++;
    else if (reason === 'orphan') stats.entriesOrphan++;
    return true;
  }

  function tellReused(state: PartitionState, trace: number, offset: number, appendMs: number): void {
    if ((traces.flags[trace]! & TRACE_REUSED) !== 0) return;
    traces.flags[trace]! |= TRACE_REUSED;
    stats.reusedTraces++;
    if (offset >= state.silentBelow)
      sink.reused(state.partition, offset, appendMs, traces.hex(trace), store.topsOf(state, trace));
  }

  // ——— closing ———

  function close(
    state: PartitionState,
    segment: number,
    stage: 'closed' | 'absence' | 'late',
    absent: boolean,
  ): SegmentSpans {
    let closed = segments.lastClosed[segment]!;
    if (closed === null || (segments.bits[segment]! & SegmentBits.dirty) !== 0) {
      closed = store.toSpans(segment, state.partition);
      segments.lastClosed[segment] = closed;
      segments.bits[segment]! &= ~SegmentBits.dirty;
    }
    if (stage === 'late') stats.closedLate++;
    if (!isSilent(state, segment)) sink.closed(closed, stage, absent);
    return closed;
  }

  function closeFirst(state: PartitionState, segment: number, nowMs: number): void {
    if (nowMs >= segments.firstMs[segment]! + maxAgeMs) stats.closedAge++;
    else if (segments.count[segment]! >= maxSpansPerSegment) stats.closedFull++;
    else if (nowMs < segments.topEndMs[segment]! + graceMs) stats.closedIdle++;
    else stats.closedGrace++;
    markClosed(segment, nowMs);
    if (nowMs >= absenceDue(segment)) judgeAbsent(state, segment);
    else close(state, segment, 'closed', false);
  }

  function markClosed(segment: number, nowMs: number): void {
    segments.bits[segment]! |= SegmentBits.closed;
    segments.closedMs[segment] = Math.min(segments.closedMs[segment]!, nowMs);
    traces.open[segments.trace[segment]!]!--;
  }

  function judgeAbsent(state: PartitionState, segment: number): void {
    segments.bits[segment]! |= SegmentBits.absent;
    const closed = close(state, segment, 'absence', true);
    if ((segments.bits[segment]! & SegmentBits.settled) !== 0) return;
    segments.bits[segment]! |= SegmentBits.settled;
    removeFrom(state.unsettled, segments.unsettledBefore, segments.unsettledAfter, segment);
    stats.settled++;
    if (!isSettledBefore(state, segment)) sink.settled(closed);
  }

  function forget(state: PartitionState, segment: number): void {
    stats.forgotten++;
    const closed = segments.lastClosed[segment]!;
    if (!isSilent(state, segment)) sink.forgotten(state.partition, closed.traceId, closed.entrySpanId);
    store.free(state, segment);
  }

  /** A segment or span past a cap: judged by what is present in it, and not held. */
  function tellAlone(state: PartitionState, alone: SegmentSpans): void {
    sink.closed(alone, 'closed', false);
    sink.forgotten(state.partition, alone.traceId, alone.entrySpanId);
  }

  function tellSpanAlone(trace: number): void {
    if (recordOffset < current.silentBelow) return;
    const kind = head.kind;
    const root = head.parentHigh === 0 && head.parentLow === 0;
    tellAlone(current, {
      traceId: traces.hex(trace),
      entrySpanId: hexOfPair(head.spanIdHigh, head.spanIdLow),
      entryReason: root
        ? 'root'
        : kind === SpanKind.consumer
          ? 'consumer'
          : kind === SpanKind.server
            ? 'remote'
            : 'orphan',
      asynchronous: kind === SpanKind.consumer,
      partition: current.partition,
      firstOffset: recordOffset,
      appendMs: recordMs,
      records: [recordBytes],
      spanCount: 1,
      places: Int32Array.of(0, resourceStart, resourceEnd, scopeStart, scopeEnd, head.start, head.end),
      truncated: true,
    });
  }

  // ——— spans ———

  function takeSpan(trace: number, bits: number): number {
    if (recordRow < 0) recordRow = records.take(recordBytes, recordOffset, recordMs);
    records.references[recordRow]!++;
    const span = spans.take();
    spans.idHigh[span] = head.spanIdHigh;
    spans.idLow[span] = head.spanIdLow;
    spans.parentHigh[span] = head.parentHigh;
    spans.parentLow[span] = head.parentLow;
    spans.trace[span] = trace;
    spans.record[span] = recordRow;
    spans.resourceStart[span] = resourceStart;
    spans.resourceEnd[span] = resourceEnd;
    spans.scopeStart[span] = scopeStart;
    spans.scopeEnd[span] = scopeEnd;
    spans.spanStart[span] = head.start;
    spans.spanEnd[span] = head.end;
    spans.bits[span] = bits;
    spans.index(span);
    stats.spans++;
    return span;
  }

  function bitsOf(): number {
    let bits: number = head.kind;
    if ((head.flags & SpanFlags.hasIsRemote) !== 0) {
      bits |= SpanBits.remoteKnown;
      if ((head.flags & SpanFlags.isRemote) !== 0) bits |= SpanBits.remote;
    }
    if (head.linkCount > 0) bits |= SpanBits.links;
    if (head.parentHigh === 0 && head.parentLow === 0) bits |= SpanBits.root;
    return bits;
  }

  /** The span in `head` joins its parent's segment, or opens one; segments that waited for it join it. */
  function addSpan(): void {
    const trace = traces.take(current.partition, recordBytes, head.traceIdStart);
    if (spans.find(trace, head.spanIdHigh, head.spanIdLow) >= 0) {
      stats.duplicateSpans++;
      return;
    }
    const bits = bitsOf();
    const local = (bits & (SpanBits.remoteKnown | SpanBits.remote)) === SpanBits.remoteKnown;
    // A CONSUMER span opens a segment, unless it is known to hang in its own process: a message of a batch.
    let isEntry = (bits & SpanBits.root) !== 0 || (head.kind === SpanKind.consumer && !local);
    let parent = isEntry ? -1 : spans.find(trace, head.parentHigh, head.parentLow);
    if (parent >= 0 && isUnderServer(bits, parent) && isForeign!(placeInHead(), placeOf(parent), recordMs)) {
      stats.entriesForeign++;
      isEntry = true;
      parent = -1;
    }
    if (parent >= 0) {
      const segment = spans.segment[parent]!;
      if (segments.count[segment]! >= maxSpansPerSegment) {
        turnAway(trace, segment);
        return;
      }
      const span = takeSpan(trace, bits);
      store.addMember(segment, span);
      touch(segment);
      adopt(span);
      return;
    }
    const full = (traces.flags[trace]! & TRACE_FULL) !== 0;
    const tooMany = isEntry
      ? traces.entries[trace]! >= maxSegmentsPerTrace
      : traces.undecided[trace]! >= maxSpansPerSegment;
    if (tooMany || (full && !isEntry && (bits & SpanBits.remote) === 0)) {
      if (tooMany) {
        stats.overflowSpans++;
        tellReused(current, trace, recordOffset, recordMs);
      } else stats.truncatedSpans++;
      tellSpanAlone(trace);
      if (traces.held[trace] === 0) traces.give(trace);
      return;
    }
    const span = takeSpan(trace, bits);
    const endMs = isPlausible(head.endHigh) ? pairToMs(head.endHigh, head.endLow) : 0;
    const segment = store.open(current, span, recordOffset, recordMs, endMs);
    fresh.push(segment, segments.generation[segment]!);
    if (isEntry) makeEntry(current, segment);
    else if (head.parentHigh === head.spanIdHigh && head.parentLow === head.spanIdLow) {
      segments.bits[segment]! |= SegmentBits.cyclic;
      stats.cyclicSegments++;
    } else spans.wait(span);
    adopt(span);
  }

  /** A span of a full segment. Its own children will miss it: they are given one by one too. */
  function turnAway(trace: number, segment: number): void {
    stats.truncatedSpans++;
    markTruncated(segment);
    traces.flags[trace]! |= TRACE_FULL;
    tellSpanAlone(trace);
  }

  function markTruncated(segment: number): void {
    const bits = segments.bits[segment]!;
    if ((bits & SegmentBits.truncated) !== 0) return;
    segments.bits[segment] = bits | SegmentBits.truncated | SegmentBits.dirty;
  }

  function touch(segment: number): void {
    segments.lastMs[segment] = recordMs;
    if (recordOffset >= current.silentBelow) segments.heard[segment] = 1;
    segments.bits[segment]! |= SegmentBits.dirty;
    if ((segments.bits[segment]! & SegmentBits.closed) !== 0) stats.lateSpans++;
    // Without a timer it is in `fresh` and gets one when the record is done.
    if (segments.scheduledMs[segment] !== Number.POSITIVE_INFINITY) schedule(current, segment);
  }

  /** A SERVER span, not known to be of its parent's process, right under a SERVER span. */
  const isUnderServer = (bits: number, parent: number): boolean =>
    isForeign !== undefined &&
    (bits & SpanBits.kind) === SpanKind.server &&
    (bits & (SpanBits.remoteKnown | SpanBits.remote)) !== SpanBits.remoteKnown &&
    (spans.bits[parent]! & SpanBits.kind) === SpanKind.server;

  const placeOf = (span: number): SpanPlace => ({
    bytes: records.bytes[spans.record[span]!]!,
    resourceStart: spans.resourceStart[span]!,
    resourceEnd: spans.resourceEnd[span]!,
    spanStart: spans.spanStart[span]!,
    spanEnd: spans.spanEnd[span]!,
  });

  const placeInHead = (): SpanPlace => ({
    bytes: recordBytes,
    resourceStart,
    resourceEnd,
    spanStart: head.start,
    spanEnd: head.end,
  });

  /** Segments whose top waits for `span` join its segment. */
  function adopt(span: number): void {
    const trace = spans.trace[span]!;
    const high = spans.idHigh[span]!;
    const low = spans.idLow[span]!;
    for (let top = spans.waiting(trace, high, low); top >= 0; top = spans.waiting(trace, high, low)) {
      spans.unwait(top);
      const parent = spans.segment[span]!;
      const child = spans.segment[top]!;
      if (parent === child) {
        segments.bits[parent]! |= SegmentBits.cyclic;
        stats.cyclicSegments++;
      } else if (
        isUnderServer(spans.bits[top]!, span) &&
        isForeign!(placeOf(top), placeOf(span), segments.firstMs[child]!)
      ) {
        stats.entriesForeign++; // a segment of its own: decided when its time comes
      } else if (segments.count[parent]! + segments.count[child]! > maxSpansPerSegment) {
        stats.splitSegments++;
        markTruncated(parent);
        markTruncated(child);
        traces.flags[trace]! |= TRACE_FULL;
        // It stays a segment of its own: decided when its time comes.
      } else join(parent, child);
    }
  }

  function join(parent: number, child: number): void {
    const withdrawn = segments.lastClosed[child]!;
    if (withdrawn !== null && (segments.bits[child]! & SegmentBits.closed) !== 0) {
      stats.withdrawn++;
      if (!isSilent(current, child)) sink.withdrawn(withdrawn);
    }
    const kept = store.merge(current, parent, child);
    if (recordOffset >= current.silentBelow) segments.heard[kept] = 1;
    segments.bits[kept]! |= SegmentBits.dirty;
    segments.lastMs[kept] = recordMs;
    segments.scheduledMs[kept] = Number.POSITIVE_INFINITY;
    if (fresh.length === 0) schedule(current, kept);
    else fresh.push(kept, segments.generation[kept]!);
  }

  // ——— records ———

  function readResourceSpans(bytes: Uint8Array, start: number, end: number): boolean {
    resourceStart = resourceEnd = start;
    resetCursor(middle, bytes, start, end);
    // The resource may come after the spans: the specification does not order fields.
    while (middle.position < end) {
      const tag = readVarint(middle);
      if (tag === RESOURCE) {
        const length = readLength(middle);
        resourceStart = middle.position;
        resourceEnd = middle.position + length;
        break;
      }
      skipField(middle, tag & 7);
      if (middle.failed) return false;
    }
    resetCursor(middle, bytes, start, end);
    while (middle.position < end) {
      const tag = readVarint(middle);
      if (tag === SCOPE_SPANS) {
        const length = readLength(middle);
        if (middle.failed || !readScopeSpans(bytes, middle.position, middle.position + length)) return false;
        middle.position += length;
      } else if (tag < 8) return false;
      else skipField(middle, tag & 7);
      if (middle.failed) return false;
    }
    return true;
  }

  function readScopeSpans(bytes: Uint8Array, start: number, end: number): boolean {
    scopeStart = scopeEnd = start;
    resetCursor(inner, bytes, start, end);
    while (inner.position < end) {
      const tag = readVarint(inner);
      if (tag === SPAN) {
        const length = readLength(inner);
        if (inner.failed) return false;
        if (readSpanHead(bytes, inner.position, inner.position + length, head)) addSpan();
        else stats.invalidSpans++;
        inner.position += length;
      } else if (tag === SCOPE) {
        const length = readLength(inner);
        scopeStart = inner.position;
        scopeEnd = inner.position + length;
        inner.position += length;
      } else if (tag < 8) return false;
      else skipField(inner, tag & 7);
      if (inner.failed) return false;
    }
    return true;
  }

  function readRecord(value: Uint8Array): boolean {
    resetCursor(outer, value, 0, value.length);
    while (outer.position < value.length) {
      const tag = readVarint(outer);
      if (tag === RESOURCE_SPANS) {
        const length = readLength(outer);
        if (outer.failed || !readResourceSpans(value, outer.position, outer.position + length)) return false;
        outer.position += length;
      } else if (tag < 8) return false;
      else skipField(outer, tag & 7);
      if (outer.failed) return false;
    }
    return true;
  }

  /** Closes or forgets the oldest segments of all partitions until what is held fits again. */
  function shrink(): void {
    while (store.heldBytes() > config.maxOpenBytes) {
      let oldest: PartitionState | null = null;
      for (const state of partitions.values()) {
        if (state.held.head < 0) continue;
        if (oldest === null || segments.firstMs[state.held.head]! < segments.firstMs[oldest.held.head]!) oldest = state;
      }
      if (oldest === null) return;
      const segment = oldest.held.head;
      if ((segments.bits[segment]! & SegmentBits.closed) === 0) {
        stats.closedMemory++;
        if ((segments.bits[segment]! & SegmentBits.decided) === 0 && !makeEntry(oldest, segment)) continue;
        segments.bits[segment]! |= SegmentBits.truncated | SegmentBits.dirty;
        markClosed(segment, oldest.nowMs);
        close(oldest, segment, 'closed', false);
      } else {
        stats.forgottenMemory++;
        if ((segments.bits[segment]! & SegmentBits.dirty) !== 0) {
          close(oldest, segment, 'late', (segments.bits[segment]! & SegmentBits.absent) !== 0);
        }
      }
      forget(oldest, segment);
    }
  }

  return {
    stats,
    warmUpMs: maxAgeMs + Math.max(lateMs, absenceGraceMs) + graceMs,
    gauges: () => ({ spans: spans.used, segments: segments.used, bytes: store.heldBytes() }),
    add(partition, offset, appendMs, value) {
      current = stateOf(partition);
      advance(current, appendMs);
      recordBytes = value;
      recordOffset = offset;
      // The log promises that append times do not go back; should one, time stands still.
      recordMs = Math.max(appendMs, current.nowMs);
      recordRow = -1;
      stats.records++;
      const good = readRecord(value);
      if (!good) stats.malformedRecords++;
      for (let i = 0; i < fresh.length; i += 2) {
        if (segments.generation[fresh[i]!] === fresh[i + 1]) schedule(current, fresh[i]!);
      }
      fresh.length = 0;
      if (store.heldBytes() > config.maxOpenBytes) shrink();
      return good;
    },
    advance: (partition, streamMs) => advance(stateOf(partition), streamMs),
    isOpen: (traceId) => traces.isOpen(traceId),
    commitFloor(partition) {
      const state = partitions.get(partition);
      if (state === undefined || state.held.head < 0) return Number.POSITIVE_INFINITY;
      return Math.max(segments.firstOffset[state.held.head]!, state.silentBelow);
    },
    unsettledFloor(partition) {
      const state = partitions.get(partition);
      if (state === undefined || state.unsettled.head < 0) return Number.POSITIVE_INFINITY;
      return Math.max(segments.firstOffset[state.unsettled.head]!, state.silentBelow);
    },
    drop(partition) {
      const state = partitions.get(partition);
      if (state === undefined) return;
      while (state.held.head >= 0) store.free(state, state.held.head);
      partitions.delete(partition);
    },
    resume(partition, committed) {
      stateOf(partition).silentBelow = committed;
    },
    end() {
      for (const state of [...partitions.values()].sort((a, b) => a.partition - b.partition)) {
        advance(state, Number.POSITIVE_INFINITY);
      }
    },
  };
}
