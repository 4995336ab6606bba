/** Best match of a segment: the signature it is, or the one it is most similar to and what differs (DETECTION §0, §1). */
import type { Segment } from '../../traces/segment.ts';
import type { Chains, StructureMatch } from '../model.ts';
import { type SignatureLine, signatureKey } from '../structure/entries.ts';
import { mix } from '../structure/hash.ts';
import { createNumberTable, insert, lookUp } from '../structure/number-table.ts';
import { edgeOf, type Tables } from '../structure/tables.ts';
import type { Tree } from '../structure/tree.ts';
import { familyKey } from '../structure/tree-table.ts';
import { type Candidate, createCandidates } from './candidates.ts';
import { chainsOf } from './chains.ts';
import { type CountedTree, countedFromLine, countedFromTree, flatFromTree, withFailedCosts } from './counted-tree.ts';
import { treeEdit } from './edit-distance.ts';
import { editScript } from './script.ts';

/** What a match of one tree is made of, before anything that differs from span to span. */
export interface Matched {
  /** Index of the signature, −1 when none was learned. */
  readonly signature: number;
  readonly hit: boolean;
  readonly similarity: number;
  readonly exact: boolean;
  readonly unseenEntry: boolean;
  readonly script: string;
}

export interface Matcher {
  /** The tree must be read and keyed. */
  match(tree: Tree, absence: boolean): Matched;
  describe(tree: Tree, matched: Matched, out: StructureMatch): void;
  /** p of a segment that hit a signature, by its exact counts: 1 where they were learned. */
  countedP(tree: Tree, signature: number): number;
  /** The tree beside that of a signature; −1 when none was learned. `about` as in `chainsOf`. */
  chains(tree: Tree, signature: number, absence: boolean, about: ReadonlySet<number>): Chains;
  /** Collapsed nodes of a signature. */
  size(signature: number): number;
  leaveOneOut(familyKey: string): readonly number[];
}

const CANDIDATES = 5;
/** Cells of the edit distance over all candidates of one segment: about half a millisecond. */
const CELLS = 120_000;
/** Remembered matches; they are forgotten together, as they only save time. */
const MEMO = 4_096;
const CHAIN_MEMO = 512;
/** Signatures of a family that are left out in turn, and how many others each is held against. */
const LEFT_OUT = 16;
const LEFT_OUT_NEAREST = 4;

const NOTHING_IN_COMMON = 'no call in common with any signature';

interface Learned {
  readonly line: Pick<SignatureLine, 'number' | 'ok' | 'failed' | 'okAdmitted' | 'multiset'>;
  readonly counted: ReadonlySet<number>;
  readonly countedP: number;
  readonly tree: CountedTree;
  readonly failedTree: CountedTree;
  readonly family: string;
  readonly key: string;
}

const familyOf = (entryHash: number, setKey: number): string => `${entryHash.toString(36)}.${setKey.toString(36)}`;

export function createMatcher(tables: Tables, signatures: readonly SignatureLine[]): Matcher {
  const indexByText = new Map(tables.labels.map((label, at) => [label.text, at]));
  const learned: Learned[] = [];
  const sorted = [...signatures].sort((x, y) =>
    x.entry < y.entry ? -1 : x.entry > y.entry ? 1 : x.number - y.number || x.multiset - y.multiset,
  );
  for (const line of sorted) {
    const tree = countedFromLine(tables, line, (text) => indexByText.get(text) ?? -1);
    if (tree === null) continue;
    const family = familyOf(tree.hash[0]!, line.set);
    const { number, ok, failed, okAdmitted, multiset } = line;
    learned.push({
      // not the line itself: its nodes are in the tree, and the version keeps its entries as text
      line: { number, ok, failed, okAdmitted, multiset },
      tree,
      failedTree: withFailedCosts(tables, tree),
      family,
      key: signatureKey(line),
      counted: new Set(line.counted),
      countedP: tables.treeP.counted.get(familyKey(tree.label[0]!, multiset)) ?? 1,
    });
  }
  const byKey = createNumberTable(learned.length);
  const mostFrequent = new Map<number, number>();
  const families = new Map<string, number[]>();
  let frequentOfAll = -1;
  learned.forEach(({ line, tree, family }, at) => {
    const key = mix(tree.hash[0]!, line.multiset);
    if (lookUp(byKey, key) < 0) insert(byKey, key, at);
    if (!mostFrequent.has(tree.hash[0]!)) mostFrequent.set(tree.hash[0]!, at);
    const all = line.ok + line.failed;
    if (frequentOfAll < 0 || all > learned[frequentOfAll]!.line.ok + learned[frequentOfAll]!.line.failed) {
      frequentOfAll = at;
    }
    const members = families.get(family);
    if (members === undefined) families.set(family, [at]);
    else members.push(at);
  });
  const candidates = createCandidates(learned.map(({ tree }) => tree));
  const memo = new Map<number, Matched>();
  const chainMemo = new Map<number, Chains>();

  const unseenEntryOf = (tree: Tree): boolean => {
    const entry = tables.own(tree.segment, tree.segment.label[0]!);
    return entry < 0 || tables.root < 0 || edgeOf(tables, tables.root, entry) < 0;
  };

  /** Edit distance to the candidates while the budget lasts; the weighted Jaccard where it does not. */
  function nearest(
    tree: CountedTree,
    found: readonly Candidate[],
    failed: boolean,
    absence: boolean,
    cells: number,
    segment: Segment | undefined,
  ): { signature: number; similarity: number; exact: boolean; script: string } | undefined {
    const budget = { cells };
    let best: { signature: number; similarity: number; exact: boolean; script: string } | undefined;
    for (const { signature, jaccard } of found) {
      const other = failed ? learned[signature]!.failedTree : learned[signature]!.tree;
      const edits = treeEdit(tree, other, absence, budget);
      const similarity = edits === null ? jaccard : Math.max(0, 1 - edits.cost / (tree.size + other.size));
      // An exact distance beats an estimate: what reads as explanation must be one.
      if (best !== undefined && (edits === null ? best.exact : best.exact && best.similarity >= similarity)) continue;
      if (best !== undefined && edits === null && best.similarity >= similarity) continue;
      const script =
        edits === null || segment === undefined ? '' : editScript(tables, segment, tree, other, edits, absence);
      best = { signature, similarity, exact: edits !== null, script };
      if (edits !== null && edits.cost === 0) break;
    }
    return best;
  }

  function search(tree: Tree, failed: boolean, absence: boolean): Matched {
    const { segment } = tree;
    const unseenEntry = unseenEntryOf(tree);
    const entry = segment.symbols.labelHash(segment.label[0]!);
    const allowed = (signature: number): boolean => failed || !absence || learned[signature]!.line.okAdmitted;
    const counted = countedFromTree(tables, tree, failed);
    const inEntry = !unseenEntry && mostFrequent.has(entry);
    const flat = counted ?? flatFromTree(tree);
    let found = candidates.find(flat, inEntry ? entry : 0, CANDIDATES, allowed);
    if (found.length === 0 && inEntry) found = candidates.find(flat, 0, CANDIDATES, allowed);
    if (found.length === 0) {
      // Nothing in common with any signature.
      const signature = (inEntry ? mostFrequent.get(entry) : undefined) ?? frequentOfAll;
      return { signature, hit: false, similarity: 0, exact: true, unseenEntry, script: NOTHING_IN_COMMON };
    }
    if (counted === null) {
      const { signature, jaccard } = found[0]!;
      return { signature, hit: false, similarity: Math.min(jaccard, 0.99), exact: false, unseenEntry, script: '' };
    }
    const best = nearest(counted, found, failed, absence, CELLS, segment)!;
    const least = 0.05 / (counted.size + learned[best.signature]!.tree.size);
    const similarity = absence ? Math.min(best.similarity, 1 - least) : best.similarity;
    return { ...best, hit: false, similarity, unseenEntry };
  }

  return {
    match(tree, absence) {
      const { segment } = tree;
      const failed = tree.failed[0] === 1;
      const entry = segment.symbols.labelHash(segment.label[0]!);
      const key = mix(entry, tree.multisetKey[0]!);
      const at = lookUp(byKey, key);
      if (at >= 0 && (failed || learned[at]!.line.okAdmitted)) {
        return { signature: at, hit: true, similarity: 1, exact: true, unseenEntry: false, script: '' };
      }
      // By the exact key: the words hold exact counts, and a verdict may depend on nothing but its segment.
      const memoKey = mix(tree.exact, absence ? 1 : 0);
      const known = memo.get(memoKey);
      if (known !== undefined) return known;
      const matched = search(tree, failed, absence);
      if (memo.size >= MEMO) memo.clear();
      memo.set(memoKey, matched);
      return matched;
    },
    describe(tree, matched, out) {
      const { segment } = tree;
      const operation = segment.symbols.text(segment.operation[0]!);
      out.similarity = matched.similarity;
      out.exact = matched.exact;
      out.unseenEntry = matched.unseenEntry;
      out.script = matched.script;
      if (matched.signature < 0) {
        out.familyKey = familyOf(segment.symbols.labelHash(segment.label[0]!), 0);
        out.family = operation;
        out.signature = 'none learned';
        out.signatureKey = '';
        out.learnedFrom = 0;
        out.thresholdCeiling = 0.5;
        return;
      }
      const { line, tree: other, family, key } = learned[matched.signature]!;
      const entry = tables.labels[other.label[0]!]!;
      const name = tables.symbols.text(tables.symbols.labelOf(entry.id).operation);
      out.familyKey = family;
      out.family = name;
      out.signature = `${name} #${line.number}`;
      out.signatureKey = key;
      out.learnedFrom = line.ok + line.failed;
      out.thresholdCeiling = 1 - 1 / (2 * other.size);
    },
    countedP(tree, signature) {
      const { counted, countedP } = learned[signature]!;
      return counted.has(tree.countKey[0]!) ? 1 : countedP;
    },
    chains(tree, signature, absence, about) {
      // many requests of one attack have one tree, and findings at the same calls
      let key = mix(mix(tree.exact, absence ? 1 : 0), signature + 1);
      const { symbols } = tree.segment;
      for (const hash of [...about].map((label) => symbols.labelHash(label)).sort((x, y) => x - y))
        key = mix(key, hash);
      let chains = chainMemo.get(key);
      if (chains !== undefined) return chains;
      const failed = tree.failed[0] === 1;
      const counted = countedFromTree(tables, tree, failed);
      // the nearest request of another kind is nothing that was expected of this one
      const isOther = learned[signature]?.tree.hash[0] !== symbols.labelHash(tree.segment.label[0]!);
      const own = isOther ? undefined : learned[signature];
      const other = own === undefined ? null : failed ? own.failedTree : own.tree;
      const edits = counted === null || other === null ? null : treeEdit(counted, other, absence, { cells: CELLS });
      chains = chainsOf(tables, tree, { counted, signature: other, edits, absence }, about);
      if (chainMemo.size >= CHAIN_MEMO) chainMemo.clear();
      chainMemo.set(key, chains);
      return chains;
    },
    size: (signature) => (signature < 0 ? 1 : learned[signature]!.tree.size),
    leaveOneOut(familyKey) {
      const members = (families.get(familyKey) ?? []).slice(0, LEFT_OUT);
      if (members.length < 2) return [];
      const values = members.map((left) => {
        const tree = learned[left]!.tree;
        const others = new Set(members.filter((other) => other !== left));
        const found = candidates.find(tree, tree.hash[0]!, LEFT_OUT_NEAREST + 1, (at) => others.has(at));
        return nearest(tree, found, false, true, CELLS, undefined)?.similarity ?? 0;
      });
      return values.sort((x, y) => x - y);
    },
  };
}
