/** The learning sides of all four groups. */
import type { GroupLearners } from './learners.ts';
import { createParametersLearner } from './parameters/index.ts';
import { statusLearner } from './status/learner.ts';
import { structureLearner } from './structure/index.ts';
import { timingLearner } from './timing/learner.ts';

/**
 * `hashKey`: the installation's key, under which a baseline holds hashes in place of values. Partials and versions made
 * under one key mean nothing under another; '' is a key that everybody knows.
 */
export const createLearners = ({ hashKey }: { readonly hashKey: string }): GroupLearners => ({
  structure: structureLearner,
  timing: timingLearner,
  parameters: createParametersLearner({ hashKey: hashKey === '' ? 'spanwarden' : hashKey }),
  status: statusLearner,
});
