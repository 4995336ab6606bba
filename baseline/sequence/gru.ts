/**
 * A gated recurrent unit over call sequences, run by plain code from exported weights (Cho et al. 2014, "Learning phrase
 * representations using RNN encoder–decoder", the variant that resets before the recurrent product, as Keras and
 * TensorFlow.js train it).
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { SequenceModel } from './model.ts';
import { PREFIX } from './sequences.ts';
import type { Vocabulary } from './vocabulary.ts';

/** V tokens, H units. Row-major; the three gates of a row in the order update, reset, candidate. */
export interface GruWeights {
  readonly units: number;
  /** [V, 3H] */
  readonly kernel: Float32Array;
  /** [H, 3H] */
  readonly recurrent: Float32Array;
  /** [3H] */
  readonly bias: Float32Array;
  /** [H, V] */
  readonly outKernel: Float32Array;
  /** [V] */
  readonly outBias: Float32Array;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Throws BASELINE_DAMAGED when the weights do not fit each other or the vocabulary. */
export function createGru(weights: GruWeights, vocabulary: Vocabulary): SequenceModel {
  const { units, kernel, recurrent, bias, outKernel, outBias } = weights;
  const V = vocabulary.size;
  const wide = 3 * units;
  const fits =
    kernel.length === V * wide &&
    recurrent.length === units * wide &&
    bias.length === wide &&
    outKernel.length === units * V &&
    outBias.length === V;
  if (!fits)
    throw new SpanwardenError('BASELINE_DAMAGED', 'the weights of the sequence model do not fit its vocabulary');
  const state = new Float64Array(units);
  const gates = new Float64Array(wide);
  const reset = new Float64Array(units);
  const logits = new Float64Array(V);

  function step(token: number): void {
    const row = token * wide;
    for (let j = 0; j < wide; j++) gates[j] = kernel[row + j]! + bias[j]!;
    for (let i = 0; i < units; i++) {
      const from = i * wide;
      const value = state[i]!;
      if (value === 0) continue;
      for (let j = 0; j < 2 * units; j++) gates[j] = gates[j]! + value * recurrent[from + j]!;
    }
    for (let i = 0; i < units; i++) reset[i] = sigmoid(gates[units + i]!) * state[i]!;
    for (let i = 0; i < units; i++) {
      const value = reset[i]!;
      if (value === 0) continue;
      const from = i * wide + 2 * units;
      for (let j = 0; j < units; j++) gates[2 * units + j] = gates[2 * units + j]! + value * recurrent[from + j]!;
    }
    for (let i = 0; i < units; i++) {
      const update = sigmoid(gates[i]!);
      state[i] = update * state[i]! + (1 - update) * Math.tanh(gates[2 * units + i]!);
    }
  }

  function probabilityOf(token: number): number {
    logits.set(outBias);
    for (let i = 0; i < units; i++) {
      const value = state[i]!;
      const from = i * V;
      for (let v = 0; v < V; v++) logits[v] = logits[v]! + value * outKernel[from + v]!;
    }
    let top = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) top = Math.max(top, logits[v]!);
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(logits[v]! - top);
    return Math.max(Number.MIN_VALUE, Math.exp(logits[token]! - top) / sum);
  }

  return {
    vocabulary,
    probabilities(tokens, out) {
      state.fill(0);
      for (let at = 0; at < tokens.length; at++) {
        if (at >= PREFIX) out[at - PREFIX] = probabilityOf(tokens[at]!);
        step(tokens[at]!);
      }
    },
  };
}
