/** What deviates at one node of a segment; turned into a finding only when somebody will read it. */
import type { FindingKind } from '../../schemas/log/verdict.ts';
import type { RuleLine } from './entries.ts';

export interface Feature {
  readonly kind: FindingKind;
  readonly hard: boolean;
  /** Near-certain unless whoever sees many requests knows of a reason (load, lost telemetry). */
  readonly candidate: boolean;
  readonly absence: boolean;
  /** Span the evidence is at. */
  readonly node: number;
  /** Its parent in the folded tree, −1 for the entry's. */
  readonly above: number;
  readonly p: number;
  readonly severity: number;
  /** Count seen, and the largest learned (fan-out). */
  readonly count: number;
  readonly max: number;
  readonly rule: RuleLine | null;
  /** Observations the expectation rests on. */
  readonly support: number;
  /** Span of another call that it is about: what came second (order), what failed before (a rule suspended); −1. */
  readonly other: number;
}

/** What deviates this rarely is listed with the verdict though it is inside what was learned. */
export const LISTED_P = 1e-3;
/** Unknown edges and operations are listed unless they are this common. */
export const LISTED_UNSEEN_P = 0.05;

export function feature(
  kind: FindingKind,
  absence: boolean,
  node: number,
  above: number,
  p: number,
  severity: number,
  support: number,
  more: Partial<Pick<Feature, 'hard' | 'candidate' | 'count' | 'max' | 'rule' | 'other'>> = {},
): Feature {
  const { hard = false, candidate = false, count = 0, max = 0, rule = null, other = -1 } = more;
  return { kind, hard, candidate, absence, node, above, p, severity, count, max, rule, support, other };
}
