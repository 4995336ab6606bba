/** The contract of a model of call sequences, and what it makes of a whole tree. */
import { MAX_CALLEES, PREFIX, sequencesOf } from './sequences.ts';
import type { LabelledTree, Vocabulary } from './vocabulary.ts';

export interface SequenceModel {
  readonly vocabulary: Vocabulary;
  /**
   * Probability of every token from PREFIX on, given those before it: `out[i]` for `tokens[PREFIX + i]`. Each is > 0; over
   * all tokens that could stand there they sum to 1.
   */
  probabilities(tokens: Int32Array, out: Float64Array): void;
}

/**
 * How implausible a tree is as a recombination of what was learned, in bits: the surprise of its least expected step. Not the
 * sum: a tree with calls left out is *more* likely as a whole (DETECTION §0a.3).
 */
export function implausibility(model: SequenceModel, tree: LabelledTree): number {
  const out = new Float64Array(MAX_CALLEES + 1);
  let worst = 0;
  for (const { tokens } of sequencesOf(tree, model.vocabulary, 1)) {
    model.probabilities(tokens, out);
    for (let i = 0; i < tokens.length - PREFIX; i++) worst = Math.max(worst, -Math.log2(out[i]!));
  }
  return worst;
}
