/** What time does to segments: they are decided, closed, judged for absences, closed again and forgotten, or give way. */
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import type { Deadlines } from './deadlines.ts';
import type { Entries } from './entries.ts';
import { SegmentBits } from './segment-pool.ts';
import type { AssemblyStats } from './stats.ts';
import type { PartitionState, Store } from './store.ts';
import type { Telling } from './telling.ts';

export interface Closing {
  /** Does what is due in a partition until then. */
  advance(state: PartitionState, streamMs: number): void;
  /** Closes or forgets the oldest segments of all partitions until what is held fits again. */
  shrink(partitions: ReadonlyMap<number, PartitionState>): void;
}

export interface ClosingDeps {
  readonly store: Store;
  readonly stats: AssemblyStats;
  readonly deadlines: Deadlines;
  readonly telling: Telling;
  readonly entries: Entries;
}

export function createClosing(config: AssemblyConfig, deps: ClosingDeps): Closing {
  const { store, stats, deadlines, telling, entries } = deps;
  const { dueOf, absenceDue, schedule } = deadlines;
  const { graceMs, maxAgeMs, lateMs, maxSpansPerSegment, maxOpenBytes } = config;
  const { segments, traces } = store;

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
      else if ((bits & SegmentBits.dirty) !== 0) telling.closed(state, segment, 'late', absent);
      else if (nowMs >= segments.closedMs[segment]! + lateMs) {
        telling.forgotten(state, segment);
        return;
      }
    } else if ((bits & SegmentBits.decided) === 0) {
      if (!entries.decide(state, segment, nowMs)) return;
      if (dueOf(segment) <= nowMs) closeFirst(state, segment, nowMs);
    } else closeFirst(state, segment, nowMs);
    schedule(state, segment);
  }

  function closeFirst(state: PartitionState, segment: number, nowMs: number): void {
    if (nowMs >= segments.firstMs[segment]! + maxAgeMs) stats.closedAge++;
    else if (segments.count[segment]! >= maxSpansPerSegment) stats.closedFull++;
    else if (nowMs < segments.topEndMs[segment]! + graceMs) stats.closedIdle++;
    else stats.closedGrace++;
    markClosed(segment, nowMs);
    if (nowMs >= absenceDue(segment)) judgeAbsent(state, segment);
    else telling.closed(state, segment, 'closed', false);
  }

  function markClosed(segment: number, nowMs: number): void {
    segments.bits[segment]! |= SegmentBits.closed;
    segments.closedMs[segment] = Math.min(segments.closedMs[segment]!, nowMs);
    traces.open[segments.trace[segment]!]!--;
  }

  function judgeAbsent(state: PartitionState, segment: number): void {
    segments.bits[segment]! |= SegmentBits.absent;
    telling.settled(state, segment, telling.closed(state, segment, 'absence', true));
  }

  function oldestOf(partitions: ReadonlyMap<number, PartitionState>): PartitionState | null {
    let oldest: PartitionState | null = null;
    for (const state of partitions.values()) {
      if (state.held.head < 0) continue;
      if (oldest === null || segments.firstMs[state.held.head]! < segments.firstMs[oldest.held.head]!) oldest = state;
    }
    return oldest;
  }

  /** False when it went past the cap of its trace, and is gone. */
  function closeEarly(state: PartitionState, segment: number): boolean {
    const bits = segments.bits[segment]!;
    if ((bits & SegmentBits.closed) !== 0) {
      stats.forgottenMemory++;
      if ((bits & SegmentBits.dirty) !== 0) telling.closed(state, segment, 'late', (bits & SegmentBits.absent) !== 0);
      return true;
    }
    stats.closedMemory++;
    if ((bits & SegmentBits.decided) === 0 && !entries.make(state, segment)) return false;
    segments.bits[segment]! |= SegmentBits.truncated | SegmentBits.dirty;
    markClosed(segment, state.nowMs);
    telling.closed(state, segment, 'closed', false);
    return true;
  }

  return {
    advance,
    shrink(partitions) {
      while (store.heldBytes() > maxOpenBytes) {
        const oldest = oldestOf(partitions);
        if (oldest === null) return;
        const segment = oldest.held.head;
        if (closeEarly(oldest, segment)) telling.forgotten(oldest, segment);
      }
    },
  };
}
