/** Learners that learn nothing, for tests of what stands around them. */
import { abstainingModel, abstainingStructure } from '../../../baseline/abstain.ts';
import type { GroupLearners } from '../../../baseline/learners.ts';
import type { Learner, Model, StructureModel } from '../../../baseline/model.ts';
import { statusLearner } from '../../../baseline/status/learner.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';

interface Count {
  segments: number;
}

const counting = <M extends Model>(group: 'structure' | 'parameters', model: () => M): Learner<Count, M> => ({
  group,
  createPartial: () => ({ segments: 0 }),
  learn: (partial) => {
    partial.segments++;
  },
  merge: (into, from) => {
    into.segments += from.segments;
  },
  encode: (partial) => new TextEncoder().encode(JSON.stringify(partial)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Count,
  compile: model,
  load: model,
});

export const testLearners: GroupLearners = {
  structure: counting<StructureModel>('structure', abstainingStructure),
  timing: timingLearner,
  parameters: counting('parameters', abstainingModel),
  status: statusLearner,
};
