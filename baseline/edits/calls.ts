/** Calls as operators name them, in a segment: which spans they mean, and who called whom. */
import type { Call } from '../../schemas/baselines/edit.ts';
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment, Symbols } from '../../traces/segment.ts';

/** A call in the ids of one symbol table; operation −1 = any of the service. */
export interface CallIds {
  readonly service: number;
  readonly operation: number;
}

export const callIds = (call: Call, symbols: Symbols): CallIds => ({
  service: symbols.intern(call.service),
  operation: call.operation === undefined ? -1 : symbols.intern(call.operation),
});

export const isCall = (segment: Segment, i: number, { service, operation }: CallIds): boolean =>
  segment.service[i] === service && (operation < 0 || segment.operation[i] === operation);

/** `orders POST /orders`, or the service alone. */
export const callWords = ({ service, operation }: Call): string =>
  operation === undefined ? service : `${service} ${operation}`;

const isOutgoing = (kind: number): boolean => kind === SpanKind.client || kind === SpanKind.producer;

/**
 * The span of `parent` that called span `i`, −1 when it did not: its parent span, or the one above where the parent is only
 * the caller's side of the same call (a client or producer span).
 */
export function callerIn(segment: Segment, i: number, parent: CallIds): number {
  if (i === 0 || segment.orphan[i] === 1) return -1;
  const up = segment.parent[i]!;
  if (isCall(segment, up, parent)) return up;
  if (up === 0 || segment.orphan[up] === 1 || !isOutgoing(segment.kind[up]!)) return -1;
  const above = segment.parent[up]!;
  return isCall(segment, above, parent) ? above : -1;
}

/** Whether span `i` was called by span `parent`, seen as above. */
export function isCalledBy(segment: Segment, i: number, parent: number): boolean {
  if (i === 0 || segment.orphan[i] === 1) return false;
  const up = segment.parent[i]!;
  if (up === parent) return true;
  return up > 0 && segment.orphan[up] !== 1 && isOutgoing(segment.kind[up]!) && segment.parent[up] === parent;
}
