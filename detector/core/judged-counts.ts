/**
 * Counts what was judged in windows of log time, by partition and version: the realised rate beside the nominal one. A window is
 * said once, when stream time has passed its end by what segments need to be judged for absence; until then its first
 * offset holds the commit back, so that a replay counts it whole.
 */
import { JUDGED_LEVELS, type JudgedCounts } from '../../schemas/log/judged.ts';
import type { Verdict } from '../../schemas/log/verdict.ts';

export const JUDGED_WINDOW_MS = 20_000;

export interface JudgedCounter {
  /** Counts a segment, once: when it was judged for absence. */
  add(verdict: Verdict, segmentsPerDay: number): void;
  advance(partition: number, streamMs: number): void;
  /** Smallest first offset of a window that was not said yet; Infinity without one. */
  floor(partition: number): number;
  drop(partition: number): void;
}

interface Open {
  readonly window: number;
  readonly version: string;
  readonly segmentsPerDay: number;
  firstOffset: number;
  segments: number;
  readonly below: number[];
  readonly hard: number[];
}

interface PartitionCounts {
  /** Few: one or two windows, of one version or two. */
  open: Open[];
  saidBelow: number;
}

export function createJudgedCounter(lagMs: number, say: (counts: JudgedCounts) => void): JudgedCounter {
  const partitions = new Map<number, PartitionCounts>();

  function openFor(counts: PartitionCounts, verdict: Verdict, segmentsPerDay: number): Open {
    // what was judged after its window had been said counts in the oldest that was not: no segment is left out
    const window = Math.max(Math.floor(verdict.appendMs / JUDGED_WINDOW_MS), counts.saidBelow);
    const known = counts.open.find((one) => one.window === window && one.version === verdict.version);
    if (known !== undefined) return known;
    const { version, firstOffset } = verdict;
    const zeros = (): number[] => JUDGED_LEVELS.map(() => 0);
    const open: Open = { window, version, segmentsPerDay, firstOffset, segments: 0, below: zeros(), hard: zeros() };
    counts.open.push(open);
    return open;
  }

  return {
    add(verdict, segmentsPerDay) {
      let counts = partitions.get(verdict.partition);
      if (counts === undefined) {
        counts = { open: [], saidBelow: Number.NEGATIVE_INFINITY };
        partitions.set(verdict.partition, counts);
      }
      const open = openFor(counts, verdict, segmentsPerDay);
      open.segments++;
      if (verdict.firstOffset < open.firstOffset) open.firstOffset = verdict.firstOffset;
      if (verdict.p > JUDGED_LEVELS[0]) return;
      const hard = verdict.findings.some((finding) => finding.hard);
      for (let i = 0; i < JUDGED_LEVELS.length; i++) {
        if (verdict.p > JUDGED_LEVELS[i]!) break;
        open.below[i]!++;
        if (hard) open.hard[i]!++;
      }
    },
    advance(partition, streamMs) {
      const counts = partitions.get(partition);
      if (counts === undefined) return;
      const closed = Math.floor((streamMs - lagMs) / JUDGED_WINDOW_MS);
      if (closed <= counts.saidBelow) return;
      counts.saidBelow = closed;
      const due = counts.open.filter(({ window }) => window < closed);
      if (due.length === 0) return;
      counts.open = counts.open.filter(({ window }) => window >= closed);
      due.sort((a, b) => a.window - b.window || (a.version < b.version ? -1 : 1));
      for (const { window, version, segmentsPerDay, segments, below, hard } of due)
        say({ partition, window, windowMs: JUDGED_WINDOW_MS, version, segmentsPerDay, segments, below, hard });
    },
    floor(partition) {
      let lowest = Number.POSITIVE_INFINITY;
      for (const { firstOffset } of partitions.get(partition)?.open ?? [])
        if (firstOffset < lowest) lowest = firstOffset;
      return lowest;
    },
    drop(partition) {
      partitions.delete(partition);
    },
  };
}
