/** The learning sides of all groups, and what they compile to. */
import type { Learner, Model, StructureModel } from './model.ts';
import type { TimingModel } from './timing/model.ts';

export interface GroupModels {
  readonly structure: StructureModel;
  readonly timing: TimingModel;
  readonly parameters: Model;
  readonly status: Model;
}

/** Partials are each learner's own affair; nobody else looks inside. */
export interface GroupLearners {
  readonly structure: Learner<unknown, StructureModel>;
  readonly timing: Learner<unknown, TimingModel>;
  readonly parameters: Learner<unknown>;
  readonly status: Learner<unknown>;
  /** Fingerprint of the key under which hashes are held: what was made under another key means nothing here. */
  readonly keyId?: string;
}

export interface GroupPartials {
  readonly structure: unknown;
  readonly timing: unknown;
  readonly parameters: unknown;
  readonly status: unknown;
}
