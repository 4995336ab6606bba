/** An edit script in words: "missing payment.charge after orders.create; extra s3 PutObject under orders". */

import type { Segment } from '../../traces/segment.ts';
import type { Tables } from '../structure/tables.ts';
import { labelWords } from '../structure/words.ts';
import type { CountedTree } from './counted-tree.ts';
import type { Edits } from './edit-distance.ts';

const MAX_PHRASES = 4;

export function editScript(
  tables: Tables,
  segment: Segment,
  tree: CountedTree,
  signature: CountedTree,
  edits: Edits,
  absence: boolean,
): string {
  const known = tables.labels.length;
  const wordsOf = (label: number): string =>
    label < known ? labelWords(tables.symbols, tables.labels[label]!.id) : labelWords(segment.symbols, label - known);
  const under = (of: CountedTree, node: number): string => {
    const up = of.parent[node]!;
    return up < 0 ? '' : ` under ${wordsOf(of.label[up]!)}`;
  };
  const missing = absence ? tops(signature, edits.missing) : [];
  const extra = tops(tree, edits.extra);
  const phrases: string[] = [];

  // The same call missing in one place and extra in another was moved, or differs in number or in what is below it.
  for (const top of [...missing]) {
    const other = extra.find((candidate) => tree.label[candidate.node] === signature.label[top.node]);
    if (other === undefined) continue;
    missing.splice(missing.indexOf(top), 1);
    extra.splice(extra.indexOf(other), 1);
    const what = wordsOf(signature.label[top.node]!);
    const [here, there] = [under(tree, other.node), under(signature, top.node)];
    const [times, learned] = [tree.times[other.node]!, signature.times[top.node]!];
    if (here !== there) phrases.push(`${what}${here} instead of${there}`);
    else if (times !== learned) phrases.push(`${times} × ${what}${here} instead of ${learned}`);
    else phrases.push(`${what}${here} with other calls below it`);
  }
  const gone = new Set(edits.missing);
  for (const { node, below } of missing) {
    const before = earlierSibling(signature, node, gone);
    const where = before < 0 ? under(signature, node) : ` after ${wordsOf(signature.label[before]!)}`;
    phrases.push(`missing ${wordsOf(signature.label[node]!)}${belowWords(below)}${where}`);
  }
  for (const { node, below } of extra) {
    const times = tree.times[node]! > 1 ? `${tree.times[node]} × ` : '';
    phrases.push(`extra ${times}${wordsOf(tree.label[node]!)}${belowWords(below)}${under(tree, node)}`);
  }
  for (const [mine, learned] of edits.changed) {
    const what = wordsOf(tree.label[mine]!);
    if (tree.label[mine] !== signature.label[learned]) {
      phrases.push(`${what} instead of ${wordsOf(signature.label[learned]!)}`);
    } else if (tree.count[mine] !== signature.count[learned]) {
      phrases.push(`${tree.times[mine]} × ${what} instead of ${signature.times[learned]}`);
    } else phrases.push(`${what} nested ${tree.folds[mine]} deep instead of ${signature.folds[learned]}`);
  }
  const rest = phrases.length - MAX_PHRASES;
  return rest > 0 ? `${phrases.slice(0, MAX_PHRASES).join('; ')}; and ${rest} more` : phrases.join('; ');
}

interface Top {
  readonly node: number;
  /** Edited nodes below it. */
  below: number;
}

/** Of edited nodes, those whose parent is not edited: one phrase for a whole subtree. */
function tops(tree: CountedTree, nodes: readonly number[]): Top[] {
  const topOf = new Map<number, Top>();
  const found: Top[] = [];
  for (const node of [...nodes].sort((x, y) => x - y)) {
    let top = topOf.get(tree.parent[node]!);
    if (top === undefined) {
      top = { node, below: 0 };
      found.push(top);
    } else top.below++;
    topOf.set(node, top);
  }
  return found;
}

const belowWords = (below: number): string => (below === 0 ? '' : ` and ${below} below`);

/** The sibling before `node` that is not missing itself, −1 when there is none. */
function earlierSibling(tree: CountedTree, node: number, gone: ReadonlySet<number>): number {
  let before = -1;
  for (let i = tree.parent[node]! + 1; i < node; i++) {
    if (tree.parent[i] === tree.parent[node] && !gone.has(i)) before = i;
  }
  return before;
}
