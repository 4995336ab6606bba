/** Calls as tokens: the labels of a version's signatures, most used first, so that both models speak of the same ones. */

/** Ends a sequence of callees. */
export const END = 0;
/** A label that is not in the vocabulary: never learned, or too rare to have a token of its own. */
export const OTHER = 1;
const FIRST_LABEL = 2;

export interface Vocabulary {
  /** Tokens in all, END and OTHER included. */
  readonly size: number;
  /** Label hashes in the order of their tokens, from token 2 on. */
  readonly hashes: Float64Array;
  tokenOf(labelHash: number): number;
}

export function createVocabulary(hashes: ArrayLike<number>): Vocabulary {
  const own = Float64Array.from(hashes);
  const tokens = new Map<number, number>();
  own.forEach((hash, at) => {
    tokens.set(hash, at + FIRST_LABEL);
  });
  return { size: own.length + FIRST_LABEL, hashes: own, tokenOf: (hash) => tokens.get(hash) ?? OTHER };
}

/** What the models read of a call tree: pre-order, `parent[i] < i`, −1 for the entry; siblings in their usual order. */
export interface LabelledTree {
  readonly size: number;
  readonly parent: ArrayLike<number>;
  /** 53-bit hash of the label of each node. */
  readonly hash: ArrayLike<number>;
}

/** The vocabulary of these trees: at most `most` labels, the most frequent; ties by hash. */
export function vocabularyOf(
  trees: readonly { readonly tree: LabelledTree; readonly weight: number }[],
  most: number,
): Vocabulary {
  const uses = new Map<number, number>();
  for (const { tree, weight } of trees) {
    for (let i = 0; i < tree.size; i++) uses.set(tree.hash[i]!, (uses.get(tree.hash[i]!) ?? 0) + weight);
  }
  const sorted = [...uses].sort(([x, a], [y, b]) => b - a || x - y);
  return createVocabulary(sorted.slice(0, most).map(([hash]) => hash));
}
