/** The learning sides of all four groups. */
import { createHmac } from 'node:crypto';
import type { GroupLearners } from './learners.ts';
import { createParametersLearner } from './parameters/index.ts';
import { statusLearner } from './status/learner.ts';
import { structureLearner } from './structure/index.ts';
import { timingLearner } from './timing/learner.ts';

/**
 * `hashKey`: the installation's key, under which a baseline holds hashes in place of values. Partials and versions made
 * under one key mean nothing under another; '' is a key that everybody knows.
 */
export function createLearners({ hashKey }: { readonly hashKey: string }): GroupLearners {
  const key = hashKey === '' ? 'spanwarden' : hashKey;
  return {
    structure: structureLearner,
    timing: timingLearner,
    parameters: createParametersLearner({ hashKey: key }),
    status: statusLearner,
    keyId: createHmac('sha256', key).update('fingerprint of the key of a baseline').digest('hex').slice(0, 8),
  };
}
