/**
 * The call tree of a segment as structure sees it: recursion on the same label folded into one node, and the keys of the
 * tree (DETECTION §1). Arrays are reused from segment to segment; nodes keep the index of the span they stand for.
 */
import { Outcome, type Segment } from '../../traces/segment.ts';
import { countBucket, mix } from './hash.ts';

export interface Tree {
  segment: Segment;
  /** Node that span i belongs to: i itself, or the topmost span of the recursion it is folded into. */
  node: Int32Array;
  /** Node above node i; −1 for the entry, and for orphans: nobody knows who called them. */
  above: Int32Array;
  /** Children of node i as a list in time order: first, then next; −1 ends it. */
  first: Int32Array;
  next: Int32Array;
  /** Spans folded into node i. */
  folds: Int32Array;
  /**
   * 1 where the call of node i failed (an error or an HTTP status ≥ 400), or the segment is cut: what is missing below
   * it is no rule's business.
   */
  failed: Uint8Array;
  /**
   * 1 where the call of node i succeeded, but a call somewhere below it failed: what was left out after a failure that the
   * caller swallowed is no broken rule (docs/adr/021).
   */
  degraded: Uint8Array;
  /** Spans were cut off by a cap, or parents of spans that came did not come: missing telemetry, not missing calls. */
  cut: boolean;
  /** Equal for trees with the same nodes, exact counts and outcomes, whatever the order: what scores are memoised by. */
  exact: number;
  /** Filled by `keyTree`: hash of the subtree with bucketed counts, and without counts. */
  multisetKey: Float64Array;
  setKey: Float64Array;
  /** … with exact counts, whatever the outcomes. */
  countKey: Float64Array;
  /** Filled by `groupChildren`: distinct labels of the children of one node, how often, the first node with it. */
  groupLabel: Int32Array;
  groupCount: Int32Array;
  groupFirst: Int32Array;
  /** Sum of mixed hashes of the distinct labels, low and high lane. */
  low: Int32Array;
  high: Int32Array;
  scratch: Float64Array;
  stamp: Int32Array;
  slot: Int32Array;
  stamped: number;
}

export function createTree(segment: Segment): Tree {
  const tree = {
    segment,
    cut: false,
    exact: 0,
    stamped: 0,
    stamp: new Int32Array(64),
    slot: new Int32Array(64),
  } as Tree;
  reserve(tree, 64);
  return tree;
}

function reserve(tree: Tree, size: number): void {
  tree.node = new Int32Array(size);
  tree.above = new Int32Array(size);
  tree.first = new Int32Array(size);
  tree.next = new Int32Array(size);
  tree.folds = new Int32Array(size);
  tree.failed = new Uint8Array(size);
  tree.degraded = new Uint8Array(size);
  tree.multisetKey = new Float64Array(size);
  tree.setKey = new Float64Array(size);
  tree.countKey = new Float64Array(size);
  tree.groupLabel = new Int32Array(size);
  tree.groupCount = new Int32Array(size);
  tree.groupFirst = new Int32Array(size);
  tree.low = new Int32Array(size);
  tree.high = new Int32Array(size);
  tree.scratch = new Float64Array(size);
}

const TWO_32 = 4294967296;

/** Outcome class of a call: rules and child sets are learned of each by itself. */
export const OK = 0;
export const FAILED = 1;
/** Succeeded, though something below it failed. */
export const DEGRADED = 2;
export type OutcomeClass = typeof OK | typeof FAILED | typeof DEGRADED;

export const OUTCOMES: readonly OutcomeClass[] = [OK, FAILED, DEGRADED];

export const outcomeClass = (tree: Tree, i: number): OutcomeClass =>
  tree.failed[i] === 1 ? FAILED : tree.degraded[i] === 1 ? DEGRADED : OK;

/** Points the tree at a segment: folds recursion, links children, computes the exact key. Linear, no allocation. */
export function readTree(tree: Tree, segment: Segment): void {
  const count = segment.spanCount;
  if (tree.node.length < count) reserve(tree, Math.max(count, tree.node.length * 2));
  tree.segment = segment;
  const { node, above, first, next, folds, failed, degraded, low, high } = tree;
  const { parent, label, outcome, orphan, symbols } = segment;
  tree.cut = segment.truncated;
  for (let i = 1; i < count && !tree.cut; i++) if (orphan[i] === 1) tree.cut = true;
  const fails = tree.cut ? Outcome.unknown : Outcome.clientError;
  for (let i = 0; i < count; i++) {
    first[i] = -1;
    folds[i] = 1;
    low[i] = 0;
    high[i] = 0;
    failed[i] = outcome[i]! >= fails ? 1 : 0;
    degraded[i] = 0;
    if (i === 0) {
      node[0] = 0;
      above[0] = -1;
      continue;
    }
    if (orphan[i] === 1) {
      node[i] = i;
      above[i] = -1;
      continue;
    }
    const up = node[parent[i]!]!;
    if (label[up] === label[i]) {
      node[i] = up;
      folds[up]!++;
    } else {
      node[i] = i;
      above[i] = up;
    }
  }
  for (let i = count - 1; i >= 0; i--) {
    if (node[i] !== i) continue;
    // Sums of mixed child hashes do not depend on order, so siblings need no sorting here.
    const hash = symbols.labelHash(label[i]!);
    let a = (hash | 0) ^ Math.imul(low[i]!, 0x9e3779b1);
    let b = ((hash / TWO_32) | 0) ^ Math.imul(high[i]!, 0x85ebca77) ^ (folds[i]! * 2 + failed[i]!);
    a = Math.imul(a ^ (a >>> 15) ^ b, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 13) ^ a, 0xc2b2ae35);
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x27d4eb2f);
    b = Math.imul(b ^ (b >>> 15) ^ a, 0x165667b1);
    a ^= b >>> 16;
    const up = above[i]!;
    if (up >= 0) {
      low[up] = (low[up]! + a) | 0;
      high[up] = (high[up]! + b) | 0;
      if (failed[i] === 1 || degraded[i] === 1) degraded[up] = 1 - failed[up]!;
      next[i] = first[up]!;
      first[up] = i;
    } else if (i > 0) {
      // An orphan counts towards the key of the whole, as something other than a child of the entry.
      low[0] = (low[0]! + (a ^ 0x5bd1e995)) | 0;
      high[0] = (high[0]! + b) | 0;
    } else tree.exact = (b & 0x1fffff) * TWO_32 + (a >>> 0);
  }
}

export const MULTISET = 0x4d53;
const SET = 0x5345;
const COUNTED = 0x434f;

/** Computes the set, multiset and count key of every node's subtree; those of node 0 are the segment's. */
export function keyTree(tree: Tree): void {
  const { segment, node, first, next, folds, multisetKey, setKey, countKey, scratch } = tree;
  const { label, symbols } = segment;
  for (let i = segment.spanCount - 1; i >= 0; i--) {
    if (node[i] !== i) continue;
    const hash = symbols.labelHash(label[i]!);
    let multiset = mix(hash, MULTISET + 65536 * countBucket(folds[i]!));
    let set = mix(hash, SET);
    let exact = mix(hash, COUNTED + 65536 * folds[i]!);
    if (first[i]! >= 0) {
      let children = gather(scratch, first[i]!, next, multisetKey);
      for (let at = 0; at < children; ) {
        const key = scratch[at]!;
        const start = at;
        while (at < children && scratch[at] === key) at++;
        multiset = mix(multiset, mix(key, countBucket(at - start)));
      }
      children = gather(scratch, first[i]!, next, setKey);
      for (let at = 0; at < children; ) {
        const key = scratch[at]!;
        while (at < children && scratch[at] === key) at++;
        set = mix(set, key);
      }
      children = gather(scratch, first[i]!, next, countKey);
      for (let at = 0; at < children; at++) exact = mix(exact, scratch[at]!);
    }
    multisetKey[i] = multiset;
    setKey[i] = set;
    countKey[i] = exact;
  }
}

/** Few siblings are the rule: insertion is faster than a sort call up to here. */
const INSERTION_LIMIT = 24;

function gather(scratch: Float64Array, head: number, next: Int32Array, keys: Float64Array): number {
  let count = 0;
  for (let child = head; child >= 0; child = next[child]!) scratch[count++] = keys[child]!;
  if (count > INSERTION_LIMIT) {
    scratch.subarray(0, count).sort();
    return count;
  }
  for (let i = 1; i < count; i++) {
    const key = scratch[i]!;
    let at = i - 1;
    while (at >= 0 && scratch[at]! > key) {
      scratch[at + 1] = scratch[at]!;
      at--;
    }
    scratch[at + 1] = key;
  }
  return count;
}

/** Distinct labels among the children of node i, in order of first occurrence; returns how many. */
export function groupChildren(tree: Tree, i: number): number {
  const { segment, first, next, groupLabel, groupCount, groupFirst } = tree;
  const { label } = segment;
  if (tree.stamp.length <= segment.symbols.labelCount) {
    const size = Math.max(tree.stamp.length * 2, segment.symbols.labelCount + 1);
    tree.stamp = new Int32Array(size);
    tree.slot = new Int32Array(size);
    tree.stamped = 0;
  }
  if (tree.stamped === 0x7fffffff) {
    tree.stamp.fill(0);
    tree.stamped = 0;
  }
  const mark = ++tree.stamped;
  const { stamp, slot } = tree;
  let groups = 0;
  for (let child = first[i]!; child >= 0; child = next[child]!) {
    const id = label[child]!;
    if (stamp[id] === mark) groupCount[slot[id]!]!++;
    else {
      stamp[id] = mark;
      slot[id] = groups;
      groupLabel[groups] = id;
      groupCount[groups] = 1;
      groupFirst[groups++] = child;
    }
  }
  return groups;
}

/** 53-bit key of a set of labels, given by their summed lanes: independent of order. Empty set: 0. */
export function childSetKey(tree: Tree, groups: number): number {
  if (groups === 0) return 0;
  const { groupLabel, segment } = tree;
  let low = 0;
  let high = 0;
  for (let g = 0; g < groups; g++) {
    const h = mix(segment.symbols.labelHash(groupLabel[g]!), SET);
    low = (low + (h | 0)) | 0;
    high = (high + ((h / TWO_32) | 0)) | 0;
  }
  return mix(low >>> 0, high >>> 0);
}
