/** Learning and scoring of parameters, statements and egress (DETECTION §3): the `parameters` group. */
import type { Learner, Model } from '../model.ts';
import { compileData } from './compile.ts';
import { dataFromEntries } from './entries.ts';
import { hashText } from './hash.ts';
import { type LearnScratch, learnSegment } from './learn.ts';
import { createParametersModel } from './model.ts';
import { createPartial, mergePartial, type ParametersPartial } from './partial.ts';
import { decodePartial, encodePartial } from './partial-codec.ts';
import type { PatternFamily } from './patterns/pattern.ts';
import { createParameterReader } from './reader.ts';
import { createSchemaReader } from './schema-keys.ts';

export type { ParametersPartial } from './partial.ts';

export interface ParametersConfig {
  /**
   * Key of the hashes of values. Partials and versions made under one key mean nothing under another; an installation keeps
   * its own, so that nobody else can look its hashes up.
   */
  readonly hashKey: string;
  /** Attack-pattern families that are tried; all without. What is left of recall without one says whether it is fitted. */
  readonly families?: readonly PatternFamily[];
}

export const createParametersLearner = (config: ParametersConfig): Learner<ParametersPartial, Model> => {
  const seed = hashText(config.hashKey, 0x811c9dc5);
  const reader = createParameterReader(seed, config.families);
  const schema = createSchemaReader(seed);
  const scratch: LearnScratch = { homes: new Int32Array(64) };
  return {
    group: 'parameters',
    createPartial: () => createPartial(seed),
    learn: (partial, segment, context) => learnSegment(partial, segment, context, reader, schema, scratch),
    merge: mergePartial,
    encode: encodePartial,
    decode: (bytes) => decodePartial(bytes, seed),
    compile: (partial, options) =>
      createParametersModel(compileData(partial, options), options.symbols, seed, config.families),
    load: (entries, symbols) => createParametersModel(dataFromEntries(entries), symbols, seed, config.families),
  };
};
