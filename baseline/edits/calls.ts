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

/** Tells of each call of `child`, in the order of the trace, which span of `parent` called it, seen as above: in one pass. */
export function eachCalled(
  segment: Segment,
  parent: CallIds,
  child: CallIds,
  called: (caller: number, i: number) => void,
): void {
  for (let i = 1; i < segment.spanCount; i++) {
    if (!isCall(segment, i, child) || segment.orphan[i] === 1) continue;
    const up = segment.parent[i]!;
    if (isCall(segment, up, parent)) called(up, i);
    if (up === 0 || segment.orphan[up] === 1 || !isOutgoing(segment.kind[up]!)) continue;
    // where both sides of a call are of the parent (a whole service), either made it
    const above = segment.parent[up]!;
    if (isCall(segment, above, parent)) called(above, i);
  }
}

/** How often each span of `parent` called `child`; those that never did are not in it. */
export function countsByCaller(segment: Segment, parent: CallIds, child: CallIds): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  eachCalled(segment, parent, child, (caller) => counts.set(caller, (counts.get(caller) ?? 0) + 1));
  return counts;
}
