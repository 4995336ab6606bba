/** A uniform sample of what goes by, of bounded size (reservoir sampling: Vitter 1985, algorithm R). */
import { PLACE_STRIDE, type SegmentSpans } from '../../traces/segment.ts';
import type { Random } from './mutations/random.ts';

export interface SegmentSample {
  add(spans: SegmentSpans): void;
  /** How many went by. */
  readonly seen: number;
  /** The sample, in order of first records. */
  take(): SegmentSpans[];
}

export function createSegmentSample(most: number, random: Random): SegmentSample {
  const kept: SegmentSpans[] = [];
  let seen = 0;
  return {
    add(spans) {
      const at = seen++ < most ? kept.length : random.below(seen);
      if (at < most) kept[at] = keepSegment(spans);
    },
    get seen() {
      return seen;
    },
    take: () =>
      kept.sort((a, b) => a.appendMs - b.appendMs || a.partition - b.partition || a.firstOffset - b.firstOffset),
  };
}

/** A copy that pins nothing larger than itself: a record is a slice of all that was read with it. */
const keepSegment = (spans: SegmentSpans): SegmentSpans => ({
  ...spans,
  records: spans.records.map((record) => record.slice()),
  places: spans.places.slice(0, spans.spanCount * PLACE_STRIDE),
});
