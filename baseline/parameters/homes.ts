/**
 * The home of a span: the span in which its service took the work up (server, consumer, or the first of that service).
 * Statements and egress belong to the home's operation: what an operator calls "the operation".
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment } from '../../traces/segment.ts';

/** Fills `homes[i]` with the index of span i's home. Pre-order: one pass. */
export const fillHomes = (segment: Segment, homes: Int32Array): void => {
  const { spanCount, parent, kind, service } = segment;
  for (let i = 0; i < spanCount; i++) {
    const up = parent[i]!;
    const taken = up < 0 || service[up] !== service[i] || kind[i] === SpanKind.server || kind[i] === SpanKind.consumer;
    homes[i] = taken ? i : homes[up]!;
  }
};

/**
 * An outgoing call. Reading leaves its path and query to the callee when that is present, so which parameters it has
 * says whether a span got lost, not what was sent: it has no schema of its own.
 */
export const isOutgoing = (kind: number): boolean => kind === SpanKind.client || kind === SpanKind.producer;
