/** A partition that this detector owns, and how far it has come there. */
import type { Assignment } from '../runtime/log/port.ts';
import type { Reached } from '../schemas/log/actor-events-codec.ts';

export interface Owned {
  readonly assignment: Assignment;
  /** Log-append time of the first record read since it was taken over: no older one can be judged. */
  firstMs: number;
  /** Stream time, in steps. */
  step: number;
  /** Offset of the next record. */
  position: number;
  committed: number;
  /** Everything below it had its say in the log when `say` last ended; what rows are durable is another matter. */
  said: number;
  /** Up to where its events for actors were said; null when nothing is known of it. */
  eventsSaid: Reached | null;
  /** Up to there what is read was read before, and its events said; null when nothing is read again. */
  repeats: Repeats | null;
}

export interface Repeats {
  readonly until: Reached;
  /** By this process, which still knows what it told of each verdict. */
  readonly own: boolean;
}

/** `eventsSaid`: by whoever had the partition before. */
export const ownedFrom = (assignment: Assignment, offset: number, eventsSaid: Reached | null): Owned => ({
  assignment,
  committed: assignment.committed,
  eventsSaid,
  repeats: eventsSaid === null || eventsSaid.position < offset ? null : { until: eventsSaid, own: false },
  ...beginningAt(offset),
});

/** Reading begins anew, at `offset`. */
export const beginningAt = (offset: number) => ({
  firstMs: Number.POSITIVE_INFINITY,
  step: 0,
  position: offset,
  said: offset,
});
