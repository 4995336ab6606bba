/**
 * In which order a call makes its calls: which of two labels came before the other, of siblings that one process timed and
 * that do not overlap. Runs of one label are one block; a block is held against the few before it.
 */
import { mix } from './hash.ts';
import type { Tree } from './tree.ts';

/** Relations of an unordered pair of labels: the one with the smaller hash first, the other first, overlapping in time. */
export const LOW_FIRST = 0;
export const HIGH_FIRST = 1;
export const TOGETHER = 2;

/**
 * Blocks back that a block is held against: its predecessor in directly-follows, and the two before that, so that a call
 * moved by more than one place is seen and a span that has not come hides nothing.
 */
const BACK = 3;
/** Children looked at, and relations told, of one call: what an attacker's trace may cost. */
const MAX_CHILDREN = 512;
const MAX_PAIRS = 96;

const PAIR = 0x4f52;

/** 53-bit key of an unordered pair of label hashes. */
export const pairKey = (x: number, y: number): number => mix(mix(Math.min(x, y), Math.max(x, y)), PAIR);

export interface OrderSpace {
  /** Filled by `readOrder`: labels (ids of the segment's symbols) and the relation of each pair found, no pair twice alike. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly relation: Uint8Array;
  /** Spans at which the blocks of a pair begin. */
  readonly firstNode: Int32Array;
  readonly secondNode: Int32Array;
  readonly label: Int32Array;
  readonly node: Int32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

export const createOrderSpace = (): OrderSpace => ({
  first: new Int32Array(MAX_PAIRS),
  second: new Int32Array(MAX_PAIRS),
  relation: new Uint8Array(MAX_PAIRS),
  firstNode: new Int32Array(MAX_PAIRS),
  secondNode: new Int32Array(MAX_PAIRS),
  label: new Int32Array(BACK + 1),
  node: new Int32Array(BACK + 1),
  startNs: new Float64Array(BACK + 1),
  endNs: new Float64Array(BACK + 1),
});

/**
 * Relations among the children of node i; returns how many. Only children of the node's own service: clocks of different
 * hosts differ by more than calls take, so who came first between them says nothing. Recursion has no one order.
 */
export function readOrder(tree: Tree, i: number, space: OrderSpace): number {
  const { segment, first, next, folds } = tree;
  if (folds[i]! > 1) return 0;
  const { label, service, startNs, durationNs, symbols } = segment;
  const mine = service[i]!;
  const ring = BACK + 1;
  let blocks = 0;
  let pairs = 0;
  let seen = 0;
  for (let child = first[i]!; child >= 0 && seen < MAX_CHILDREN; child = next[child]!, seen++) {
    if (service[child] !== mine) continue;
    const id = label[child]!;
    const start = startNs[child]!;
    const end = start + durationNs[child]!;
    const last = (blocks - 1) % ring;
    if (blocks > 0 && space.label[last] === id) {
      if (end > space.endNs[last]!) space.endNs[last] = end;
      continue;
    }
    for (let back = 1; back <= BACK && back <= blocks; back++) {
      const at = (blocks - back) % ring;
      const other = space.label[at]!;
      if (other === id) continue;
      // Of calls that began at the same reading of a coarse clock, none was first.
      const overlaps = space.endNs[at]! > start || space.startNs[at] === start;
      const lowFirst = symbols.labelHash(other) < symbols.labelHash(id);
      const relation = overlaps ? TOGETHER : lowFirst ? LOW_FIRST : HIGH_FIRST;
      pairs = note(space, pairs, other, id, relation, space.node[at]!, child);
    }
    const at = blocks++ % ring;
    space.label[at] = id;
    space.node[at] = child;
    space.startNs[at] = start;
    space.endNs[at] = end;
  }
  return pairs;
}

/** Adds a relation; one call counts once for each relation of a pair, however often a loop goes round. */
function note(
  space: OrderSpace,
  pairs: number,
  x: number,
  y: number,
  relation: number,
  xNode: number,
  yNode: number,
): number {
  const { first, second } = space;
  for (let at = 0; at < pairs; at++) {
    if (space.relation[at] !== relation) continue;
    if ((first[at] === x && second[at] === y) || (relation === TOGETHER && first[at] === y && second[at] === x)) {
      return pairs;
    }
  }
  if (pairs === MAX_PAIRS) return pairs;
  first[pairs] = x;
  second[pairs] = y;
  space.relation[pairs] = relation;
  space.firstNode[pairs] = xNode;
  space.secondNode[pairs] = yNode;
  return pairs + 1;
}
