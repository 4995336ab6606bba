/** Counts one segment into a partial. */

import { SpanKind } from '../../schemas/otlp/fields.ts';
import { Outcome, type Segment } from '../../traces/segment.ts';
import type { LearnContext } from '../model.ts';
import { createFollowSpace, type FollowSpace, readFollows } from './follow.ts';
import { placeOf } from './follow-table.ts';
import { mix } from './hash.ts';
import { createOrderSpace, type OrderSpace, pairKey, readOrder } from './order.ts';
import type { StructurePartial } from './partial.ts';
import { shapeOf } from './shape.ts';
import { cellOf, type Occasion, observe, observeKey, occasionOf, RowKind } from './tally.ts';
import { childSetKey, createTree, groupChildren, keyTree, outcomeClass, readTree, type Tree } from './tree.ts';

/** The parent of every entry span: what the edge to an entry operation hangs under. */
export const ROOT = 0x0e57a7;

/** Sets with more labels are counted, but their labels are not spelled out. */
const MAX_SET_LABELS = 64;
const MAX_SHAPE_NODES_TOTAL = 1_000_000;

export interface LearnSpace {
  tree: Tree | undefined;
  path: Float64Array;
  readonly occasion: Occasion;
  readonly order: OrderSpace;
  readonly follow: FollowSpace;
}

export const createLearnSpace = (): LearnSpace => ({
  tree: undefined,
  path: new Float64Array(64),
  occasion: { bucket: 0, client: 0, bin: 0 },
  order: createOrderSpace(),
  follow: createFollowSpace(),
});

/**
 * Head-sampled segments count once, as they are: structure holds under sampling, and evidence is what was really seen
 * (CONVENTIONS, Sampling).
 */
export function learnSegment(
  partial: StructurePartial,
  segment: Segment,
  context: LearnContext,
  space: LearnSpace,
): void {
  if (segment.spanCount === 0) return;
  if (context.quarantined) {
    partial.quarantined++;
    return;
  }
  partial.segments++;
  space.tree ??= createTree(segment);
  const { tree, occasion } = space;
  readTree(tree, segment);
  keyTree(tree);
  occasionOf(context, occasion);
  if (space.path.length < segment.spanCount) space.path = new Float64Array(segment.spanCount * 2);
  const { path } = space;
  const { tally, labels } = partial;
  const { label, symbols } = segment;
  const { node, above, folds, failed } = tree;
  const { order, follow } = space;

  const entry = symbols.labelHash(label[0]!);
  const entryClass = failed[0]!;
  // Above an entry whose parent was lost there may be anything: its paths say nothing about required ancestors.
  const whole = !tree.cut && segment.entryReason !== 'parent-missing' && segment.entryReason !== 'orphan';
  observe(tally, occasion, RowKind.node, ROOT, 0, 0, 0);
  observe(tally, occasion, RowKind.edge, ROOT, entry, 0, 0);
  for (let i = 0; i < segment.spanCount; i++) {
    if (i > 0) {
      partial.spans++;
      if (segment.orphan[i] === 1) partial.orphans++;
    }
    if (node[i] !== i) continue;
    const hash = symbols.labelHash(label[i]!);
    const outcome = outcomeClass(tree, i);
    const up = above[i]! < 0 ? ROOT : path[above[i]!]!;
    const key = mix(up, hash);
    path[i] = key;
    if (whole) observeKey(tally, occasion, key, RowKind.path, up, hash, 0, 0);
    if (observe(tally, occasion, RowKind.node, hash, 0, outcome, 0) && !labels.has(hash)) {
      labels.set(hash, symbols.labelText(label[i]!));
    }
    const groups = groupChildren(tree, i);
    let total = 0;
    for (let g = 0; g < groups; g++) {
      const child = symbols.labelHash(tree.groupLabel[g]!);
      const count = tree.groupCount[g]!;
      total += count;
      observe(tally, occasion, RowKind.edge, hash, child, outcome, g);
      observe(tally, occasion, RowKind.cell, hash, child, cellOf(count), 0);
    }
    if (total > 0) observe(tally, occasion, RowKind.cell, hash, 0, cellOf(total), 0);
    if (folds[i]! > 1) {
      observe(tally, occasion, RowKind.edge, hash, hash, outcome, 0);
      observe(tally, occasion, RowKind.cell, hash, hash, cellOf(folds[i]!), 0);
    }
    const set = childSetKey(tree, groups);
    if (isClientCall(segment, i)) {
      observe(tally, occasion, RowKind.answer, hash, 0, isAnswered(tree, i) ? 1 : 0, 0);
    }
    if (groups > 1) {
      const follows = readFollows(tree, i, follow);
      for (let at = 0; at < follows; at++) {
        const place = placeOf(hash, set, follow.before[at]!);
        observe(tally, occasion, RowKind.follow, place, follow.next[at]!, 0, 0);
      }
      const pairs = readOrder(tree, i, order);
      for (let at = 0; at < pairs; at++) {
        const first = symbols.labelHash(order.first[at]!);
        const second = symbols.labelHash(order.second[at]!);
        const pair = pairKey(first, second);
        const relation = order.relation[at]!;
        if (observe(tally, occasion, RowKind.order, hash, pair, relation, 0) && !partial.orders.has(pair)) {
          partial.orders.set(pair, first < second ? [first, second] : [second, first]);
        }
      }
    }
    if (observe(tally, occasion, RowKind.set, hash, set, outcome, 0) && groups <= MAX_SET_LABELS) {
      if (!partial.sets.has(set)) partial.sets.set(set, setLabels(tree, groups));
    }
  }
  const multiset = tree.multisetKey[0]!;
  if (tree.cut) return; // a cut tree is no signature
  observe(tally, occasion, RowKind.counted, mix(entry, multiset), tree.countKey[0]!, 0, 0);
  const isNew = observe(tally, occasion, RowKind.signature, entry, multiset, entryClass, 0);
  if (isNew && !partial.shapes.has(multiset) && partial.shapeNodes < MAX_SHAPE_NODES_TOTAL) {
    const shape = shapeOf(tree);
    if (shape !== null) {
      partial.shapes.set(multiset, shape);
      partial.shapeNodes += shape.parent.length;
    }
  }
}

/** A call of another process, perhaps, that succeeded as its caller sees it: somebody must have received it. */
export const isClientCall = (segment: Segment, i: number): boolean =>
  (segment.kind[i] === SpanKind.client || segment.kind[i] === SpanKind.unspecified) &&
  segment.outcome[i]! < Outcome.clientError &&
  !segment.truncated;

/** Whether a span of another service came beneath it. */
export function isAnswered(tree: Tree, i: number): boolean {
  const { service } = tree.segment;
  for (let child = tree.first[i]!; child >= 0; child = tree.next[child]!)
    if (service[child] !== service[i]) return true;
  return false;
}

function setLabels(tree: Tree, groups: number): number[] {
  const { symbols } = tree.segment;
  const hashes: number[] = [];
  for (let g = 0; g < groups; g++) hashes.push(symbols.labelHash(tree.groupLabel[g]!));
  return hashes.sort((x, y) => x - y);
}
