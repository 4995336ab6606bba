/** A version's orders as scoring looks them up: by parent and the two calls, the one that came first first. */
import { orderName, type StructureLines } from './entries.ts';
import { createNumberTable, insert, lookUp, type NumberTable } from './number-table.ts';
import { COMMON_ORDER } from './order-lines.ts';
import { createPool, ownP } from './pooled.ts';

export interface OrderTable {
  readonly table: NumberTable;
  readonly size: number;
  /** p of that order, 1 where it is usual; how often the other was learned, of how many observations of the pair. */
  readonly p: Float64Array;
  readonly other: Float64Array;
  /** p by the pair alone. */
  readonly own: Float64Array;
  readonly of: Float64Array;
  /** 1 where the order was never learned, nor both at once. */
  readonly never: Uint8Array;
  /** Parents of which some order is evidence. */
  readonly parents: ReadonlySet<number>;
}

export function buildOrders(lines: StructureLines, index: (text: string) => number | undefined): OrderTable {
  const size = lines.labels.length;
  const table = createNumberTable(lines.orders.length * 2);
  const rows: { parent: number; seen: number; other: number; of: number; never: boolean }[] = [];
  const add = (key: number, parent: number, seen: number, other: number, together: number): void => {
    insert(table, key, rows.length);
    const never = seen + together === 0;
    rows.push({ parent, seen: seen + together, other, of: seen + other + together, never });
  };
  const sorted = [...lines.orders].sort((a, b) => (orderName(a) < orderName(b) ? -1 : 1));
  for (const line of sorted) {
    const parent = index(line.parent);
    const first = index(line.first);
    const second = index(line.second);
    if (parent === undefined || first === undefined || second === undefined) continue;
    add(orderKey(size, parent, first, second), parent, line.before, line.after, line.together);
    add(orderKey(size, parent, second, first), parent, line.after, line.before, line.together);
  }
  // A pair is observed once, in one order or the other: only the unusual one is a novelty.
  const rare = ({ seen, of }: (typeof rows)[number]): boolean => ownP([seen, of]) < COMMON_ORDER;
  const unusual = rows.filter(rare);
  const pool = createPool(unusual.map(({ seen, of }) => [seen, of]));
  const p = new Float64Array(rows.length).fill(1);
  rows.forEach((row, at) => {
    if (rare(row)) p[at] = pool.p([row.seen, row.of]);
  });
  return {
    table,
    size,
    p,
    own: Float64Array.from(rows, ({ seen, of }) => ownP([seen, of])),
    other: Float64Array.from(rows, (row) => row.other),
    of: Float64Array.from(rows, (row) => row.of),
    never: Uint8Array.from(rows, (row) => (row.never ? 1 : 0)),
    parents: new Set(unusual.map((row) => row.parent)),
  };
}

const orderKey = (size: number, parent: number, first: number, second: number): number =>
  (parent * size + first) * size + second;

/** Row of the order `first` before `second` under `parent`, −1 where neither order is evidence. Label indices ≥ 0. */
export const orderOf = (orders: OrderTable, parent: number, first: number, second: number): number =>
  lookUp(orders.table, orderKey(orders.size, parent, first, second));
