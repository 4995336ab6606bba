/** Edges as scoring reads them: arrays over all of them, the outcome classes of each one after another. */
import { BURSTS, type EdgeForm } from './partial.ts';

export interface EdgeTable {
  readonly count: number;
  /** Segments with the edge and a known outcome on it. */
  readonly segments: Float64Array;
  /** p of a class never seen on the edge. */
  readonly unseen: Float64Array;
  /** First of its classes; the next edge's first ends them. */
  readonly from: Int32Array;
  readonly classes: Int32Array;
  /** By class, segments with at least 2^b spans of it. */
  readonly bursts: Float64Array;
}

export function createEdgeTable(edges: readonly EdgeForm[], beyond: number): EdgeTable {
  const total = edges.reduce((sum, [, , , , classes]) => sum + classes.length, 0);
  const table: EdgeTable = {
    count: edges.length,
    segments: new Float64Array(edges.length),
    unseen: new Float64Array(edges.length),
    from: new Int32Array(edges.length + 1),
    classes: new Int32Array(total),
    bursts: new Float64Array(total * BURSTS),
  };
  let at = 0;
  for (const [k, [, , segments, , classes]] of edges.entries()) {
    table.from[k] = at;
    table.segments[k] = segments;
    let singletons = 0;
    for (const [found, bursts] of classes) {
      table.classes[at] = found;
      for (let b = 0; b < BURSTS; b++) table.bursts[at * BURSTS + b] = bursts[b] ?? 0;
      if (bursts[0] === 1) singletons++;
      at++;
    }
    table.unseen[k] = Math.max(beyond / (segments + 1), singletons / (segments + 1));
  }
  table.from[edges.length] = at;
  return table;
}

/** Place of an edge's class, −1 when it was never seen there. */
export function placeOf(table: EdgeTable, edge: number, found: number): number {
  const end = table.from[edge + 1]!;
  for (let at = table.from[edge]!; at < end; at++) if (table.classes[at] === found) return at;
  return -1;
}

/** Segments in which at least 2^b spans of the class at a place came. */
export const seenAt = (table: EdgeTable, place: number, b: number): number => table.bursts[place * BURSTS + b]!;
