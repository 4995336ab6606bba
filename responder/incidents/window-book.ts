/** Collective counts are taken once by (partition, window): a detector that replays says them again. */
import type { CollectiveCounts } from '../../schemas/log/collective.ts';

export interface WindowBook {
  /** True the first time the window of this partition and length comes. */
  takes(counts: CollectiveCounts): boolean;
  snapshot(): readonly string[];
}

/** Windows remembered: long enough for what a detector may replay. */
const MAX_WINDOWS = 4_000;

export function createWindowBook(snapshot: readonly string[] = []): WindowBook {
  const taken = new Set<string>(snapshot);
  return {
    takes({ partition, window, windowMs }) {
      const key = `${partition}:${windowMs}:${window}`;
      if (taken.has(key)) return false;
      taken.add(key);
      if (taken.size > MAX_WINDOWS) taken.delete(taken.values().next().value!);
      return true;
    },
    snapshot: () => [...taken],
  };
}
