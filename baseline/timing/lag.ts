/**
 * Asynchronous lag: from the start of a PRODUCER span to that of the CONSUMER span under it. Two clocks: a lag below zero is
 * theirs and says nothing, and what it claims never goes beyond its sample (model.ts).
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment } from '../../traces/segment.ts';

/** Nanoseconds; −1 where node `i` has none. */
export function lagOf(segment: Segment, i: number): number {
  if (segment.kind[i] !== SpanKind.consumer) return -1;
  const up = segment.parent[i]!;
  if (up < 0 || segment.orphan[i] !== 0 || segment.kind[up] !== SpanKind.producer) return -1;
  const lag = segment.startNs[i]! - segment.startNs[up]!;
  return lag >= 0 ? lag : -1;
}
