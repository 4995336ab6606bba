/** How often a call makes another: both tails of the count (DETECTION §1). */
import type { Cells } from './entries.ts';
import { cellOf } from './tally.ts';

/** Counts of one child under one parent: cells ascending, observations at or below each. */
export interface Fan {
  readonly cells: readonly number[];
  readonly atMost: readonly number[];
  readonly total: number;
  readonly max: number;
}

/** Evidence of one feature goes at most 0.3 decade beyond 1/(N+1) (DETECTION §1). */
const BEYOND = 0.3;

export function buildFan(counts: Cells, max: number): Fan {
  // Plain arrays: most hold one number, and a typed array takes a hundred bytes before its first.
  const cells = counts.map(([cell]) => cell);
  const atMost: number[] = [];
  let total = 0;
  for (let i = 0; i < cells.length; i++) {
    total += counts[i]![1];
    atMost.push(total);
  }
  return { cells, atMost, total, max };
}

/** Both tails of a count: beyond the largest ever, at most 0.3 decade more than the sample can say. */
export function fanP(fan: Fan, times: number, lowerTail: boolean, active: boolean): number {
  const { cells, atMost, total } = fan;
  const last = cells.length - 1;
  if (last < 0) return 1;
  const cell = cellOf(times);
  if (cell > cells[last]!) {
    const beyond = active ? BEYOND * Math.min(1, Math.log2(times / Math.max(1, fan.max)) / 3) : 0;
    return 10 ** -Math.max(0, beyond) / (total + 1);
  }
  if (last === 0 && cell === cells[0]!) return 1;
  let at = 0;
  while (cells[at]! < cell) at++;
  const up = (1 + total - (at > 0 ? atMost[at - 1]! : 0)) / (total + 1);
  const down = lowerTail ? (1 + (cells[at] === cell ? atMost[at]! : at > 0 ? atMost[at - 1]! : 0)) / (total + 1) : 1;
  return Math.min(1, up, down);
}
