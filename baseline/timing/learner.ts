/** The timing group's learner: total and self times (DETECTION §2). */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Learner } from '../model.ts';
import { compileTiming, type TimingKeyForm } from './compile.ts';
import { createTimingModel, type TimingModel } from './model.ts';
import {
  createTimingPartial,
  decodeTiming,
  encodeTiming,
  learnTiming,
  mergeTiming,
  type TimingPartial,
} from './partial.ts';

export const timingLearner: Learner<TimingPartial, TimingModel> = {
  group: 'timing',
  createPartial: createTimingPartial,
  learn: learnTiming,
  merge: mergeTiming,
  encode: encodeTiming,
  decode: decodeTiming,
  compile: (partial, options) => createTimingModel(compileTiming(partial, options), options.symbols),
  load(entries, symbols) {
    try {
      const forms = Array.from(entries, (entry) => JSON.parse(entry.value) as TimingKeyForm);
      return createTimingModel(forms, symbols);
    } catch (error) {
      throw new SpanwardenError('BASELINE_DAMAGED', 'a timing entry could not be read', { cause: error });
    }
  },
};
