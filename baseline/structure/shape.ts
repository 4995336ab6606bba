/**
 * A tree with identical sibling subtrees collapsed into one counted node: what signatures are stored as and what the tree
 * edit compares, so that a fan-out of 100 costs as little as one of 2.
 */
import { type ByteReader, type ByteWriter, readFloat, readVarint, writeFloat, writeVarint } from './bytes.ts';
import { countBucket, mix } from './hash.ts';
import { MULTISET, type Tree } from './tree.ts';

/** Nodes in pre-order, siblings by label hash, then subtree key: the same for every segment with this multiset key. */
export interface Shape {
  readonly setKey: number;
  readonly labelHash: Float64Array;
  /** −1 for the entry. */
  readonly parent: Int32Array;
  /** Count bucket of identical siblings, and of spans folded into the node. */
  readonly count: Uint8Array;
  readonly folds: Uint8Array;
}

/** A larger collapsed tree is not kept as a signature. */
export const MAX_SHAPE_NODES = 2_048;

/** Collapsed nodes of a tree, pre-order: the tree's node they stand for, parent (index here), how many. */
export interface Collapsed {
  size: number;
  node: Int32Array;
  parent: Int32Array;
  count: Int32Array;
}

/**
 * Collapses a keyed tree (`keyTree`). `rank` orders siblings with different labels; ties by label hash, then subtree key.
 * Null when more than `most` nodes are left.
 */
export function collapse(
  tree: Tree,
  most: number,
  rank?: (parentLabel: number, label: number) => number,
): Collapsed | null {
  const { segment, first, next, multisetKey } = tree;
  const { label, symbols } = segment;
  const node: number[] = [0];
  const parent: number[] = [-1];
  const count: number[] = [1];
  // Depth first with an explicit stack of (node, index in the result): a chain of thousands must not overflow.
  const stackNode: number[] = [];
  const stackParent: number[] = [];
  const stackCount: number[] = [];
  const push = (i: number, at: number): void => {
    const children: { node: number; count: number; rank: number; hash: number; key: number }[] = [];
    const seen = new Map<number, number>();
    for (let child = first[i]!; child >= 0; child = next[child]!) {
      const key = multisetKey[child]!;
      const known = seen.get(key);
      if (known !== undefined) {
        children[known]!.count++;
        continue;
      }
      seen.set(key, children.length);
      const order = rank === undefined ? 0 : rank(label[i]!, label[child]!);
      children.push({ node: child, count: 1, rank: order, hash: symbols.labelHash(label[child]!), key });
    }
    if (children.length > 1) children.sort((x, y) => x.rank - y.rank || x.hash - y.hash || x.key - y.key);
    for (let c = children.length - 1; c >= 0; c--) {
      stackNode.push(children[c]!.node);
      stackParent.push(at);
      stackCount.push(children[c]!.count);
    }
  };
  push(0, 0);
  while (stackNode.length > 0) {
    if (node.length + stackNode.length > most) return null;
    const i = stackNode.pop()!;
    const at = node.length;
    node.push(i);
    parent.push(stackParent.pop()!);
    count.push(stackCount.pop()!);
    push(i, at);
  }
  return {
    size: node.length,
    node: Int32Array.from(node),
    parent: Int32Array.from(parent),
    count: Int32Array.from(count),
  };
}

/** The shape of a keyed tree, null when it is too large to keep. */
export function shapeOf(tree: Tree): Shape | null {
  const collapsed = collapse(tree, MAX_SHAPE_NODES);
  if (collapsed === null) return null;
  const { size, node, parent, count } = collapsed;
  const labelHash = new Float64Array(size);
  const counts = new Uint8Array(size);
  const folds = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    labelHash[i] = tree.segment.symbols.labelHash(tree.segment.label[node[i]!]!);
    counts[i] = countBucket(count[i]!);
    folds[i] = countBucket(tree.folds[node[i]!]!);
  }
  return { setKey: tree.setKey[0]!, labelHash, parent, count: counts, folds };
}

/** Multiset keys of the subtrees of a shape: what `keyTree` gives for the segments it was made from. */
export function shapeKeys(
  labelHash: ArrayLike<number>,
  parent: ArrayLike<number>,
  count: ArrayLike<number>,
  folds: ArrayLike<number>,
): Float64Array {
  const size = parent.length;
  const keys = new Float64Array(size);
  const children: [key: number, count: number][][] = Array.from({ length: size }, () => []);
  for (let i = size - 1; i >= 0; i--) {
    let key = mix(labelHash[i]!, MULTISET + 65536 * folds[i]!);
    for (const [child, times] of children[i]!.sort((x, y) => x[0] - y[0])) key = mix(key, mix(child, times));
    keys[i] = key;
    if (i > 0) children[parent[i]!]!.push([key, count[i]!]);
  }
  return keys;
}

export function writeShape(writer: ByteWriter, shape: Shape): void {
  writeFloat(writer, shape.setKey);
  writeVarint(writer, shape.parent.length);
  for (let i = 0; i < shape.parent.length; i++) {
    writeFloat(writer, shape.labelHash[i]!);
    writeVarint(writer, shape.parent[i]! + 1);
    writeVarint(writer, shape.count[i]!);
    writeVarint(writer, shape.folds[i]!);
  }
}

export function readShape(reader: ByteReader): Shape {
  const setKey = readFloat(reader);
  const size = readVarint(reader);
  if (size > MAX_SHAPE_NODES) reader.fail();
  const labelHash = new Float64Array(size);
  const parent = new Int32Array(size);
  const count = new Uint8Array(size);
  const folds = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    labelHash[i] = readFloat(reader);
    parent[i] = readVarint(reader) - 1;
    count[i] = readVarint(reader);
    folds[i] = readVarint(reader);
    if (parent[i]! >= i) reader.fail();
  }
  return { setKey, labelHash, parent, count, folds };
}
