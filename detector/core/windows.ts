/**
 * Collective counts by partition: 20-second windows for shifts, 1-second windows for the load test beside a slow node.
 * A window is said once, when stream time has passed its end by what segments need to close; until then its first offset
 * holds the commit back, so that a replay counts it whole.
 */
import type { Baseline } from '../../baseline/baseline.ts';
import { type CollectiveCounter, createCollectiveCounter } from '../../baseline/timing/collective-counter.ts';
import type { CollectiveCounts } from '../../schemas/log/collective.ts';
import type { Segment } from '../../traces/segment.ts';

const SHIFT_MS = 20_000;
const LOAD_MS = 1_000;

export interface Windows {
  /** Counts the segment that `baseline` judged last: when it closed, and when the absence grace was over. */
  addToLoad(partition: number, offset: number, baseline: Baseline, segment: Segment): void;
  addToShift(partition: number, offset: number, baseline: Baseline, segment: Segment): void;
  advance(partition: number, streamMs: number): void;
  /** Smallest first offset of a window that was not said yet; Infinity without one. */
  floor(partition: number): number;
  drop(partition: number): void;
}

interface PartitionWindows {
  version: string;
  readonly shift: CollectiveCounter;
  readonly load: CollectiveCounter;
}

export interface WindowLags {
  /** How long after its end a window is said: what segments need to close, and to be judged for absence. */
  readonly loadLagMs: number;
  readonly shiftLagMs: number;
}

export function createWindows({ loadLagMs, shiftLagMs }: WindowLags, say: (counts: CollectiveCounts) => void): Windows {
  const partitions = new Map<number, PartitionWindows>();

  function windowsOf(partition: number, baseline: Baseline): PartitionWindows {
    const known = partitions.get(partition);
    const { version, collective: rates } = baseline;
    if (known !== undefined) {
      if (known.version !== version) {
        known.version = version;
        known.shift.useVersion(version, rates);
        known.load.useVersion(version, rates);
      }
      return known;
    }
    const created = {
      version,
      shift: createCollectiveCounter({ partition, windowMs: SHIFT_MS, version, rates, behindMs: shiftLagMs }),
      load: createCollectiveCounter({ partition, windowMs: LOAD_MS, version, rates, features: 'self' }),
    };
    partitions.set(partition, created);
    return created;
  }

  return {
    addToLoad(partition, offset, baseline, segment) {
      windowsOf(partition, baseline).load.add(baseline.models.timing, segment, offset);
    },
    addToShift(partition, offset, baseline, segment) {
      windowsOf(partition, baseline).shift.add(baseline.models.timing, segment, offset);
    },
    advance(partition, streamMs) {
      const windows = partitions.get(partition);
      if (windows === undefined) return;
      for (const counts of windows.shift.close(streamMs - shiftLagMs)) say(counts);
      for (const counts of windows.load.close(streamMs - loadLagMs)) {
        if (counts.keys.some(({ aboveMaximum }) => aboveMaximum > 0)) say(counts); // a quiet second proves nothing
      }
    },
    floor(partition) {
      const windows = partitions.get(partition);
      if (windows === undefined) return Infinity;
      return Math.min(windows.shift.oldestOffset() ?? Infinity, windows.load.oldestOffset() ?? Infinity);
    },
    drop(partition) {
      partitions.delete(partition);
    },
  };
}
