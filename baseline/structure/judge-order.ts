/**
 * The order of the calls of one segment. It is no part of a tree's key: concurrent calls come in any order, and what is
 * remembered of a tree must hold for all of them. So it is judged anew for each segment, and added.
 */
import { type Feature, feature, LISTED_P } from './feature.ts';
import { createFollowSpace, type FollowSpace, readFollows } from './follow.ts';
import { followOf, placeOf } from './follow-table.ts';
import { createOrderSpace, type OrderSpace, readOrder, TOGETHER } from './order.ts';
import { orderOf } from './order-table.ts';
import { claim } from './pooled.ts';
import type { Tables } from './tables.ts';
import { childSetKey, groupChildren, type Tree } from './tree.ts';

export interface OrderResult {
  /** Of what is most unusual, with as much tried as there is. */
  p: number;
  severity: number;
  readonly features: Feature[];
  readonly space: OrderSpace;
  readonly follow: FollowSpace;
}

export const createOrderResult = (): OrderResult => ({
  p: 1,
  severity: 0,
  features: [],
  space: createOrderSpace(),
  follow: createFollowSpace(),
});

export const MAX_ORDER_FEATURES = 16;
/** Less than that of a call that was left out: an order alone is never near-certain. */
const SEVERITY = 0.5;

/**
 * Which of two came first is judged at once: both spans are there, and one that is missing makes others neighbours but does
 * not turn them round. What directly follows is judged once what is missing counts (`absence`).
 */
export function judgeOrder(tables: Tables, tree: Tree, absence: boolean, out: OrderResult): void {
  const { segment, node, first, next, above } = tree;
  const { orders, follows } = tables;
  out.p = 1;
  out.severity = 0;
  out.features.length = 0;
  const { space, follow } = out;
  const { label, spanCount, symbols } = segment;
  let rarest = -1;
  let tested = 0;
  let oddest = -1;
  let steps = 0;
  const add = (one: Feature): void => {
    out.severity = SEVERITY;
    if (out.features.length < MAX_ORDER_FEATURES) out.features.push(one);
  };
  for (let i = 0; i < spanCount; i++) {
    if (node[i] !== i || first[i]! < 0 || next[first[i]!]! < 0) continue;
    const parent = tables.own(segment, label[i]!);
    if (parent < 0) continue;
    const before = out.features.length;
    const pairs = tables.labels[parent]!.ordered ? readOrder(tree, i, space) : 0;
    for (let at = 0; at < pairs; at++) {
      if (space.relation[at] === TOGETHER) continue;
      const x = tables.own(segment, space.first[at]!);
      const y = tables.own(segment, space.second[at]!);
      if (x < 0 || y < 0) continue;
      const order = orderOf(orders, parent, x, y);
      if (order < 0) continue;
      tested++;
      const p = orders.p[order]!;
      if (p === 1) continue;
      if (rarest < 0 || p < orders.p[rarest]!) rarest = order;
      if (orders.own[order]! > LISTED_P) continue;
      const of = orders.of[order]!;
      const from = space.firstNode[at]!;
      const listed = Math.max(p, claim(orders.own[order]!, of));
      const count = orders.other[order]!;
      add(feature('order', false, from, above[from]!, listed, SEVERITY, of, { count, other: space.secondNode[at]! }));
    }
    if (!absence) continue;
    const hash = symbols.labelHash(label[i]!);
    const set = childSetKey(tree, groupChildren(tree, i));
    const transitions = readFollows(tree, i, follow);
    for (let at = 0; at < transitions; at++) {
      const row = followOf(follows, placeOf(hash, set, follow.before[at]!), follow.next[at]!);
      if (row < 0) continue;
      steps++;
      const p = follows.p[row]!;
      if (p === 1) continue;
      if (oddest < 0 || p < follows.p[oddest]!) oddest = row;
      // What is turned round is said by its pair; and of many odd steps the first tells it.
      if (follows.own[row]! > LISTED_P || out.features.length > before) continue;
      const of = follows.of[row]!;
      const from = follow.nextNode[at]! < 0 ? i : follow.nextNode[at]!;
      const listed = Math.max(p, claim(follows.own[row]!, of));
      add(feature('order', true, from, above[from]!, listed, SEVERITY, of, { other: follow.lastNode[at]! }));
    }
  }
  // One of many may be unusual by chance.
  if (rarest >= 0) out.p = most(orders.p[rarest]! * tested, orders.own[rarest]!, orders.of[rarest]!);
  if (oddest >= 0) out.p = Math.min(out.p, most(follows.p[oddest]! * steps, follows.own[oddest]!, follows.of[oddest]!));
}

const most = (p: number, own: number, of: number): number => Math.min(1, Math.max(p, claim(own, of)));
