/**
 * Durations are of one clock, starts of different hosts are not. A span of another service that does not lie inside its
 * caller is taken to be there all the same: in the middle, half of what is left over on each way (as Jaeger's clock-skew
 * adjuster does). So a call's own time is its duration minus its callee's, whatever the clocks say.
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment } from '../../traces/segment.ts';

/** Columns over the nodes of the segment read last; reused. */
export interface Clocks {
  /** To be added to a node's start, nanoseconds. */
  shiftNs: Float64Array;
  /** Own time with the clocks aligned; NaN where it is unknown. */
  selfNs: Float64Array;
}

export const createClocks = (): Clocks => ({ shiftNs: new Float64Array(256), selfNs: new Float64Array(256) });

export function alignClocks(clocks: Clocks, segment: Segment): void {
  const { spanCount, parent, service, startNs, durationNs, orphan, kind } = segment;
  if (clocks.shiftNs.length < spanCount) {
    clocks.shiftNs = new Float64Array(2 * spanCount);
    clocks.selfNs = new Float64Array(2 * spanCount);
  }
  const { shiftNs, selfNs } = clocks;
  shiftNs[0] = 0;
  selfNs[0] = segment.selfNs[0]!;
  let apart = false;
  for (let i = 1; i < spanCount; i++) {
    const up = parent[i]!;
    const base = shiftNs[up]!;
    selfNs[i] = segment.selfNs[i]!;
    shiftNs[i] = base;
    if (service[i] === service[up]) continue;
    const from = startNs[i]! + base;
    const upFrom = startNs[up]! + base;
    const upEnd = upFrom + durationNs[up]!;
    const end = from + durationNs[i]!;
    if (from >= upFrom && (end <= upEnd || kind[i] === SpanKind.consumer || (Number.isNaN(end) && from <= upEnd)))
      continue;
    const left = durationNs[up]! - durationNs[i]!;
    // longer than its caller (who gave up waiting), or of unknown length: where it began may well be right
    if (!(left >= 0) && from >= upFrom && !(from > upEnd)) continue;
    shiftNs[i] = upFrom + (left > 0 ? left / 2 : 0) - startNs[i]!;
    if (orphan[i] === 0) apart = true;
  }
  if (apart) realign(clocks, segment);
}

/** Own times of the nodes that have a child on another clock. */
function realign({ shiftNs, selfNs }: Clocks, segment: Segment): void {
  const { spanCount, firstChild, nextSibling, orphan } = segment;
  for (let i = 0; i < spanCount; i++) {
    for (let child = firstChild[i]!; child >= 0; child = nextSibling[child]!) {
      if (shiftNs[child] === shiftNs[i] || orphan[child] !== 0) continue;
      selfNs[i] = ownTime(segment, i, shiftNs);
      break;
    }
  }
}

/** Duration minus the union of the children's intervals, these in any order. */
function ownTime(segment: Segment, i: number, shiftNs: Float64Array): number {
  const { startNs, durationNs, firstChild, nextSibling, orphan } = segment;
  const start = startNs[i]! + shiftNs[i]!;
  const end = start + durationNs[i]!;
  const intervals: [number, number][] = [];
  for (let child = firstChild[i]!; child >= 0; child = nextSibling[child]!) {
    // nobody says that the entry called an orphan: where its own clock puts it is all that is known
    const from = startNs[child]! + (orphan[child] !== 0 ? shiftNs[i]! : shiftNs[child]!);
    intervals.push([from, from + durationNs[child]!]);
  }
  intervals.sort((a, b) => a[0] - b[0]);
  let covered = 0;
  let reached = start;
  for (const [from, to] of intervals) {
    if (from >= end) break;
    if (Number.isNaN(to)) return Number.NaN;
    const upTo = Math.min(to, end);
    if (upTo > Math.max(from, reached)) {
      covered += upTo - Math.max(from, reached);
      reached = upTo;
    }
  }
  return durationNs[i]! - covered;
}
