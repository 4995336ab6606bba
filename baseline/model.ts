/**
 * The contract of the model groups. Learning counts into partials that merge exactly; publishing compiles merged partials
 * into an immutable model; scoring reads a segment and gives evidence. No I/O, no clock, no dice: all of it comes in.
 */
import type { Finding, Group, VerdictStory } from '../schemas/log/verdict.ts';
import type { Segment, Symbols } from '../traces/segment.ts';

export const JudgementStage = {
  /** Entry is in, spans may be missing: evidence from presence only. */
  provisional: 0,
  /** Closed, absence grace not over: evidence from presence only. */
  closed: 1,
  /** Absence grace over: evidence from absence too. */
  absence: 2,
} as const;
export type JudgementStage = (typeof JudgementStage)[keyof typeof JudgementStage];

/** What one group says of one segment. Reused: a model overwrites every field. */
export interface Evidence {
  /** −log10 of the group's raw p, ≥ 0; 0 = no evidence. */
  surprise: number;
  /** Uncapped, ≥ 0; orders what ties in `surprise`. */
  severity: number;
  /** Similarity of this group's component (DETECTION §0), 0…1; the status group has none and leaves 1. */
  similarity: number;
  /**
   * What deviates, `share` left 0 for fusion. Weak features that explain the surprise are listed too (not hard).
   * A segment that fits leaves the shared NO_FINDINGS.
   */
  findings: Finding[];
  /** Share of the segment's features in state observe, for coverage; 0…1. */
  observed: number;
}

export const NO_FINDINGS: Finding[] = Object.freeze([] as Finding[]) as unknown as Finding[];

export const createEvidence = (): Evidence => ({
  surprise: 0,
  severity: 0,
  similarity: 1,
  findings: NO_FINDINGS,
  observed: 0,
});

/** Best match of a segment (DETECTION §0, §1). Reused like Evidence. */
export interface StructureMatch {
  /** Stable key of the family inside the version; calibration keys thresholds by it. */
  familyKey: string;
  /** For people: entry operation. */
  family: string;
  /** For people: `POST /checkout #3`. */
  signature: string;
  /** Key of the signature's entry, stable from version to version; '' when none is learned. */
  signatureKey: string;
  learnedFrom: number;
  /** 1 on a hash hit, else 1 − editCost / (|T| + |S|). */
  similarity: number;
  exact: boolean;
  unseenEntry: boolean;
  /** Edit script in words, '' on a hit: "missing payment.charge after orders.create; extra s3 PutObject under orders". */
  script: string;
  /** Never above this: 1 − 1/(2|S|) (DETECTION §0). */
  thresholdCeiling: number;
}

/** Calls of a best match and of a segment, side by side. */
export type Chains = Pick<VerdictStory, 'expected' | 'seen'>;

export const createStructureMatch = (): StructureMatch => ({
  familyKey: '',
  family: '',
  signature: '',
  signatureKey: '',
  learnedFrom: 0,
  similarity: 1,
  exact: true,
  unseenEntry: false,
  script: '',
  thresholdCeiling: 1,
});

/** One line of a published version: an analyst can read it in ClickHouse, a loader rebuilds the model from it. */
export interface BaselineEntry {
  readonly group: Group | 'fusion' | 'match' | 'templates' | 'manifest' | 'releases' | 'edits';
  /** What kind of entry: `label`, `edge`, `rule`, `signature`, `histogram`, `parameter`, … */
  readonly kind: string;
  readonly key: string;
  /** JSON. Shapes and counts only: never a raw parameter value. */
  readonly value: string;
}

/** Maturity of a key (DETECTION §7): limits how small a p it may claim. */
export type Maturity = 'observe' | 'learning' | 'active';

export interface CoverageRow {
  readonly group: Group;
  readonly service: string;
  readonly operation: string;
  readonly state: Maturity;
  /** Observations of the operation in this group. */
  readonly count: number;
}

export interface Model {
  /** Scores one segment under this model alone; writes every field of `out`. */
  score(segment: Segment, stage: JudgementStage, out: Evidence): void;
  /**
   * What deviates beside the findings that were listed, the strongest first; called after score() on the same segment, where an
   * operator's edit takes a listed one away. Undefined where more deviates than is kept.
   */
  unlisted?(segment: Segment): readonly Finding[] | undefined;
  entries(): Iterable<BaselineEntry>;
  coverage(): Iterable<CoverageRow>;
}

export interface StructureModel extends Model {
  /** Whether requests enter with this call as a rule: an entry whose parent has not come waits for none. */
  isEntry(label: number): boolean;
  /** Whether they may: as a rule, or never learned, of a service that requests enter. */
  mayEnter(label: number): boolean;
  /** Whether `mayEnter` can be true of any label of this service. */
  isEntered(service: number): boolean;
  /** Whether calls of `child` right under `parent` were learned. */
  isCall(parent: number, child: number): boolean;
  /** Best match of the segment; called after score() on the same segment. */
  match(segment: Segment, out: StructureMatch): void;
  /**
   * Calls of the best match and of the segment side by side; called after score() on the same segment. `about`: label ids that
   * findings are about.
   */
  chains(segment: Segment, stage: JudgementStage, about: ReadonlySet<number>): Chains;
  /** Leave-one-signature-out similarities of a family, ascending: input of the structure threshold. */
  leaveOneOut(familyKey: string): readonly number[];
}

export interface LearnContext {
  /** Time bucket of the segment (DETECTION §7). */
  readonly bucket: number;
  /** 32-bit hash of the client, 0 = unknown. */
  readonly client: number;
  /** The segment's p* was < 1e-4 when scored before learning: count it apart. */
  readonly quarantined: boolean;
}

/** The numbers of a learning profile (`production`, `demo`, `export`). */
export interface LearningProfile {
  readonly name: 'production' | 'demo' | 'export';
  /** Support and confidence of a required-child rule. */
  readonly ruleSupport: number;
  /** Diversity admission: occurrences, distinct buckets, distinct clients (DETECTION §7). */
  readonly admitOccurrences: number;
  readonly admitBuckets: number;
  readonly admitClients: number;
  /** Below this many observations or buckets a key is in state observe. */
  readonly observeBelow: number;
  readonly observeBuckets: number;
  /** From this many observations on a key is active. */
  readonly activeFrom: number;
  /** Share of a key's counts one known client may give, and the count always taken. */
  readonly influenceShare: number;
  readonly influenceFree: number;
}

export interface CompileOptions {
  readonly profile: LearningProfile;
  readonly symbols: Symbols;
  /** Segments, distinct clients and distinct buckets of the whole window. */
  readonly segments: number;
  readonly clients: number;
  readonly buckets: number;
  /**
   * Entries of this group in the version before; empty for the first. After the first version, never-admit classes
   * (new egress, broken rules, unseen statements on sensitive tables) are taken over from here, not learned.
   */
  readonly previous: readonly BaselineEntry[];
  /** Table-name patterns whose statements are never admitted without an operator. */
  readonly sensitiveTables: readonly string[];
  /** Stream time at which the version is cut, milliseconds since the epoch: what drifts may drift so much a day. */
  readonly createdMs?: number;
  /** Services of which a release was learned that the version before did not know. */
  readonly deployed?: ReadonlySet<string>;
  /** Hashes of clients without which the version is made (learning/few-clients.ts). */
  readonly without?: readonly number[];
}

/** Learning side of one group. `P` is its partial: raw counters of one (log partition, block of time). */
export interface Learner<P, M extends Model = Model> {
  readonly group: Group;
  createPartial(): P;
  learn(partial: P, segment: Segment, context: LearnContext): void;
  /** Adds `from` to `into`; exact, commutative, associative; `from` is left as it was. */
  merge(into: P, from: P): void;
  encode(partial: P): Uint8Array;
  /** Throws BASELINE_DAMAGED. */
  decode(bytes: Uint8Array): P;
  compile(partial: P, options: CompileOptions): M;
  /** `entries` may be gone through more than once; a model keeps what it needs of them. */
  load(entries: Iterable<BaselineEntry>, symbols: Symbols): M;
}

/** Everything a version says of a segment, before attribution. */
export interface Judgement {
  p: number;
  score: number;
  anomalous: boolean;
  groups: Record<Group, number>;
  match: import('../schemas/log/verdict.ts').Match;
  findings: readonly Finding[];
}
