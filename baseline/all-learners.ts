/** The learning sides of all four groups. */
import type { GroupLearners } from './learners.ts';
import { parametersLearner } from './parameters/index.ts';
import { statusLearner } from './status/learner.ts';
import { structureLearner } from './structure/index.ts';
import { timingLearner } from './timing/learner.ts';

export const allLearners: GroupLearners = {
  structure: structureLearner,
  timing: timingLearner,
  parameters: parametersLearner,
  status: statusLearner,
};
