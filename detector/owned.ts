/** A partition that this detector owns, and how far it has come there. */
import type { Assignment } from '../runtime/log/port.ts';

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
}

export const ownedFrom = (assignment: Assignment, offset: number): Owned => ({
  assignment,
  committed: assignment.committed,
  ...beginningAt(offset),
});

/** Reading begins anew, at `offset`. */
export const beginningAt = (offset: number) => ({
  firstMs: Number.POSITIVE_INFINITY,
  step: 0,
  position: offset,
  said: offset,
});
