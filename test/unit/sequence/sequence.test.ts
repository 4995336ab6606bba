/** The models of call sequences: distributions are distributions, and what was never done is less expected. */
import { describe, expect, it } from 'vitest';
import { createGru, type GruWeights } from '../../../baseline/sequence/gru.ts';
import { implausibility, type SequenceModel } from '../../../baseline/sequence/model.ts';
import { createPpm } from '../../../baseline/sequence/ppm.ts';
import { joinEqual, MAX_CALLEES, PREFIX, sequencesOf } from '../../../baseline/sequence/sequences.ts';
import {
  createVocabulary,
  END,
  type LabelledTree,
  OTHER,
  vocabularyOf,
} from '../../../baseline/sequence/vocabulary.ts';
import { seeded } from '../structure/shop.ts';

/** A tree from nested lists: [label, …callees]. */
type Nested = readonly [number, ...Nested[]];

function treeOf(nested: Nested): LabelledTree {
  const parent: number[] = [];
  const hash: number[] = [];
  const add = ([label, ...callees]: Nested, above: number): void => {
    const at = parent.push(above) - 1;
    hash.push(label);
    for (const callee of callees) add(callee, at);
  };
  add(nested, -1);
  return { size: parent.length, parent, hash };
}

const checkout: Nested = [10, [11, [12], [13]], [14], [15]];
const browse: Nested = [20, [11, [12]], [21]];
const trees = [
  { tree: treeOf(checkout), weight: 5 },
  { tree: treeOf(browse), weight: 50 },
];
const vocabulary = vocabularyOf(trees, 100);
const learned = joinEqual(trees.flatMap(({ tree, weight }) => sequencesOf(tree, vocabulary, weight)));

/** Probabilities of everything that could follow these tokens. */
function following(model: SequenceModel, before: readonly number[]): number[] {
  const out = new Float64Array(MAX_CALLEES + 1);
  return Array.from({ length: model.vocabulary.size }, (_, token) => {
    model.probabilities(Int32Array.from([...before, token]), out);
    return out[before.length - PREFIX]!;
  });
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function anyWeights(units: number, size: number, seed: number): GruWeights {
  const random = seeded(seed);
  const some = (length: number) => Float32Array.from({ length }, () => 4 * (random() - 0.5));
  return {
    units,
    kernel: some(size * 3 * units),
    recurrent: some(units * 3 * units),
    bias: some(3 * units),
    outKernel: some(units * size),
    outBias: some(size),
  };
}

describe('call sequences', () => {
  it('are one a call, with its own caller, its callees in order and their end', () => {
    const t = (hash: number): number => vocabulary.tokenOf(hash);
    expect(sequencesOf(treeOf(checkout), vocabulary, 1).map(({ tokens }) => [...tokens])).toEqual([
      [END, t(10), t(11), t(14), t(15), END],
      [t(10), t(11), t(12), t(13), END],
      [t(11), t(12), END],
      [t(11), t(13), END],
      [t(10), t(14), END],
      [t(10), t(15), END],
    ]);
  });

  it('of a caller with very many callees stop without an end', () => {
    const wide: Nested = [10, ...Array.from({ length: 100 }, (): Nested => [11])];
    const [first] = sequencesOf(treeOf(wide), vocabulary, 1);
    expect(first!.tokens).toHaveLength(PREFIX + MAX_CALLEES);
    expect(first!.tokens.at(-1)).toBe(vocabulary.tokenOf(11));
  });

  it('that are equal are one, with their weights added', () => {
    const ends = learned.filter(({ tokens }) => tokens[1] === vocabulary.tokenOf(12));
    expect(ends.map(({ weight }) => weight)).toEqual([55]);
  });

  it('have tokens for the most used labels, and one for all others', () => {
    const few = vocabularyOf(trees, 3);
    expect(few.size).toBe(5);
    expect([11, 12, 20, 21].map((hash) => few.tokenOf(hash))).toEqual([2, 3, 4, OTHER]);
    expect(createVocabulary(few.hashes).tokenOf(12)).toBe(3);
  });
});

describe.each([
  ['prediction by partial matching', createPpm(learned, vocabulary)],
  ['a recurrent unit', createGru(anyWeights(7, vocabulary.size, 3), vocabulary)],
])('%s', (_, model) => {
  it('gives everything that could follow a probability above 0; together they are 1', () => {
    const t = (hash: number): number => vocabulary.tokenOf(hash);
    for (const before of [
      [END, t(10)],
      [END, t(10), t(11)],
      [END, t(10), t(11), t(14)],
      [OTHER, OTHER],
      [t(20), t(15), t(21), OTHER, t(11)],
    ]) {
      const all = following(model, before);
      expect(total(all)).toBeCloseTo(1, 9);
      expect(Math.min(...all)).toBeGreaterThan(0);
    }
  });

  it('says the same again, whatever was asked between', () => {
    const once = following(model, [END, vocabulary.tokenOf(20)]);
    following(model, [OTHER, vocabulary.tokenOf(10), OTHER]);
    expect(following(model, [END, vocabulary.tokenOf(20)])).toEqual(once);
  });
});

describe('implausibility', () => {
  const model = createPpm(learned, vocabulary);
  const of = (nested: Nested): number => implausibility(model, treeOf(nested));

  it('is that of the least expected step: a usual one hides nothing', () => {
    expect(of([10, [11, [12], [13]], [15]])).toBeGreaterThan(of(checkout) + 1);
    expect(of([10, [11, [12]], [14], [15]])).toBeLessThan(of([10, [11, [15]], [14], [15]]));
  });

  it('of a call left out is not less than that of the whole tree', () => {
    for (const without of [
      [10, [11, [12], [13]], [14]],
      [10, [14], [15]],
      [10, [11, [12], [13]], [15]],
    ] as Nested[]) {
      expect(of(without)).toBeGreaterThan(of(checkout));
    }
  });
});

describe('weights', () => {
  it('that do not fit are refused', () => {
    const weights = anyWeights(7, vocabulary.size, 3);
    expect(() => createGru({ ...weights, units: 8 }, vocabulary)).toThrow(/do not fit/);
    expect(() => createGru(weights, vocabularyOf(trees, 3))).toThrow(/do not fit/);
  });
});
