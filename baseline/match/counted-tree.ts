/** Two kinds of tree in one form for the edit distance: a segment's, and a signature's. Identical siblings are counted. */
import type { SignatureLine } from '../structure/entries.ts';
import { bucketLow, countBucket } from '../structure/hash.ts';
import { collapse, shapeKeys } from '../structure/shape.ts';
import { edgeOf, type Tables } from '../structure/tables.ts';
import type { Tree } from '../structure/tree.ts';

export interface CountedTree {
  readonly size: number;
  /** Pre-order; −1 for the entry. */
  readonly parent: Int32Array;
  /** Label index of the tables; beyond them the segment's label id, for labels never learned. */
  readonly label: Int32Array;
  readonly hash: Float64Array;
  readonly service: Int32Array;
  /** Identical siblings, and spans folded into the node; least counts of their buckets. */
  readonly count: Float64Array;
  readonly folds: Float64Array;
  /** As counted, for words; the least of its bucket below nodes that stand for several, as those need not be quite equal. */
  readonly times: Float64Array;
  /** Multiset key of the subtree. */
  readonly key: Float64Array;
  /** Cost of leaving the node out of the other tree: 1, or OPTIONAL_COST where calls of its parent differ in having it. */
  readonly cost: Float64Array;
}

export const OPTIONAL_COST = 0.1;

/** A segment with more collapsed nodes is compared by its grams alone. */
export const MAX_COMPARED_NODES = 1_024;

function empty(size: number): CountedTree {
  return {
    size,
    parent: new Int32Array(size),
    label: new Int32Array(size),
    hash: new Float64Array(size),
    service: new Int32Array(size),
    count: new Float64Array(size),
    folds: new Float64Array(size),
    times: new Float64Array(size),
    key: new Float64Array(size),
    cost: new Float64Array(size).fill(1),
  };
}

/** Rank of a child among its siblings: the mean rank it was learned with, unknown ones last. */
export const rankIn = (tables: Tables, parent: number, child: number): number => {
  if (parent < 0 || child < 0 || parent >= tables.labels.length || child >= tables.labels.length) return 1e9;
  const edge = edgeOf(tables, parent, child);
  return edge < 0 ? 1e9 : tables.edges[edge]!.rank;
};

function costOf(tables: Tables, parent: number, child: number, failed: boolean): number {
  if (parent >= tables.labels.length || child >= tables.labels.length) return 1;
  const edge = edgeOf(tables, parent, child);
  if (edge < 0) return 1;
  const row = tables.edges[edge]!;
  return (failed ? row.optionalFailed : row.optional) ? OPTIONAL_COST : 1;
}

/** What grams need of a tree: too large to be collapsed and compared, it still has them. */
export function flatFromTree(tree: Tree): Pick<CountedTree, 'size' | 'parent' | 'hash'> {
  const { segment, node, above } = tree;
  const place = new Int32Array(segment.spanCount);
  const parent: number[] = [];
  const hash: number[] = [];
  for (let i = 0; i < segment.spanCount; i++) {
    if (node[i] !== i || (i > 0 && above[i]! < 0)) {
      place[i] = -1;
      continue;
    }
    const up = i === 0 ? -1 : place[above[i]!]!;
    place[i] = i === 0 || up >= 0 ? parent.length : -1;
    if (place[i]! < 0) continue;
    parent.push(up);
    hash.push(segment.symbols.labelHash(segment.label[i]!));
  }
  return { size: parent.length, parent: Int32Array.from(parent), hash: Float64Array.from(hash) };
}

/** Null when it has too many nodes. The tree must be keyed. */
export function countedFromTree(tables: Tables, tree: Tree, failed: boolean): CountedTree | null {
  const { segment } = tree;
  const collapsed = collapse(tree, MAX_COMPARED_NODES, (parent, label) =>
    rankIn(tables, tables.own(segment, parent), tables.own(segment, label)),
  );
  if (collapsed === null) return null;
  const out = empty(collapsed.size);
  const known = tables.labels.length;
  const alone = new Uint8Array(collapsed.size);
  for (let i = 0; i < collapsed.size; i++) {
    const node = collapsed.node[i]!;
    const id = segment.label[node]!;
    const own = tables.own(segment, id);
    const up = collapsed.parent[i]!;
    out.parent[i] = up;
    out.label[i] = own < 0 ? known + id : own;
    out.hash[i] = segment.symbols.labelHash(id);
    const service = tables.ownService(segment, segment.service[node]!);
    out.service[i] = service < 0 ? tables.services.length + segment.service[node]! : service;
    out.count[i] = bucketLow(countBucket(collapsed.count[i]!));
    alone[i] = up < 0 || (alone[up] === 1 && collapsed.count[up] === 1) ? 1 : 0;
    out.times[i] = alone[i] === 1 ? collapsed.count[i]! : out.count[i]!;
    out.folds[i] = bucketLow(countBucket(tree.folds[node]!));
    out.key[i] = tree.multisetKey[node]!;
    out.cost[i] = up < 0 ? 1 : costOf(tables, out.label[up]!, out.label[i]!, failed);
  }
  return out;
}

/** Null when the tables do not hold its labels (a line edited by hand). `failed` as in the cost of leaving nodes out. */
export function countedFromLine(
  tables: Tables,
  line: SignatureLine,
  labelIndex: (text: string) => number,
): CountedTree | null {
  const size = line.nodes.length;
  const own = line.labels.map(labelIndex);
  if (size === 0 || own.some((label) => label < 0)) return null;
  // Siblings in learned order, so that two trees of one family line up.
  const children: number[][] = line.nodes.map(() => []);
  const hash = line.nodes.map(([label]) => tables.symbols.labelHash(tables.labels[own[label]!]!.id));
  const keys = shapeKeys(
    hash,
    line.nodes.map((node) => node[1]),
    line.nodes.map((node) => node[2]),
    line.nodes.map((node) => node[3]),
  );
  line.nodes.forEach(([, parent], i) => {
    if (parent >= 0) children[parent]!.push(i);
  });
  const out = empty(size);
  const stack: [node: number, parent: number][] = [[0, -1]];
  let at = 0;
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const [node, parent] = top;
    const [label, , count, folds] = line.nodes[node]!;
    out.parent[at] = parent;
    out.label[at] = own[label]!;
    out.hash[at] = hash[node]!;
    out.service[at] = tables.labels[own[label]!]!.service;
    out.count[at] = bucketLow(count);
    out.times[at] = bucketLow(count);
    out.folds[at] = bucketLow(folds);
    out.key[at] = keys[node]!;
    out.cost[at] = parent < 0 ? 1 : costOf(tables, out.label[parent]!, own[label]!, false);
    const mine = own[label]!;
    const rank = (child: number): number => rankIn(tables, mine, own[line.nodes[child]![0]]!);
    const order = children[node]!.sort((x, y) => rank(x) - rank(y) || hash[x]! - hash[y]! || keys[x]! - keys[y]!);
    for (let c = order.length - 1; c >= 0; c--) stack.push([order[c]!, at]);
    at++;
  }
  return at === size ? out : null;
}

/** The same signature with the costs that hold for segments whose entry failed. */
export function withFailedCosts(tables: Tables, tree: CountedTree): CountedTree {
  const cost = new Float64Array(tree.size).fill(1);
  for (let i = 1; i < tree.size; i++) cost[i] = costOf(tables, tree.label[tree.parent[i]!]!, tree.label[i]!, true);
  return { ...tree, cost };
}
