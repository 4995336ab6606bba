/**
 * Prediction by partial matching with back-off: the next callee given the caller and up to two earlier siblings, mixed with
 * what shorter contexts say by how many different tokens the longer one has met (escape method C: Moffat, "Implementing the
 * PPM data compression scheme", IEEE Trans. Comm. 38(11), 1990; Cleary and Witten 1984).
 */
import { mix } from '../structure/hash.ts';
import type { SequenceModel } from './model.ts';
import { type CallSequence, PREFIX } from './sequences.ts';
import { END, type Vocabulary } from './vocabulary.ts';

interface Context {
  total: number;
  readonly counts: Map<number, number>;
}

/** Contexts of a step, shortest first: none, the caller, and one and two earlier siblings. */
const ORDERS = 4;
const SALT = 0x50504d;
/** Kept contexts; beyond them rare ones are not learned, and shorter contexts answer. */
const MAX_CONTEXTS = 500_000;

/** Key of the context of `order` before position `at`; −1 where there are not so many siblings yet. */
function contextKey(tokens: Int32Array, at: number, order: number): number {
  if (order === 0) return SALT;
  let key = mix(SALT + order, tokens[PREFIX - 1]!);
  for (let back = 1; back < order; back++) {
    const sibling = at - back;
    if (sibling < PREFIX - 1) return -1;
    // the beginning of the row is a context too: END stands where no sibling was yet
    key = mix(key, sibling < PREFIX ? END : tokens[sibling]!);
  }
  return key;
}

export function createPpm(sequences: readonly CallSequence[], vocabulary: Vocabulary): SequenceModel {
  const contexts = new Map<number, Context>();
  for (const { tokens, weight } of sequences) {
    for (let at = PREFIX; at < tokens.length; at++) {
      for (let order = 0; order < ORDERS; order++) {
        const key = contextKey(tokens, at, order);
        if (key < 0) break;
        let context = contexts.get(key);
        if (context === undefined) {
          if (contexts.size >= MAX_CONTEXTS) break;
          context = { total: 0, counts: new Map() };
          contexts.set(key, context);
        }
        context.total += weight;
        context.counts.set(tokens[at]!, (context.counts.get(tokens[at]!) ?? 0) + weight);
      }
    }
  }
  return {
    vocabulary,
    probabilities(tokens, out) {
      for (let at = PREFIX; at < tokens.length; at++) {
        let p = 1 / vocabulary.size;
        for (let order = 0; order < ORDERS; order++) {
          const key = contextKey(tokens, at, order);
          if (key < 0) break;
          const context = contexts.get(key);
          if (context === undefined) break;
          const distinct = context.counts.size;
          p = ((context.counts.get(tokens[at]!) ?? 0) + distinct * p) / (context.total + distinct);
        }
        out[at - PREFIX] = p;
      }
    },
  };
}
