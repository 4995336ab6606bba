/**
 * How improbable a whole tree is that was not learned, by where it differs from those that were: a signature with other
 * counts, a family (its calls, whatever their number) with another multiset, another family. A segment is one of them.
 */
import type { LabelLine, StructureLines } from './entries.ts';
import { mix } from './hash.ts';
import { claim, createPool, ownP } from './pooled.ts';

/** Fewer segments of a signature, family or entry say nothing of it. */
const LEAST = 30;

export interface TreePs {
  /** By label index. */
  readonly entry: Float64Array;
  /** By `familyKey`. */
  readonly family: ReadonlyMap<number, number>;
  /** By `familyKey` of the multiset key. */
  readonly counted: ReadonlyMap<number, number>;
}

/** By label index of the entry, and a set or multiset key. */
export const familyKey = (entry: number, key: number): number => mix(entry, key);

export function buildTreePs(lines: StructureLines, labels: readonly (readonly [string, LabelLine])[]): TreePs {
  const index = new Map(labels.map(([text], at) => [text, at]));
  const trees = labels.map(([, line]) => line.trees);
  const families = lines.families;
  // The segments of an entry are those of its families, and theirs those of their signatures: each is counted once.
  const all = trees.reduce((sum, [, of]) => sum + of, 0);
  const masses = [...trees, ...families.map((line) => line.mass), ...lines.signatures.map((line) => line.countedMass)];
  const pool = createPool(masses, all);
  const p = Float64Array.from(masses, (mass) => Math.max(pool.p(mass), claim(ownP(mass), mass[1])));
  const [unseen, of] = lines.totals.trees;
  const entry = p.slice(0, labels.length).map((own, at) => (trees[at]![1] < LEAST ? (1 + unseen) / (1 + of) : own));
  const family = new Map<number, number>();
  families.forEach((line, at) => {
    const label = index.get(line.entry);
    if (label === undefined || line.mass[1] < LEAST) return;
    family.set(familyKey(label, line.set), p[labels.length + at]!);
  });
  const counted = new Map<number, number>();
  lines.signatures.forEach((line, at) => {
    const label = index.get(line.entry);
    if (label === undefined || line.countedMass[1] < LEAST) return;
    counted.set(familyKey(label, line.multiset), p[labels.length + families.length + at]!);
  });
  return { entry, family, counted };
}
