/** When something is next to be done about a segment: append times and configuration in, a due time out. */
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import { SegmentBits, type SegmentPool } from './segment-pool.ts';
import type { PartitionState } from './store.ts';

export interface Deadlines {
  dueOf(segment: number): number;
  /** When absences are judged. */
  absenceDue(segment: number): number;
  /** Makes sure that the segment comes up when it is due; one that comes up too early is put back then. */
  schedule(state: PartitionState, segment: number): void;
}

/** `asksEdges`: whether a top whose parent is missing is asked about at the grace. */
export function createDeadlines(config: AssemblyConfig, segments: SegmentPool, asksEdges: boolean): Deadlines {
  const { graceMs, absenceGraceMs, idleMs, maxAgeMs, lateMs, maxSpansPerSegment } = config;

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
      if (!asksEdges || (bits & SegmentBits.edgeAsked) !== 0) return decide;
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

  return {
    dueOf,
    absenceDue,
    schedule(state, segment) {
      const due = dueOf(segment);
      if (due >= segments.scheduledMs[segment]!) return;
      segments.scheduledMs[segment] = due;
      state.timers.push(due, segments.firstOffset[segment]!, segment, segments.generation[segment]!);
    },
  };
}
