/** Trains the recurrent sequence model on the call sequences of a version, step by step, and exports its weights. */
import type { GruWeights } from '../../baseline/sequence/gru.ts';
import { type CallSequence, MAX_CALLEES, PREFIX } from '../../baseline/sequence/sequences.ts';
import type { Vocabulary } from '../../baseline/sequence/vocabulary.ts';
import { loadTensorFlow, type TensorFlow } from './tensorflow.ts';

export interface FitOptions {
  readonly units: number;
  /** Optimiser steps, each of `batch` sequences: bounds the work by count, whatever there is to learn. */
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly onStep?: (step: number, loss: number) => void;
}

export const FIT_DEFAULTS: FitOptions = { units: 64, steps: 600, batch: 64, learningRate: 0.01, seed: 1 };

/** Places of a sequence that are read. */
export const LENGTH = PREFIX + MAX_CALLEES;

/** Mulberry32 (T. Ettinger, public domain). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Throws DEPENDENCY_MISSING without TensorFlow.js. Gives the event loop its turn after every step. */
export async function fitGru(
  sequences: readonly CallSequence[],
  vocabulary: Vocabulary,
  options: FitOptions = FIT_DEFAULTS,
): Promise<GruWeights> {
  const tf = await loadTensorFlow();
  const model = networkOf(tf, vocabulary.size, options);
  const optimizer = tf.core.train.adam(options.learningRate);
  const random = seeded(options.seed);
  const draw = weightedDraw(sequences, random);
  try {
    for (let step = 0; step < options.steps; step++) {
      const loss = tf.core.tidy(() => {
        const [input, target] = batchOf(tf, draw, vocabulary.size, options.batch);
        const cost = optimizer.minimize(() => {
          const { clipByValue, div, log, mul, neg, sum } = tf.core;
          const predicted = model.apply(input, { training: true }) as typeof input;
          // padded places have no target, so they cost nothing
          return div(neg(sum(mul(target, log(clipByValue(predicted, 1e-9, 1))))), sum(target));
        }, true);
        return cost?.dataSync()[0] ?? 0;
      });
      options.onStep?.(step, loss);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return weightsOf(model, options.units);
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}

export type Network = ReturnType<TensorFlow['layers']['sequential']>;

/** Input one-hot [batch, places, V]; output the probabilities of the token after each place, in the same shape. */
export function networkOf(
  { layers }: TensorFlow,
  size: number,
  { units, seed }: Pick<FitOptions, 'units' | 'seed'>,
): Network {
  const glorot = (at: number) => layers.initializers.glorotUniform({ seed: seed * 16 + at });
  return layers.sequential({
    layers: [
      layers.layers.gru({
        units,
        inputShape: [null, size],
        returnSequences: true,
        recurrentActivation: 'sigmoid',
        kernelInitializer: glorot(1),
        // an orthogonal start needs a QR decomposition, which the WebAssembly backend lacks
        recurrentInitializer: glorot(2),
      }),
      layers.layers.dense({ units: size, activation: 'softmax', kernelInitializer: glorot(3) }),
    ],
  });
}

/** Draws sequences with a probability proportional to their weight. */
function weightedDraw(sequences: readonly CallSequence[], random: () => number): () => CallSequence {
  const upTo = new Float64Array(sequences.length);
  let total = 0;
  sequences.forEach(({ weight }, at) => {
    total += weight;
    upTo[at] = total;
  });
  return () => {
    const at = random() * total;
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return sequences[low]!;
  };
}

/** Input one-hot [batch, longest, V], and what comes next at each place, from the first callee on, one-hot in the same shape. */
function batchOf({ core }: TensorFlow, draw: () => CallSequence, size: number, batch: number) {
  const drawn = Array.from({ length: batch }, draw);
  const length = Math.max(...drawn.map(({ tokens }) => tokens.length - 1));
  const input = new Float32Array(batch * length * size);
  const target = new Float32Array(batch * length * size);
  for (const [b, { tokens }] of drawn.entries()) {
    for (let at = 0; at + 1 < tokens.length; at++) {
      const row = (b * length + at) * size;
      input[row + tokens[at]!] = 1;
      if (at + 1 >= PREFIX) target[row + tokens[at + 1]!] = 1;
    }
  }
  const shape: [number, number, number] = [batch, length, size];
  return [core.tensor3d(input, shape), core.tensor3d(target, shape)] as const;
}

/** Copies the weights out of a trained network. */
export function weightsOf(model: Network, units: number): GruWeights {
  const [kernel, recurrent, bias, outKernel, outBias] = model
    .getWeights()
    .map((tensor) => Float32Array.from(tensor.dataSync()));
  return {
    units,
    kernel: kernel!,
    recurrent: recurrent!,
    bias: bias!,
    outKernel: outKernel!,
    outBias: outBias!,
  };
}
