/** What a detector said of one segment, as far as checking it goes. */
import type { Judgement } from '../../baseline/model.ts';
import { COMPONENTS, GROUPS } from '../../schemas/log/verdict.ts';

export interface Judged {
  readonly score: number;
  readonly p: number;
  /**
   * What the product makes of it: anomalous by its p, or with a finding that opens an incident whatever its p: a hard one, or a call
   * so slow that it is one unless others are slow as well (DETECTION §6).
   */
  readonly alerted: boolean;
  readonly hard: boolean;
  /** Re-ranked p by group, in the order of GROUPS. */
  readonly groups: Float64Array;
  readonly hasMatch: boolean;
}

export function toJudged(judgement: Judgement): Judged {
  const hard = judgement.findings.some((finding) => finding.hard);
  return {
    score: judgement.score,
    p: judgement.p,
    alerted: judgement.anomalous || hard || judgement.findings.some((finding) => finding.candidate),
    hard,
    groups: Float64Array.from(GROUPS, (group) => judgement.groups[group]),
    hasMatch: hasMatch(judgement.match),
  };
}

/** A match says what it was compared with, how similar it is and how far outside, in numbers and in words. */
function hasMatch(match: Judgement['match'] | null | undefined): boolean {
  if (match === null || match === undefined || match.text === '' || match.version === '') return false;
  return COMPONENTS.every(
    (component) =>
      isShare(match.similarity[component]) &&
      isShare(match.threshold[component]) &&
      Number.isFinite(match.deviation[component]),
  );
}

const isShare = (value: number): boolean => value >= 0 && value <= 1;
