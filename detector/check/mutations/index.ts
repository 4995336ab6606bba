/** Known anomalies, planted into copies of clean traces: for `spanwarden check` and for benches of detection. */
export { type Corpus, createCorpus } from './corpus.ts';
export { orderKey, structuralKey } from './keys.ts';
export type { MutationContext, MutationGroup, Planted } from './mutation.ts';
export {
  MUTATION_KINDS,
  MUTATIONS,
  type Mutant,
  type MutationKind,
  type MutationResult,
  mutate,
  STRUCTURAL_KINDS,
} from './mutations.ts';
export { ATTACK_FAMILIES, type AttackFamily, PAYLOADS } from './payloads.ts';
export { createRandom, type Random } from './random.ts';
export { copyOfRecords, copyOfSegment, type LabelAt } from './read-copy.ts';
export { looksLikeAuthorisation } from './structure.ts';
export { type CopiedResource, type CopiedSpan, labelOf, type TraceCopy } from './trace-copy.ts';
export { recordOf, segmentOfCopy, tracesJsonOf } from './write-copy.ts';
