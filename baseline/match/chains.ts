/**
 * Expected and seen calls side by side: the tree of the best match and that of the segment as lines, with what is missing, extra
 * or of another count marked (where nothing is, what findings are about), cut to what stands around it.
 */
import type { ChainLine } from '../../schemas/log/verdict.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Chains } from '../model.ts';
import type { Tables } from '../structure/tables.ts';
import type { Tree } from '../structure/tree.ts';
import { labelWords } from '../structure/words.ts';
import { type CountedTree, OPTIONAL_COST } from './counted-tree.ts';
import type { Edits } from './edit-distance.ts';

type Mark = ChainLine['mark'];

/** One of the two trees: parents before children. */
interface Side {
  readonly size: number;
  readonly parent: ArrayLike<number>;
  /** Label ids of the segment's symbols or indices of the tables; the same call has the same on both sides. */
  readonly label: ArrayLike<number>;
  readonly times: ArrayLike<number>;
  readonly mark: Mark[];
}

const MAX_LINES = 40;
const MAX_CALL = 300;
/** Of a tree that is too large to be collapsed so many nodes are looked at. */
const MAX_NODES = 4_096;

export interface Compared {
  /** Null where the segment has too many nodes to be compared. */
  readonly counted: CountedTree | null;
  /** Null where nothing was learned. */
  readonly signature: CountedTree | null;
  /** Null where a bound cut the comparison short. */
  readonly edits: Edits | null;
  /** Nodes that are missing are missed: the absence grace is over, and telemetry whole. */
  readonly absence: boolean;
}

/** `about`: label ids of the segment's spans that findings are about; they stay when lines are cut. */
export function chainsOf(tables: Tables, tree: Tree, compared: Compared, about: ReadonlySet<number>): Chains {
  const { segment } = tree;
  const known = tables.labels.length;
  const wordsOf = (label: number): string =>
    label < known ? labelWords(tables.symbols, tables.labels[label]!.id) : labelWords(segment.symbols, label - known);
  const { counted, signature, edits, absence } = compared;
  const seen = counted === null ? sideOfTree(tables, tree) : sideOf(counted);
  const expected = signature === null ? null : sideOf(signature);
  if (expected !== null && counted !== null && signature !== null && edits !== null)
    markEdits(seen, counted, expected, signature, edits, absence);
  const focus = new Set([...about].map((id) => ownLabel(tables, segment, id)));
  if (expected !== null) markFocus(seen, expected, focus);
  return {
    expected: expected === null ? [] : linesOf(expected, focus, wordsOf),
    seen: linesOf(seen, focus, wordsOf),
  };
}

/** Where all calls are the same, those that deviate in something else: what they carry, how long they took, where they went. */
function markFocus(seen: Side, expected: Side, focus: ReadonlySet<number>): void {
  if ([...seen.mark, ...expected.mark].some((mark) => mark !== '')) return;
  for (const { size, label, mark } of [seen, expected])
    for (let i = 0; i < size; i++) if (focus.has(label[i]!)) mark[i] = 'changed';
}

const ownLabel = (tables: Tables, segment: Segment, id: number): number => {
  const own = tables.own(segment, id);
  return own < 0 ? tables.labels.length + id : own;
};

const sideOf = (tree: CountedTree): Side => ({
  size: tree.size,
  parent: tree.parent,
  label: tree.label,
  times: tree.times,
  mark: new Array<Mark>(tree.size).fill(''),
});

/** Nothing is collapsed, and nothing marked: the match itself is one by its grams. */
function sideOfTree(tables: Tables, tree: Tree): Side {
  const { segment, node, above } = tree;
  const place = new Map<number, number>();
  const parent: number[] = [];
  const label: number[] = [];
  for (let i = 0; i < segment.spanCount && parent.length < MAX_NODES; i++) {
    if (node[i] !== i) continue;
    const up = i === 0 ? -1 : place.get(above[i]!);
    if (up === undefined) continue;
    place.set(i, parent.length);
    parent.push(up);
    label.push(ownLabel(tables, segment, segment.label[i]!));
  }
  return { size: parent.length, parent, label, times: parent.map(() => 1), mark: parent.map((): Mark => '') };
}

function markEdits(
  seen: Side,
  counted: CountedTree,
  expected: Side,
  signature: CountedTree,
  edits: Edits,
  absence: boolean,
): void {
  for (const node of edits.extra) seen.mark[node] = 'extra';
  if (absence) for (const node of edits.missing) expected.mark[node] = 'missing';
  for (const [mine, learned] of edits.changed) {
    if (counted.label[mine] !== signature.label[learned]) {
      seen.mark[mine] = 'extra';
      if (absence) expected.mark[learned] = 'missing';
    } else if (counted.count[mine]! > signature.count[learned]! || absence) {
      seen.mark[mine] = 'changed';
      expected.mark[learned] = 'changed';
    }
  }
  pairSame(seen, expected);
  leaveOptional(seen, counted, expected, signature);
}

/** The same call missing and extra under the same call differs in number, or only in what is below it. */
function pairSame(seen: Side, expected: Side): void {
  const key = (side: Side, i: number): string => {
    const up = side.parent[i]!;
    return `${up < 0 ? '' : side.label[up]} ${side.label[i]}`;
  };
  const gone = new Map<string, number>();
  for (let j = 0; j < expected.size; j++) {
    if (expected.mark[j] === 'missing' && !gone.has(key(expected, j))) gone.set(key(expected, j), j);
  }
  for (let i = 0; i < seen.size; i++) {
    if (seen.mark[i] !== 'extra') continue;
    const j = gone.get(key(seen, i));
    if (j === undefined) continue;
    gone.delete(key(seen, i));
    seen.mark[i] = expected.mark[j] = seen.times[i] === expected.times[j] ? '' : 'changed';
  }
}

/** What calls of its parent differ in having is marked only where nothing else is. */
function leaveOptional(seen: Side, counted: CountedTree, expected: Side, signature: CountedTree): void {
  const isFirm = (side: Side, tree: CountedTree): boolean =>
    side.mark.some((mark, i) => mark !== '' && tree.cost[i]! > OPTIONAL_COST);
  if (!isFirm(seen, counted) && !isFirm(expected, signature)) return;
  for (const [side, tree] of [
    [seen, counted],
    [expected, signature],
  ] as const) {
    for (let i = 0; i < side.size; i++) {
      const isWhole = side.mark[i] === 'missing' || side.mark[i] === 'extra';
      const up = tree.parent[i]!;
      if (isWhole && tree.cost[i]! <= OPTIONAL_COST && (up < 0 || side.mark[up] === '')) side.mark[i] = '';
    }
  }
}

/** Marked nodes and those that findings are about, each with what is above it; then their siblings; then the rest, from the top. */
function kept(side: Side, focus: ReadonlySet<number>): Uint8Array {
  const keep = new Uint8Array(side.size);
  let left = MAX_LINES;
  const add = (i: number): void => {
    if (keep[i] === 1 || left === 0) return;
    keep[i] = 1;
    left--;
  };
  add(0);
  if (side.size <= MAX_LINES) return keep.fill(1);
  const isTop = (i: number): boolean =>
    side.mark[i] !== '' && (side.parent[i]! < 0 || side.mark[side.parent[i]!] !== side.mark[i]);
  const central: number[] = [];
  for (let i = 0; i < side.size && central.length < MAX_LINES; i++) if (isTop(i)) central.push(i);
  for (let i = 0; i < side.size && central.length < MAX_LINES; i++) {
    if (!isTop(i) && focus.has(side.label[i]!)) central.push(i);
  }
  // nobody above a node is left out while there is room: the nearest first
  for (const node of central) for (let i = node; i >= 0 && left > 0; i = side.parent[i]!) add(i);
  const around = new Set(central.map((i) => side.parent[i]!));
  for (let i = 1; i < side.size && left > 0; i++) if (around.has(side.parent[i]!) || side.mark[i] !== '') add(i);
  const depth = new Int32Array(side.size);
  for (let i = 1; i < side.size; i++) depth[i] = depth[side.parent[i]!]! + 1;
  const fromTop = Array.from(depth.keys()).sort((x, y) => depth[x]! - depth[y]! || x - y);
  for (const i of fromTop) if (i > 0 && keep[side.parent[i]!] === 1) add(i);
  return keep;
}

function linesOf(side: Side, focus: ReadonlySet<number>, wordsOf: (label: number) => string): ChainLine[] {
  const keep = kept(side, focus);
  const depth = new Int32Array(side.size);
  const lines: ChainLine[] = [];
  for (let i = 0; i < side.size; i++) {
    const up = side.parent[i]!;
    const own = up < 0 ? 0 : depth[up]!;
    // depth of what is shown below it: a cut ancestor leaves no gap
    depth[i] = own + keep[i]!;
    if (keep[i] === 0) continue;
    const call = wordsOf(side.label[i]!);
    lines.push({
      depth: own,
      call: call.length > MAX_CALL ? `${call.slice(0, MAX_CALL - 1)}…` : call,
      count: Math.max(1, Math.round(side.times[i]!)),
      mark: side.mark[i]!,
    });
  }
  return lines;
}
