/** Structure: which calls a request makes of which services, learned by parent and as whole trees (DETECTION §1). */
import type { Learner, StructureModel } from '../model.ts';
import { packEntries } from '../packed-entries.ts';
import { compileLines } from './compile.ts';
import { linesOfPacked } from './entries.ts';
import { createLearnSpace, learnSegment } from './learn.ts';
import { createModel } from './model.ts';
import { createPartial, decodePartial, encodePartial, mergePartial, type StructurePartial } from './partial.ts';

export type { StructurePartial } from './partial.ts';

export function createStructureLearner(): Learner<StructurePartial, StructureModel> {
  const space = createLearnSpace();
  return {
    group: 'structure',
    createPartial,
    learn: (partial, segment, context) => learnSegment(partial, segment, context, space),
    merge: mergePartial,
    encode: encodePartial,
    decode: decodePartial,
    compile: (partial, options) => createModel(compileLines(partial, options), options.symbols),
    load(entries, symbols) {
      const packed = packEntries(entries);
      return createModel(linesOfPacked(packed), symbols, packed);
    },
  };
}

/** Scratch arrays are shared by whoever learns in this thread; partials are separate. */
export const structureLearner = createStructureLearner();
