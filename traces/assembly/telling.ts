/** What is said to the sink, and counted: of segments that an earlier owner of the partition judged, nothing. */
import type { SegmentSpans } from '../segment.ts';
import type { AssemblerSink, CloseStage } from './contract.ts';
import type { Forms } from './forms.ts';
import { removeFrom, SegmentBits } from './segment-pool.ts';
import type { AssemblyStats } from './stats.ts';
import type { PartitionState, Store } from './store.ts';
import { TraceFlags } from './trace-table.ts';

export interface Telling {
  /** With all its spans, as they were last closed where none came since. */
  closed(state: PartitionState, segment: number, stage: CloseStage, absent: boolean): SegmentSpans;
  /** Once a segment. */
  settled(state: PartitionState, segment: number, closed: SegmentSpans): void;
  /** The closed segment became part of another. */
  withdrawn(state: PartitionState, segment: number): void;
  /** And frees the segment. */
  forgotten(state: PartitionState, segment: number): void;
  /** Once a trace. */
  reused(state: PartitionState, trace: number, offset: number, appendMs: number): void;
  /** A segment or span past a cap: judged by what is present in it, and not held. */
  alone(alone: SegmentSpans): void;
  /** Frees the segment, which went past the cap of its trace, told alone. */
  overflow(state: PartitionState, segment: number): void;
}

export function createTelling(store: Store, forms: Forms, sink: AssemblerSink, stats: AssemblyStats): Telling {
  const { segments, traces } = store;

  const isSettledBefore = (state: PartitionState, segment: number): boolean =>
    segments.firstOffset[segment]! < state.silentBelow;

  const isSilent = (state: PartitionState, segment: number): boolean =>
    isSettledBefore(state, segment) && segments.heard[segment] === 0;

  const telling: Telling = {
    closed(state, segment, stage, absent) {
      let closed = segments.lastClosed[segment]!;
      if (closed === null || (segments.bits[segment]! & SegmentBits.dirty) !== 0) {
        closed = forms.toSpans(segment, state.partition);
        segments.lastClosed[segment] = closed;
        segments.bits[segment]! &= ~SegmentBits.dirty;
      }
      if (stage === 'late') stats.closedLate++;
      if (!isSilent(state, segment)) sink.closed(closed, stage, absent);
      return closed;
    },
    settled(state, segment, closed) {
      if ((segments.bits[segment]! & SegmentBits.settled) !== 0) return;
      segments.bits[segment]! |= SegmentBits.settled;
      removeFrom(state.unsettled, segments.unsettledBefore, segments.unsettledAfter, segment);
      stats.settled++;
      if (!isSettledBefore(state, segment)) sink.settled(closed);
    },
    withdrawn(state, segment) {
      const closed = segments.lastClosed[segment]!;
      if (closed === null || (segments.bits[segment]! & SegmentBits.closed) === 0) return;
      stats.withdrawn++;
      if (!isSilent(state, segment)) sink.withdrawn(closed);
    },
    forgotten(state, segment) {
      stats.forgotten++;
      const closed = segments.lastClosed[segment]!;
      if (!isSilent(state, segment)) sink.forgotten(state.partition, closed.traceId, closed.entrySpanId);
      store.free(state, segment);
    },
    reused(state, trace, offset, appendMs) {
      if ((traces.flags[trace]! & TraceFlags.reused) !== 0) return;
      traces.flags[trace]! |= TraceFlags.reused;
      stats.reusedTraces++;
      if (offset >= state.silentBelow)
        sink.reused(state.partition, offset, appendMs, traces.hex(trace), forms.topsOf(state, trace));
    },
    alone(alone) {
      sink.closed(alone, 'closed', false);
      sink.forgotten(alone.partition, alone.traceId, alone.entrySpanId);
    },
    overflow(state, segment) {
      stats.overflowSpans += segments.count[segment]!;
      stats.spans -= segments.count[segment]!;
      segments.bits[segment]! |= SegmentBits.truncated;
      telling.reused(state, segments.trace[segment]!, segments.firstOffset[segment]!, segments.firstMs[segment]!);
      if (!isSilent(state, segment)) telling.alone(forms.toSpans(segment, state.partition));
      store.free(state, segment);
    },
  };
  return telling;
}
