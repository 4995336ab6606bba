/** What a check found, in the form that `--json` prints. */

import type { CoverageShare, OperationCoverage } from './coverage.ts';
import type { Drowning } from './drowning.ts';
import type { Interval } from './interval.ts';
import type { MutationGroup, MutationKind } from './mutations/index.ts';
import type { RuleCoverage } from './rules.ts';

export const CHECKS = ['match', 'ties', 'ranking', 'rate', 'drowning', 'observe', 'rules'] as const;
/** What is checked, in the order in which a failure is told. */
export type CheckName = (typeof CHECKS)[number];

export interface Failure {
  readonly check: CheckName;
  /** One sentence with the figures. */
  readonly reason: string;
  /** What to do about it. */
  readonly wayOut: string;
}

export interface RateReport {
  readonly nominal: number;
  /** `fresh`: segments that the version did not learn from; `learned`: those it may have; there a rate can only be too high. */
  readonly of: 'fresh' | 'learned';
  readonly segments: number;
  readonly realised: number;
  /** 95 %, widened by `dispersion`. */
  readonly interval: Interval;
  readonly dispersion: number;
  /** Whether the interval meets [½, 2] × nominal. */
  readonly ok: boolean;
}

export interface KindReport {
  readonly kind: MutationKind;
  readonly group: MutationGroup;
  readonly planted: number;
  /** Share of attempts whose outcome equals a trace of the copy, and so is no anomaly. */
  readonly equal: number;
  /** Chance that one of them stands above a normal request. */
  readonly auroc: number;
  readonly recall: {
    readonly at1in100: number;
    readonly at1in1000: number;
    /** The product's own verdicts. */
    readonly verdict: number;
  };
}

/** A kind in an entry operation of which the product's own verdicts miss more than one in ten. */
export interface Miss {
  readonly kind: MutationKind;
  readonly operation: string;
  readonly planted: number;
  readonly recall: number;
  /** What was missed, in words. */
  readonly examples: readonly string[];
}

export interface CheckReport {
  readonly outcome: 'passed' | 'failed' | 'not enough';
  readonly version: string;
  readonly traffic: {
    readonly from: string | null;
    readonly to: string | null;
    readonly segments: number;
    readonly sampled: number;
    readonly whole: boolean;
    readonly unfinished: number;
    readonly unreadable: number;
    /** Judged as normal: the sample without what was left out. */
    readonly normal: number;
  };
  /** Segments that look like real anomalies. They are not left out where there are too many to believe. */
  readonly leftOut: { readonly hardFindings: number; readonly inIncidents: number; readonly believed: boolean };
  readonly ranking: {
    readonly auprc: number;
    readonly auroc: number;
    /** Mean of it over the better half of the kinds: some kinds are ordinary days for some traffic, but not all of them. */
    readonly betterHalf: number;
    readonly planted: number;
    readonly recallAt1in100: number;
    readonly recallAt1in1000: number;
    readonly recallVerdict: number;
  };
  readonly kinds: readonly KindReport[];
  readonly spread: {
    /** Distinct scores of normal traffic. */
    readonly distinct: number;
    /** Share of normal scores that equal their largest. */
    readonly tiedAtTop: number;
    /** The same of the planted ones, less those of the kind that has most of them. */
    readonly plantedTiedAtTop: number;
    readonly median: number;
    readonly top1in100: number;
    readonly top1in1000: number;
    readonly most: number;
  };
  readonly rates: readonly RateReport[];
  readonly groups: readonly Drowning[];
  readonly coverage: readonly CoverageShare[];
  /** The most called operations that some group only observes. */
  readonly observed: readonly OperationCoverage[];
  readonly rules: RuleCoverage;
  readonly misses: readonly Miss[];
  readonly withoutMatch: number;
  readonly failures: readonly Failure[];
  /** What there is too little of to judge, in words. */
  readonly notEnough: readonly string[];
}
