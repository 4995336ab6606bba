/** Stages of an incident's story: one mark a stage, from its verdicts' findings and from what is known of its actors. */
import type { StageMark } from '../../schemas/log/kill-chain.ts';
import { type StagedFinding, stageIndex, stepOfFinding } from '../kill-chain.ts';

export interface TimedFinding extends StagedFinding {
  readonly startMs: number;
  readonly endMs: number;
}

/** A bit a stage: which ones these findings speak for. */
export function stageBits(findings: readonly StagedFinding[]): number {
  let bits = 0;
  for (const finding of findings) {
    const step = stepOfFinding(finding);
    if (step !== null) bits |= 1 << stageIndex(step.stage);
  }
  return bits;
}

/** With what one request showed: counted once a stage, and not again when it is told again (`isNew` false). */
export function withFindings(
  marks: readonly StageMark[],
  findings: readonly TimedFinding[],
  isNew: boolean,
): readonly StageMark[] {
  let all = marks;
  let counted = 0;
  for (const finding of findings) {
    const step = stepOfFinding(finding);
    if (step === null) continue;
    const bit = 1 << stageIndex(step.stage);
    const count = (counted & bit) === 0 && isNew ? 1 : 0;
    counted |= bit;
    const { startMs: firstMs, endMs: lastMs, kind: by } = finding;
    all = withMark(all, { ...step, by, firstMs, lastMs, count }, (a, b) => a + b);
  }
  return all;
}

/** Counts of separate evidence add up; two that looked at the same requests count the larger. */
const withMark = (
  marks: readonly StageMark[],
  mark: StageMark,
  counts: (a: number, b: number) => number,
): readonly StageMark[] => {
  const at = marks.findIndex(({ stage }) => stage === mark.stage);
  if (at < 0) return [...marks, { ...mark, count: Math.max(1, mark.count) }];
  const known = marks[at]!;
  const { technique, by, firstMs } = mark.firstMs < known.firstMs ? mark : known;
  const lastMs = Math.max(known.lastMs, mark.lastMs);
  return marks.with(at, {
    stage: known.stage,
    technique,
    by,
    firstMs,
    lastMs,
    count: counts(known.count, mark.count),
  });
};

/** Of two incidents that became one. */
export const joinedStages = (a: readonly StageMark[], b: readonly StageMark[]): readonly StageMark[] =>
  b.reduce((all, mark) => withMark(all, mark, (x, y) => x + y), a);

/** A request was withdrawn: what it alone showed was not. */
export const withoutStages = (marks: readonly StageMark[], bits: number): readonly StageMark[] =>
  bits === 0
    ? marks
    : marks
        .map((mark) => ((bits >> stageIndex(mark.stage)) & 1 ? { ...mark, count: mark.count - 1 } : mark))
        .filter(({ count }) => count > 0);

/** All of it in the order of first evidence. Verdicts and actors count the same requests. */
export function inOrder(own: readonly StageMark[], others: readonly (readonly StageMark[])[]): readonly StageMark[] {
  if (others.length === 0 && own.length < 2) return own;
  let all = own;
  for (const marks of others) for (const mark of marks) all = withMark(all, mark, Math.max);
  return all.toSorted((a, b) => a.firstMs - b.firstMs || stageIndex(a.stage) - stageIndex(b.stage));
}

/** How far it got: −1 nowhere. */
export const furthest = (marks: readonly StageMark[]): number =>
  marks.reduce((most, { stage }) => Math.max(most, stageIndex(stage)), -1);
