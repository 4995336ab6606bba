/**
 * How well parameters are known (DETECTION §7): an operation's observations, shared out over the states of what they held,
 * its schema and each of its parameters and calls. A rare parameter of an operation that is known well is still observed.
 */
import type { CoverageRow, Maturity } from '../model.ts';
import type { OperationData } from './data.ts';

const STATES: readonly Maturity[] = ['observe', 'learning', 'active'];

/** Rows of one operation; their counts add up to its observations. */
export function* coverageOf({ service, operation, state, n, profiles }: OperationData): Iterable<CoverageRow> {
  const held: Record<Maturity, number> = { observe: 0, learning: 0, active: 0 };
  held[state] += n;
  for (const profile of profiles) held[profile.state] += profile.n + profile.hits;
  const all = held.observe + held.learning + held.active;
  let left = n;
  for (const of of STATES) {
    if (held[of] === 0) continue;
    // The last of them takes what rounding left.
    const count = of === lastOf(held) ? left : Math.min(left, Math.round((n * held[of]) / all));
    left -= count;
    if (count > 0) yield { group: 'parameters', service, operation, state: of, count };
  }
}

const lastOf = (held: Readonly<Record<Maturity, number>>): Maturity | undefined =>
  STATES.findLast((state) => held[state] > 0);
