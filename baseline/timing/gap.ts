/**
 * A client span with just its server span under it: its self time is network and queueing on the way to the callee, so what
 * moves there is laid at the callee's door (DETECTION §2).
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment } from '../../traces/segment.ts';

/** Index of the server span when node `i` is a call to another service, else −1. */
export function calleeOf(segment: Segment, i: number): number {
  if (segment.childCount[i] !== 1) return -1;
  const kind = segment.kind[i]!;
  if (kind !== SpanKind.client && kind !== SpanKind.unspecified) return -1;
  const child = segment.firstChild[i]!;
  return segment.service[child] === segment.service[i] ? -1 : child;
}
