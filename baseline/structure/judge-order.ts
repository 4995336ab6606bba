/**
 * The order of the calls of one segment. It is no part of a tree's key: concurrent calls come in any order, and what is
 * remembered of a tree must hold for all of them. So it is judged anew for each segment, and added.
 */
import { type Feature, feature, LISTED_P } from './feature.ts';
import { createOrderSpace, type OrderSpace, REPEATED, readOrder, TOGETHER } from './order.ts';
import { orderOf, repeatOf } from './order-table.ts';
import { claim } from './pooled.ts';
import type { Tables } from './tables.ts';
import type { Tree } from './tree.ts';

export interface OrderResult {
  /** Of the most unusual order, with as many tried as there are. */
  p: number;
  severity: number;
  readonly features: Feature[];
  readonly space: OrderSpace;
}

export const createOrderResult = (): OrderResult => ({
  p: 1,
  severity: 0,
  features: [],
  space: createOrderSpace(),
});

const MAX_FEATURES = 16;
/** Less than that of a call that was left out: an order alone is never near-certain. */
const SEVERITY = 0.5;

/**
 * Presence only: both spans are there. What comes first is not judged by what may not have come yet: a missing span makes
 * others neighbours, but does not turn them round.
 */
export function judgeOrder(tables: Tables, tree: Tree, absence: boolean, out: OrderResult): void {
  const { segment, node, first, next, above } = tree;
  const { orders } = tables;
  out.p = 1;
  out.severity = 0;
  out.features.length = 0;
  if (orders.parents.size === 0) return;
  const { space } = out;
  const { label, spanCount } = segment;
  let rarest = -1;
  let tested = 0;
  for (let i = 0; i < spanCount; i++) {
    if (node[i] !== i || first[i]! < 0 || next[first[i]!]! < 0) continue;
    const parent = tables.own(segment, label[i]!);
    if (parent < 0 || !tables.labels[parent]!.ordered) continue;
    const pairs = readOrder(tree, i, space);
    for (let at = 0; at < pairs; at++) {
      const relation = space.relation[at]!;
      const same = space.first[at] === space.second[at];
      if (!same && relation === TOGETHER) continue;
      // One directly after another: what stood between them may have got lost.
      if (same && relation === REPEATED && !absence) continue;
      const x = tables.own(segment, space.first[at]!);
      const y = tables.own(segment, space.second[at]!);
      if (x < 0 || y < 0) continue;
      const order = same ? repeatOf(orders, parent, x, relation) : orderOf(orders, parent, x, y);
      if (order < 0) continue;
      tested++;
      const p = orders.p[order]!;
      if (p === 1) continue;
      if (rarest < 0 || p < orders.p[rarest]!) rarest = order;
      if (orders.own[order]! > LISTED_P || out.features.length >= MAX_FEATURES) continue;
      out.severity = SEVERITY;
      const listed = claim(p, orders.own[order]!, orders.of[order]!);
      out.features.push(
        feature(
          'order',
          same,
          space.firstNode[at]!,
          above[space.firstNode[at]!]!,
          listed,
          SEVERITY,
          orders.of[order]!,
          {
            count: orders.other[order]!,
            other: space.secondNode[at]!,
          },
        ),
      );
    }
  }
  if (rarest < 0) return;
  // One of many pairs may be unusual by chance.
  out.p = Math.min(1, claim(orders.p[rarest]!, orders.own[rarest]!, orders.of[rarest]!, tested));
}
