/** The status group's learner (DETECTION §1 "status"). */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Learner } from '../model.ts';
import { packEntries } from '../packed-entries.ts';
import { compileStatus, createStatusModel, type StatusKeyForm } from './model.ts';
import {
  createStatusPartial,
  decodeStatus,
  edgeForms,
  encodeStatus,
  learnStatus,
  mergeStatus,
  type StatusPartial,
} from './partial.ts';

export const statusLearner: Learner<StatusPartial> = {
  group: 'status',
  createPartial: createStatusPartial,
  learn: learnStatus,
  merge: mergeStatus,
  encode: encodeStatus,
  decode: decodeStatus,
  compile: (partial, options) => createStatusModel(compileStatus(edgeForms(partial), options.profile), options.symbols),
  load(entries, symbols) {
    try {
      const packed = packEntries(entries);
      return createStatusModel(
        Array.from(packed, (entry) => JSON.parse(entry.value) as StatusKeyForm),
        symbols,
        packed,
      );
    } catch (error) {
      throw new SpanwardenError('BASELINE_DAMAGED', 'a status entry could not be read', { cause: error });
    }
  },
};
