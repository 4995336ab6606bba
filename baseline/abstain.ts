/** Models that say nothing: a group without a learner, or without anything learned, leaves the others alone. */
import type { Segment } from '../traces/segment.ts';
import { type Evidence, type Model, NO_FINDINGS, type StructureMatch, type StructureModel } from './model.ts';

export function abstain(out: Evidence): void {
  out.surprise = 0;
  out.severity = 0;
  out.similarity = 1;
  out.findings = NO_FINDINGS;
  out.observed = 0;
}

export const abstainingModel = (): Model => ({
  score: (_segment, _stage, out) => abstain(out),
  entries: () => [],
  coverage: () => [],
});

/** Matches every segment to its own entry operation: what is left of a match when no structure was learned. */
export const abstainingStructure = (): StructureModel => ({
  ...abstainingModel(),
  match(segment: Segment, out: StructureMatch) {
    const family = segment.symbols.text(segment.operation[0]!);
    out.familyKey = segment.symbols.labelText(segment.label[0]!);
    out.family = family;
    out.signature = family;
    out.learnedFrom = 0;
    out.similarity = 1;
    out.exact = true;
    out.unseenEntry = false;
    out.script = '';
    out.thresholdCeiling = 0.5;
  },
  chains: () => ({ expected: [], seen: [] }),
  isEntry: () => false,
  mayEnter: () => true,
  isEntered: () => false,
  isCall: () => true,
  leaveOneOut: () => [],
});
