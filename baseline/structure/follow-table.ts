/** A version's transitions as scoring looks them up. */
import type { StructureLines } from './entries.ts';
import { mix } from './hash.ts';
import { createNumberTable, insert, lookUp, type NumberTable } from './number-table.ts';
import { createPool, ownP } from './pooled.ts';

/** What happens in a fifth of the cases is no evidence. */
const COMMON = 0.2;

export interface FollowTable {
  /** Place → row; place and next block → the same rows further on. */
  readonly places: NumberTable;
  readonly nexts: NumberTable;
  /** By row: p by the place alone and pooled, 1 where it is usual; observations of the place. */
  readonly own: Float64Array;
  readonly p: Float64Array;
  readonly of: Float64Array;
}

/**
 * A place in the order of one call's calls. Their set is part of it: that a call is missing is no matter of order, and where
 * a span got lost nothing is known of the place.
 */
export const placeOf = (parentHash: number, childSet: number, before: number): number =>
  mix(mix(parentHash, childSet), before);

export function buildFollows(lines: StructureLines): FollowTable {
  const rows = lines.follows.reduce((sum, line) => sum + line.next.length + 1, 0);
  const places = createNumberTable(lines.follows.length);
  const nexts = createNumberTable(rows);
  const own = new Float64Array(rows);
  const below = new Float64Array(rows);
  const of = new Float64Array(rows);
  /** Each kind of observation: how often it or something rarer came there, of how many, and how often it did. */
  const rates: [number, number, number][] = [];
  let all = 0;
  let row = 0;
  for (const { place, unseen, next } of lines.follows) {
    const here = next.reduce((sum, [, times]) => sum + times, unseen);
    all += here;
    rates.push([unseen, here, unseen]);
    insert(places, place, row);
    own[row] = ownP([unseen, here]);
    below[row] = unseen;
    of[row++] = here;
    // The share of what comes next at most as often, what is unknown among it.
    const rising = [...next].sort((x, y) => x[1] - y[1] || x[0] - y[0]);
    let sum = unseen;
    for (let from = 0, to = 0; from < rising.length; from = to) {
      for (; to < rising.length && rising[to]![1] === rising[from]![1]; to++) sum += rising[to]![1];
      for (const [key, times] of rising.slice(from, to)) {
        insert(nexts, mix(place, key), row);
        own[row] = ownP([sum, here]);
        below[row] = sum;
        if (own[row]! < COMMON) rates.push([sum, here, times]);
        of[row++] = here;
      }
    }
  }
  const pool = createPool(rates, all);
  const p = own.map((value, at) => (value >= COMMON ? 1 : pool.p([below[at]!, of[at]!])));
  return { places, nexts, own, p, of };
}

/** Row of a transition; −1 where nothing is known of the place. */
export function followOf(follows: FollowTable, place: number, next: number): number {
  const unseen = lookUp(follows.places, place);
  if (unseen < 0) return -1;
  const row = lookUp(follows.nexts, mix(place, next));
  return row < 0 ? unseen : row;
}
