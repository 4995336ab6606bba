/** A call tree as sequences: of every call its callees in order, and that there are no more (DETECTION §9). */
import { END, type LabelledTree, type Vocabulary } from './vocabulary.ts';

export interface CallSequence {
  /** Caller of the calls (its own caller before it, END where it has none), then its callees in order, then END. */
  readonly tokens: Int32Array;
  readonly weight: number;
}

/** Tokens before the first callee: the caller's caller, the caller. */
export const PREFIX = 2;
/** Callees of one call that are read; of a longer row neither the rest nor its end is. */
export const MAX_CALLEES = 29;

/** Sequences of one tree, in pre-order of their callers. */
export function sequencesOf(tree: LabelledTree, vocabulary: Vocabulary, weight: number): CallSequence[] {
  const children: number[][] = Array.from({ length: tree.size }, () => []);
  for (let i = 1; i < tree.size; i++) children[tree.parent[i]!]?.push(i);
  return children.map((callees, i) => {
    const above = tree.parent[i]!;
    const read = callees.length > MAX_CALLEES ? callees.slice(0, MAX_CALLEES) : callees;
    const tokens = [above < 0 ? END : vocabulary.tokenOf(tree.hash[above]!), vocabulary.tokenOf(tree.hash[i]!)];
    for (const callee of read) tokens.push(vocabulary.tokenOf(tree.hash[callee]!));
    if (read.length === callees.length) tokens.push(END);
    return { tokens: Int32Array.from(tokens), weight };
  });
}

/** Equal sequences joined, their weights added: a caller that does the same in many signatures is read once. */
export function joinEqual(sequences: Iterable<CallSequence>): CallSequence[] {
  const joined = new Map<string, CallSequence>();
  for (const sequence of sequences) {
    const key = sequence.tokens.join(' ');
    const known = joined.get(key);
    joined.set(key, known === undefined ? sequence : { ...known, weight: known.weight + sequence.weight });
  }
  return [...joined.values()];
}
