/**
 * Cutting a version (ARCHITECTURE decision 9): an offset E by partition is chosen where reading stands; segments whose
 * first record lies below are learned before the version is made, those beyond wait for it. Pure bookkeeping.
 */
import type { SegmentSpans } from '../traces/segment.ts';

export interface Cut {
  /** E of each partition: the next offset when the cut was made. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Settled segments that begin at or beyond E: learned after the version. */
  readonly held: SegmentSpans[];
}

export interface CutBook {
  readonly current: Cut | null;
  begin(offsets: ReadonlyMap<number, number>): void;
  /** Whether the segment is part of the version being cut; if not, it is held. Without a cut everything is learned. */
  takes(spans: SegmentSpans): boolean;
  /** True when every segment below E has settled. `unsettledFloor`: smallest first offset not settled, by partition. */
  complete(unsettledFloor: (partition: number) => number): boolean;
  /** Ends the cut and gives what was held. */
  end(): readonly SegmentSpans[];
  /** The partition was taken away; a cut of no partition at all is none. */
  drop(partition: number): void;
}

export function createCutBook(): CutBook {
  let current: Cut | null = null;
  return {
    get current() {
      return current;
    },
    begin(offsets) {
      current = { offsets: new Map(offsets), held: [] };
    },
    takes(spans) {
      if (current === null) return true;
      const end = current.offsets.get(spans.partition) ?? 0;
      if (spans.firstOffset < end) return true;
      current.held.push(spans);
      return false;
    },
    complete(unsettledFloor) {
      if (current === null) return false;
      for (const [partition, end] of current.offsets) if (unsettledFloor(partition) < end) return false;
      return true;
    },
    end() {
      const held = current?.held ?? [];
      current = null;
      return held;
    },
    drop(partition) {
      if (current === null) return;
      const offsets = new Map(current.offsets);
      offsets.delete(partition);
      const held = current.held.filter((spans) => spans.partition !== partition);
      current = offsets.size === 0 ? null : { offsets, held };
    },
  };
}
