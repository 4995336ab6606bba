/**
 * Tree edit distance of Zhang and Shasha ("Simple fast algorithms for the editing distance between trees", 1989) with
 * the costs of DETECTION §1, and the edits that reach it. Subtrees that are equal under matched parents are paired
 * beforehand: no edit script gains by breaking such a pair, and what is left is mostly tiny.
 */
import type { CountedTree } from './counted-tree.ts';

export const RELABEL_COST = 0.5;
const COUNT_COST = 0.25;
/** Relabelling across services is deleting one and inserting the other. */
const FOREIGN = 2;

export interface Edits {
  cost: number;
  /** Nodes of the signature that are missing, of the segment that are extra; pairs [segment, signature] that differ. */
  readonly missing: number[];
  readonly extra: number[];
  readonly changed: [number, number][];
}

const countCost = (a: CountedTree, i: number, b: CountedTree, j: number): number =>
  COUNT_COST * (Math.abs(Math.log2(a.count[i]! / b.count[j]!)) + Math.abs(Math.log2(a.folds[i]! / b.folds[j]!)));

function pairCost(a: CountedTree, i: number, b: CountedTree, j: number): number {
  const counts = countCost(a, i, b, j);
  if (a.label[i] === b.label[j]) return counts;
  return (a.service[i] === b.service[j] ? RELABEL_COST : FOREIGN) + counts;
}

/** What is left of a tree after pairing equal subtrees, in post-order. */
interface Rest {
  readonly nodes: number[];
  /** Post-order index of the leftmost leaf below each. */
  readonly left: number[];
  readonly keyroots: number[];
}

/**
 * Distance from a segment's tree to a signature's; null when it would take more than `budget.cells` cells, which are
 * counted off. With `absence` false, nodes missing from the segment cost nothing: they may still come.
 */
export function treeEdit(
  segment: CountedTree,
  signature: CountedTree,
  absence: boolean,
  budget: { cells: number },
): Edits | null {
  const edits: Edits = { cost: 0, missing: [], extra: [], changed: [] };
  const pairedA = new Uint8Array(segment.size);
  const pairedB = new Uint8Array(signature.size);
  pairEqual(segment, signature, pairedA, pairedB, edits);
  const a = postOrder(segment, pairedA);
  const b = postOrder(signature, pairedB);
  const cells = weight(a) * weight(b);
  if (cells > budget.cells) return null;
  budget.cells -= cells;
  if (a.nodes.length > 0 || b.nodes.length > 0) zhangShasha(segment, a, signature, b, absence, edits);
  return edits;
}

/** Marks what needs no edit: equal subtrees under the entry, and below nodes that stay alone on both sides. */
function pairEqual(a: CountedTree, b: CountedTree, pairedA: Uint8Array, pairedB: Uint8Array, edits: Edits): void {
  const childrenA = childLists(a);
  const childrenB = childLists(b);
  if (a.label[0] !== b.label[0]) return;
  let i = 0;
  let j = 0;
  const cost = pairCost(a, 0, b, 0);
  if (cost > 0) edits.changed.push([0, 0]);
  edits.cost += cost;
  for (;;) {
    pairedA[i] = 1;
    pairedB[j] = 1;
    const byKey = new Map<number, number>();
    for (const child of childrenB[j]!) byKey.set(b.key[child]!, child);
    const restA: number[] = [];
    const taken = new Set<number>();
    for (const child of childrenA[i]!) {
      const other = byKey.get(a.key[child]!);
      if (other === undefined || taken.has(other) || countCost(a, child, b, other) > 0) {
        restA.push(child);
        continue;
      }
      taken.add(other);
      markSubtree(pairedA, childrenA, child);
      markSubtree(pairedB, childrenB, other);
    }
    const restB = childrenB[j]!.filter((child) => !taken.has(child));
    // One left on each side, the same call as often: pairing the two costs nothing, so go down into them.
    if (restA.length !== 1 || restB.length !== 1 || pairCost(a, restA[0]!, b, restB[0]!) > 0) return;
    i = restA[0]!;
    j = restB[0]!;
  }
}

function childLists(tree: CountedTree): number[][] {
  const lists: number[][] = Array.from({ length: tree.size }, () => []);
  for (let i = 1; i < tree.size; i++) lists[tree.parent[i]!]!.push(i);
  return lists;
}

function markSubtree(marks: Uint8Array, children: number[][], root: number): void {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    marks[node] = 1;
    for (const child of children[node]!) stack.push(child);
  }
}

/** Post-order of the unmarked nodes; what is above them is marked or unmarked throughout, so they form a forest. */
function postOrder(tree: CountedTree, marks: Uint8Array): Rest {
  const nodes: number[] = [];
  const children = childLists(tree);
  const stack: [node: number, next: number][] = [];
  const roots: number[] = [];
  for (let i = 0; i < tree.size; i++) {
    if (marks[i] === 0 && (i === 0 || marks[tree.parent[i]!] === 1)) roots.push(i);
  }
  const left: number[] = [];
  const leftOf = new Map<number, number>();
  for (const root of roots) {
    stack.push([root, 0]);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const kids = children[top[0]]!;
      if (top[1] < kids.length) {
        stack.push([kids[top[1]++]!, 0]);
        continue;
      }
      stack.pop();
      const at = nodes.length;
      const leftmost = kids.length === 0 ? at : leftOf.get(kids[0]!)!;
      nodes.push(top[0]);
      left.push(leftmost);
      leftOf.set(top[0], leftmost);
    }
  }
  const last = new Map<number, number>();
  for (let at = 0; at < left.length; at++) last.set(left[at]!, at);
  const keyroots = [...last.values()].sort((x, y) => x - y);
  return { nodes, left, keyroots };
}

/** Sum over keyroots of the sizes of their subtrees: the cells of the distance are the product of both trees' sums. */
function weight(rest: Rest): number {
  let sum = 1 + rest.nodes.length;
  for (const root of rest.keyroots) sum += root - rest.left[root]! + 1;
  return sum;
}

/** A forest is compared as the children of a virtual root that is paired with the other's at no cost. */
function zhangShasha(a: CountedTree, restA: Rest, b: CountedTree, restB: Rest, absence: boolean, edits: Edits): void {
  const n = restA.nodes.length;
  const m = restB.nodes.length;
  const width = m + 1;
  const gone = Float64Array.from(restA.nodes, (i) => a.cost[i]!);
  const come = Float64Array.from(restB.nodes, (j) => (absence ? b.cost[j]! : 0));
  const distance = new Float64Array(n * m);
  const forest = new Float64Array((n + 1) * width);

  const fill = (fromA: number, toA: number, fromB: number, toB: number, keep: boolean): void => {
    // Cell (x + 1, y + 1): forests fromA..x against fromB..y; row and column `from` are the empty forests.
    forest[fromA * width + fromB] = 0;
    for (let x = fromA; x <= toA; x++) forest[(x + 1) * width + fromB] = forest[x * width + fromB]! + gone[x]!;
    for (let y = fromB; y <= toB; y++) forest[fromA * width + y + 1] = forest[fromA * width + y]! + come[y]!;
    for (let x = fromA; x <= toA; x++) {
      const leftX = restA.left[x]!;
      for (let y = fromB; y <= toB; y++) {
        const leftY = restB.left[y]!;
        const without = Math.min(forest[x * width + y + 1]! + gone[x]!, forest[(x + 1) * width + y]! + come[y]!);
        const trees = leftX === fromA && leftY === fromB;
        const paired = trees
          ? forest[x * width + y]! + pairCost(a, restA.nodes[x]!, b, restB.nodes[y]!)
          : forest[leftX * width + leftY]! + distance[x * m + y]!;
        const best = Math.min(without, paired);
        forest[(x + 1) * width + y + 1] = best;
        if (trees && keep) distance[x * m + y] = best;
      }
    }
  };
  for (const x of restA.keyroots) for (const y of restB.keyroots) fill(restA.left[x]!, x, restB.left[y]!, y, true);
  // The whole forests: the tree distances are known now, and a pair of trees is one step.
  const finish = (fromA: number, toA: number, fromB: number, toB: number, whole: boolean): void => {
    if (whole) fillForest(fromA, toA, fromB, toB);
    else fill(fromA, toA, fromB, toB, false);
    let x = toA;
    let y = toB;
    const later: [number, number][] = [];
    while (x >= fromA || y >= fromB) {
      const here = forest[(x + 1) * width + y + 1]!;
      if (x >= fromA && near(here, forest[x * width + y + 1]! + gone[x]!)) {
        edits.extra.push(restA.nodes[x]!);
        x--;
      } else if (y >= fromB && near(here, forest[(x + 1) * width + y]! + come[y]!)) {
        edits.missing.push(restB.nodes[y]!);
        y--;
      } else if (!whole && restA.left[x] === fromA && restB.left[y] === fromB) {
        if (pairCost(a, restA.nodes[x]!, b, restB.nodes[y]!) > 0)
          edits.changed.push([restA.nodes[x]!, restB.nodes[y]!]);
        x--;
        y--;
      } else {
        later.push([x, y]);
        x = restA.left[x]! - 1;
        y = restB.left[y]! - 1;
      }
    }
    for (const [tx, ty] of later) finish(restA.left[tx]!, tx, restB.left[ty]!, ty, false);
  };
  const fillForest = (fromA: number, toA: number, fromB: number, toB: number): void => {
    forest[fromA * width + fromB] = 0;
    for (let x = fromA; x <= toA; x++) forest[(x + 1) * width + fromB] = forest[x * width + fromB]! + gone[x]!;
    for (let y = fromB; y <= toB; y++) forest[fromA * width + y + 1] = forest[fromA * width + y]! + come[y]!;
    for (let x = fromA; x <= toA; x++) {
      for (let y = fromB; y <= toB; y++) {
        forest[(x + 1) * width + y + 1] = Math.min(
          forest[x * width + y + 1]! + gone[x]!,
          forest[(x + 1) * width + y]! + come[y]!,
          forest[restA.left[x]! * width + restB.left[y]!]! + distance[x * m + y]!,
        );
      }
    }
    edits.cost += forest[(toA + 1) * width + toB + 1]!;
  };
  finish(0, n - 1, 0, m - 1, true);
}

const near = (x: number, y: number): boolean => Math.abs(x - y) < 1e-9;
