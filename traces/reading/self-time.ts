/** Self time: a span's duration minus the union of its children's intervals inside it (DETECTION §2). */
import type { Segment } from '../segment.ts';

/**
 * Fills `selfNs`. Needs startNs, durationNs, firstChild and nextSibling, siblings by start. Of a span of unknown duration,
 * or with a child inside it whose end nobody knows, it is unknown too: NaN.
 */
export function fillSelfTimes(segment: Segment): void {
  const { spanCount, firstChild, nextSibling, startNs, durationNs, selfNs } = segment;
  for (let i = 0; i < spanCount; i++) {
    const start = startNs[i]!;
    const end = start + durationNs[i]!;
    let covered = 0;
    let reached = start;
    for (let child = firstChild[i]!; child >= 0; child = nextSibling[child]!) {
      const childStart = startNs[child]!;
      if (childStart >= end) break;
      const from = Math.max(childStart, reached);
      const childEnd = childStart + durationNs[child]!;
      const to = Math.min(childEnd, end);
      if (to > from) {
        covered += to - from;
        reached = to;
      }
      // Not a number: its end is unknown, and so is how much of the parent it took.
      if (Number.isNaN(childEnd)) covered = Number.NaN;
    }
    selfNs[i] = durationNs[i]! - covered;
  }
}
