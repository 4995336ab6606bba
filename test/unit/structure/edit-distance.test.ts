/** The tree edit distance against its definition on small trees, and its words. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CountedTree } from '../../../baseline/match/counted-tree.ts';
import { treeEdit } from '../../../baseline/match/edit-distance.ts';
import { countBucket, mix } from '../../../baseline/structure/hash.ts';

interface Plain {
  readonly label: number;
  readonly count: number;
  readonly children: readonly Plain[];
}

const plainOf = (depth: number): fc.Arbitrary<Plain> =>
  fc.record({
    label: fc.integer({ min: 0, max: 3 }),
    count: fc.constantFrom(1, 2, 4),
    children: depth === 0 ? fc.constant<Plain[]>([]) : fc.array(plainOf(depth - 1), { maxLength: 2 }),
  });

/** Identical siblings are one counted node. */
function collapsed(tree: Plain): Plain {
  const seen = new Map<string, Plain>();
  for (const child of tree.children.map(collapsed)) seen.set(JSON.stringify([child.label, child.children]), child);
  return { ...tree, children: [...seen.values()] };
}

const rooted = fc
  .array(plainOf(2), { maxLength: 3 })
  .map((children): Plain => collapsed({ label: 9, count: 1, children }));

const sizeOf = (tree: Plain): number => 1 + tree.children.reduce((sum, child) => sum + sizeOf(child), 0);

function counted(tree: Plain): CountedTree {
  const rows: { parent: number; label: number; count: number; key: number }[] = [];
  const add = (node: Plain, parent: number): number => {
    const at = rows.length;
    rows.push({ parent, label: node.label, count: node.count, key: 0 });
    let key = node.label + 1;
    for (const child of node.children) key = mix(key, mix(add(child, at), countBucket(child.count)));
    rows[at]!.key = key;
    return key;
  };
  add(tree, -1);
  const times = Float64Array.from(rows, (row) => row.count);
  return {
    size: rows.length,
    parent: Int32Array.from(rows, (row) => row.parent),
    label: Int32Array.from(rows, (row) => row.label),
    hash: Float64Array.from(rows, (row) => row.label + 1),
    // Labels 0 and 1 are of one service, 2 and 3 of another.
    service: Int32Array.from(rows, (row) => row.label >> 1),
    count: times,
    folds: new Float64Array(rows.length).fill(1),
    times,
    key: Float64Array.from(rows, (row) => row.key),
    cost: new Float64Array(rows.length).fill(1),
  };
}

/** Edit distance of ordered forests by its recursive definition. */
function slow(a: readonly Plain[], b: readonly Plain[], memo = new Map<string, number>()): number {
  const key = JSON.stringify([a, b]);
  const known = memo.get(key);
  if (known !== undefined) return known;
  let best: number;
  const x = a.at(-1);
  const y = b.at(-1);
  if (x === undefined) best = b.reduce((sum, tree) => sum + sizeOf(tree), 0);
  else if (y === undefined) best = a.reduce((sum, tree) => sum + sizeOf(tree), 0);
  else {
    const counts = 0.25 * Math.abs(Math.log2(x.count / y.count));
    const labels = x.label === y.label ? 0 : x.label >> 1 === y.label >> 1 ? 0.5 : 2;
    best = Math.min(
      1 + slow([...a.slice(0, -1), ...x.children], b, memo),
      1 + slow(a, [...b.slice(0, -1), ...y.children], memo),
      labels + counts + slow(x.children, y.children, memo) + slow(a.slice(0, -1), b.slice(0, -1), memo),
    );
  }
  memo.set(key, best);
  return best;
}

/** Edit distance of unordered trees: the cheapest mapping of nodes that keeps who is above whom, all of them tried. */
function unordered(a: Plain, b: Plain): number {
  const [x, y] = [counted(a), counted(b)];
  const isAbove = (tree: CountedTree, upper: number, lower: number): boolean => {
    for (let at = tree.parent[lower]!; at >= 0; at = tree.parent[at]!) if (at === upper) return true;
    return false;
  };
  const pairCost = (i: number, j: number): number =>
    (x.label[i] === y.label[j] ? 0 : x.service[i] === y.service[j] ? 0.5 : 2) +
    0.25 * Math.abs(Math.log2(x.count[i]! / y.count[j]!));
  const mapped: [number, number][] = [];
  const fits = (i: number, j: number): boolean =>
    mapped.every(([u, v]) => v !== j && isAbove(x, u, i) === isAbove(y, v, j) && isAbove(x, i, u) === isAbove(y, j, v));
  const from = (i: number): number => {
    if (i === x.size) return y.size - mapped.length;
    let best = 1 + from(i + 1);
    for (let j = 0; j < y.size; j++) {
      if (!fits(i, j)) continue;
      mapped.push([i, j]);
      best = Math.min(best, pairCost(i, j) + from(i + 1));
      mapped.pop();
    }
    return best;
  };
  return from(0);
}

const edit = (a: Plain, b: Plain, cells = 1e9) => treeEdit(counted(a), counted(b), true, { cells });

describe('tree edit distance', () => {
  it('is zero for equal trees only, and the edits add up', () => {
    fc.assert(
      fc.property(rooted, rooted, (a, b) => {
        expect(edit(a, a)).toMatchObject({ cost: 0, missing: [], extra: [], changed: [] });
        const edits = edit(a, b)!;
        const [x, y] = [counted(a), counted(b)];
        let sum = edits.missing.length + edits.extra.length;
        for (const [i, j] of edits.changed) {
          if (x.label[i] !== y.label[j]) sum += x.service[i] === y.service[j] ? 0.5 : 2;
          sum += 0.25 * Math.abs(Math.log2(x.count[i]! / y.count[j]!));
        }
        expect(sum).toBeCloseTo(edits.cost, 6);
        const canon = (tree: Plain): unknown => [
          tree.label,
          tree.count,
          tree.children
            .map(canon)
            .map((c) => JSON.stringify(c))
            .sort(),
        ];
        if (edits.cost === 0) expect(canon(a)).toEqual(canon(b));
      }),
    );
  });

  it('is no more than the distance of ordered trees, and no less than that of trees without any order', () => {
    const ordered = (tree: Plain): Plain => ({
      ...tree,
      children: [...tree.children].sort((x, y) => x.label - y.label).map(ordered),
    });
    fc.assert(
      fc.property(rooted.map(ordered), rooted.map(ordered), (a, b) => {
        const nodes = sizeOf(a) + sizeOf(b);
        if (nodes > 14) return;
        const { cost } = edit(a, b)!;
        expect(cost).toBeLessThanOrEqual(slow([a], [b]) + 1e-6);
        if (nodes <= 10) expect(cost).toBeGreaterThanOrEqual(unordered(a, b) - 1e-6);
      }),
      { numRuns: 300 },
    );
  });

  it('gives up on trees over its budget instead of taking long', () => {
    const wide = (label: number): Plain => ({
      label: 9,
      count: 1,
      children: Array.from({ length: 300 }, (_, i) => ({
        label: label + i,
        count: 1,
        children: [{ label, count: 1, children: [] }],
      })),
    });
    expect(edit(wide(1_000), wide(2_000), 10_000)).toBeNull();
  });

  it('charges nothing for what may still come', () => {
    const whole: Plain = {
      label: 9,
      count: 1,
      children: [{ label: 0, count: 1, children: [{ label: 2, count: 1, children: [] }] }],
    };
    const part: Plain = { label: 9, count: 1, children: [] };
    expect(treeEdit(counted(part), counted(whole), false, { cells: 1e6 })!.cost).toBe(0);
    expect(treeEdit(counted(part), counted(whole), true, { cells: 1e6 })!.cost).toBe(2);
  });
});
