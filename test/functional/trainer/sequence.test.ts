/** The recurrent model as TensorFlow.js trains it is the one that plain code runs. */
import { describe, expect, it } from 'vitest';
import { createGru } from '../../../baseline/sequence/gru.ts';
import { PREFIX } from '../../../baseline/sequence/sequences.ts';
import { createVocabulary, END } from '../../../baseline/sequence/vocabulary.ts';
import { fitGru, LENGTH, networkOf, weightsOf } from '../../../trainer/sequence/fit.ts';
import { loadTensorFlow } from '../../../trainer/sequence/tensorflow.ts';

const vocabulary = createVocabulary([101, 102, 103, 104, 105, 106]);
const sequences = [
  [END, 2, 3, 4, 5, END],
  [END, 2, 3, 4, END],
  [END, 2, 3, 6, 7, END],
  [2, 3, 5, END],
  [2, 3, END],
].map((tokens) => ({ tokens: Int32Array.from(tokens), weight: 1 }));

describe('the recurrent sequence model', () => {
  it('gives in plain code what TensorFlow.js gives', async () => {
    const tf = await loadTensorFlow();
    const network = networkOf(tf, vocabulary.size, { units: 16, seed: 5 });
    const plain = createGru(weightsOf(network, 16), vocabulary);
    const out = new Float64Array(LENGTH);
    for (const { tokens } of sequences) {
      const input = new Float32Array(LENGTH * vocabulary.size);
      tokens.forEach((token, at) => {
        input[at * vocabulary.size + token] = 1;
      });
      const shape: [number, number, number] = [1, LENGTH, vocabulary.size];
      const predicted = (
        network.predict(tf.core.tensor3d(input, shape)) as ReturnType<typeof tf.core.tensor3d>
      ).dataSync();
      plain.probabilities(tokens, out);
      for (let at = PREFIX; at < tokens.length; at++) {
        expect(out[at - PREFIX]).toBeCloseTo(predicted[(at - 1) * vocabulary.size + tokens[at]!]!, 5);
      }
    }
    network.dispose();
  });

  it('learns what follows, the same from the same seed', async () => {
    const options = { units: 16, steps: 120, batch: 32, learningRate: 0.02, seed: 1 };
    const weights = await fitGru(sequences, vocabulary, options);
    const out = new Float64Array(LENGTH);
    createGru(weights, vocabulary).probabilities(Int32Array.from([END, 2, 3, 6, 7, END]), out);
    // of three rows that begin so, one goes on with 6; then only 7 follows, then the end
    expect(out[1]).toBeGreaterThan(0.15);
    expect(out[1]).toBeLessThan(0.55);
    expect(out[2]).toBeGreaterThan(0.9);
    expect(out[3]).toBeGreaterThan(0.9);
    expect(await fitGru(sequences, vocabulary, { ...options, steps: 5 })).toEqual(
      await fitGru(sequences, vocabulary, { ...options, steps: 5 }),
    );
  });
});
