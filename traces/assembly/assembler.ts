/**
 * Assembly (ARCHITECTURE decision 5): spans of the log in, segments out when they close, again when the absence grace is
 * over, again when late spans came. A segment is what hangs under one entry span; the segments under spans whose parent
 * has not come merge into the parent's when it does. Driven by log-append times and stream time alone: the final form of
 * a segment depends on its spans, not on batches. Spans past a cap are given one by one: closed, then forgotten.
 */
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { createClosing } from './closing.ts';
import type { AssemblerDeps, SegmentAssembler } from './contract.ts';
import { createDeadlines } from './deadlines.ts';
import { createEntries } from './entries.ts';
import { createForms } from './forms.ts';
import { createJoining } from './joining.ts';
import { createRecordWalk, createSpanAt } from './record-walk.ts';
import { createSegmentList } from './segment-pool.ts';
import { createAssemblyStats } from './stats.ts';
import { createStore, type PartitionState } from './store.ts';
import { createTelling } from './telling.ts';
import { createTimers } from './timers.ts';

export function createAssembler(config: AssemblyConfig, deps: AssemblerDeps): SegmentAssembler {
  const { sink, isEdge, isForeign } = deps;
  const { graceMs, absenceGraceMs, maxAgeMs, lateMs, maxOpenBytes } = config;
  const store = createStore();
  const forms = createForms(store);
  const { spans, segments, traces } = store;
  const stats = createAssemblyStats();
  const partitions = new Map<number, PartitionState>();
  const deadlines = createDeadlines(config, segments, isEdge !== undefined);
  const telling = createTelling(store, forms, sink, stats);
  const entries = createEntries(config, store, forms, stats, telling, isEdge);
  const closing = createClosing(config, { store, stats, deadlines, telling, entries });
  const at = createSpanAt();
  const joining = createJoining(config, { at, store, forms, stats, deadlines, telling, entries, isForeign });
  const readRecord = createRecordWalk(at, joining.take, () => {
    stats.invalidSpans++;
  });

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

  return {
    stats,
    warmUpMs: maxAgeMs + Math.max(lateMs, absenceGraceMs) + graceMs,
    gauges: () => ({ spans: spans.used, segments: segments.used, bytes: store.heldBytes() }),
    add(partition, offset, appendMs, value) {
      const state = stateOf(partition);
      closing.advance(state, appendMs);
      stats.records++;
      at.bytes = value;
      // The log promises that append times do not go back; should one, time stands still.
      joining.begin(state, offset, Math.max(appendMs, state.nowMs));
      const good = readRecord();
      if (!good) stats.malformedRecords++;
      joining.end();
      if (store.heldBytes() > maxOpenBytes) closing.shrink(partitions);
      return good;
    },
    advance: (partition, streamMs) => closing.advance(stateOf(partition), streamMs),
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
        closing.advance(state, Number.POSITIVE_INFINITY);
      }
    },
  };
}
