/**
 * A verdict: what the detector says of one segment under one baseline version. A pure function of both; every verdict
 * is a row in ClickHouse, one with findings is also a record of the `findings` topic. Plain JSON on the wire.
 */

export const GROUPS = ['structure', 'timing', 'parameters', 'status'] as const;
/** The model groups that are re-ranked by themselves before fusion (DETECTION §5). */
export type Group = (typeof GROUPS)[number];

export const COMPONENTS = ['structure', 'timing', 'parameters'] as const;
/** The components of a match (DETECTION §0). */
export type Component = (typeof COMPONENTS)[number];

/** Reason of a client: only a part of the request came, of an inner service; its entry span is late or lost (docs/adr/046). */
export const ENTRY_MISSING = 'entry-missing';

export interface ClientRecord {
  /** Canonical IPv4 or IPv6 text, or null when nobody can tell. */
  readonly address: string | null;
  readonly source: 'peer' | 'forwarded' | 'x-forwarded-for' | 'header' | 'client.address' | 'origin' | 'none';
  readonly confidence: 'high' | 'medium' | 'low' | 'none';
  /** Why it is unknown or uncertain: `no-peer`, `no-header-capture`, `malformed`, `origin-pending`, …; '' when certain. */
  readonly reason: string;
  /** Trusted hops walked over, nearest first. */
  readonly hops: readonly string[];
  readonly entrySpanId: string;
  /** Trace of the entry span: another trace than the verdict's when the client was found across a link. */
  readonly entryTraceId: string;
  readonly user: string | null;
  readonly session: string | null;
  /** Socket peer of the entry span, canonical, whoever was named; absent when the span has none. */
  readonly peer?: string;
}

export interface Match {
  /** Entry operation and child-set key: `POST /checkout`. Text for people, stable inside a version. */
  readonly family: string;
  /** `POST /checkout #3`. */
  readonly signature: string;
  readonly version: string;
  /** Segments the signature was learned from. */
  readonly learnedFrom: number;
  /** 0…1, 1 = inside the baseline. */
  readonly similarity: Readonly<Record<Component, number>>;
  readonly threshold: Readonly<Record<Component, number>>;
  /** What was learned, for the components whose threshold an operator replaced. */
  readonly learnedThreshold?: Readonly<Partial<Record<Component, number>>>;
  /** (1 − similarity) / (1 − threshold) by component, and the largest. Above 1 = outside the baseline. */
  readonly deviation: Readonly<Record<Component | 'max', number>>;
  readonly worst: Component;
  /** False when a bound cut the tree edit short and the weighted Jaccard stands. */
  readonly exact: boolean;
  /** True when the entry operation was never learned: matched against all families. */
  readonly unseenEntry: boolean;
  /** One sentence for people: `similarity 0.86 to 'POST /checkout #3' (baseline ≥ 0.98, …), deviation 7.0×: missing …`. */
  readonly text: string;
}

/** Records of `actor-events` hold a kind as its place in this list: new ones go last. */
export const FINDING_KINDS = [
  'unseen-operation',
  'unseen-edge',
  'service-pair',
  'required-child',
  'required-ancestor',
  'child-set',
  'fan-out',
  'order',
  'whole-tree',
  'status',
  'latency',
  'self-time',
  'collective',
  'statement',
  'attack-pattern',
  'egress',
  'parameter',
  'trace-id-reused',
  /** Spans of a service do not come: a call may have been made that nothing was heard of. A notice, never an attack. */
  'missing-telemetry',
  /** An operator blocked this call, operation or signature. */
  'blocked',
  /** Abuse that only many requests of an actor show (schemas/log/actor-record.ts). */
  'actor',
  /** Our own configuration names the wrong client: one that carries most traffic, or a private or CDN range. A notice. */
  'attribution',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly kind: FindingKind;
  readonly group: Group;
  /** Near-certain by its kind (DETECTION §6): opens an incident at once. */
  readonly hard: boolean;
  /** Evidence from presence stands once seen; from absence only after the absence grace (ARCHITECTURE decision 5). */
  readonly evidence: 'presence' | 'absence';
  /** Explanation key by kind (DETECTION §6), parts joined by ' → ' or ' · '. */
  readonly explanationKey: string;
  readonly service: string;
  readonly operation: string;
  readonly spanId: string;
  /** Parameter name for parameter findings, '' otherwise. */
  readonly parameter: string;
  /** In words, with counts: what the baseline holds. Never a raw value. */
  readonly expected: string;
  /** In words: what came. Raw values only through redaction. */
  readonly seen: string;
  /** Observations the expectation rests on. */
  readonly support: number;
  /** Uncapped; orders findings (octaves beyond a maximum, ratio, edit cost). */
  readonly severity: number;
  /** Raw p of this feature, before the group's re-ranking. */
  readonly p: number;
  /** Share of this feature in the verdict's evidence; the shares of a verdict sum to 1. */
  readonly share: number;
  /** A hard finding only if the responder agrees (a slow node is load when others are slow too). */
  readonly candidate: boolean;
  /** Of a self time: by how much it lies above the learned maximum, milliseconds; absent when it does not. */
  readonly excessMs?: number;
  /** `service@version` when the deviating service runs a `service.version` that was not learned yet; absent otherwise. */
  readonly release?: string;
  /** Evidence times, milliseconds since the epoch: the deviating node's. */
  readonly startMs: number;
  readonly endMs: number;
}

export const VerdictStage = { provisional: 0, closed: 1, absenceJudged: 2, withdrawn: 3 } as const;
export type VerdictStage = (typeof VerdictStage)[keyof typeof VerdictStage];

export type OriginState = 'none' | 'pending' | 'known' | 'unknown';

export interface Verdict {
  /** `YYYYMMDD-<trace id>-<entry span id>`, the day that of the first record's log-append time (UTC). */
  readonly id: string;
  readonly traceId: string;
  readonly entrySpanId: string;
  readonly partition: number;
  /** Offset of the segment's first record. */
  readonly firstOffset: number;
  /** Log-append time of the first record. */
  readonly appendMs: number;
  /** 8 × distinct spans + 2 × stage + 1 when the origin is known. A later amendment is always higher. */
  readonly revision: number;
  readonly stage: VerdictStage;
  readonly state: 'learning' | 'scored' | 'withdrawn';
  /** Baseline version, '' while learning. */
  readonly version: string;
  readonly asynchronous: boolean;
  readonly service: string;
  readonly operation: string;
  /** Entry span's start, and the latest end in the segment; milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly spanCount: number;
  readonly truncated: boolean;
  /** −log10 p + 0.01 · min(severity, 99). */
  readonly score: number;
  /** Calibrated probability under normal; 1 while learning. */
  readonly p: number;
  /** p ≤ alpha, or outside of what an operator demands (docs/adr/026). */
  readonly anomalous: boolean;
  /** Re-ranked p by group. */
  readonly groups: Readonly<Record<Group, number>>;
  readonly match: Match | null;
  readonly client: ClientRecord;
  /** Clients across links, for asynchronous segments. */
  readonly origins: readonly ClientRecord[];
  readonly originState: OriginState;
  readonly findings: readonly Finding[];
  /** Of a verdict that is told (a record of `findings`); absent otherwise. */
  readonly story?: VerdictStory;
}

/** What people need beside the findings to see what happened. Names only, never a value. */
export interface VerdictStory {
  /** Calls of the best match and of the segment around what deviates, depth first; at most 40 lines each. */
  readonly expected: readonly ChainLine[];
  readonly seen: readonly ChainLine[];
  /** Services that spans of the segment ran in, databases and other peers, in order of first call; at most 32. */
  readonly reached: readonly string[];
  /** Tables and collections its statements name; at most 32. */
  readonly tables: readonly string[];
  /** Names of parameters and attributes that redaction calls sensitive, and that were there; at most 32. */
  readonly fields: readonly string[];
}

export interface ChainLine {
  readonly depth: number;
  /** Label text: `orders client POST payment`. */
  readonly call: string;
  /** How often, under that parent. */
  readonly count: number;
  /** `missing`: expected, not there. `extra`: there, not expected. `changed`: another count, or, where all calls are the same, what else deviates. */
  readonly mark: '' | 'missing' | 'extra' | 'changed';
}

/** 8 × distinct spans + 2 × stage + 1 when the origin is known (ARCHITECTURE decision 8). */
export const verdictRevision = (spanCount: number, stage: VerdictStage, originKnown: boolean): number =>
  8 * spanCount + 2 * stage + (originKnown ? 1 : 0);

/** The id contains the log-append day, so that no amendment or replay can change the partition of its row. */
export const verdictId = (appendMs: number, traceId: string, entrySpanId: string): string =>
  `${new Date(appendMs).toISOString().slice(0, 10).replaceAll('-', '')}-${traceId}-${entrySpanId}`;

/** What the `findings` topic carries of a verdict. */
export interface FindingRecord {
  readonly verdict: Verdict;
  /** Segments a day in the version's learning window; 0 = unknown: then nothing soft opens an incident. */
  readonly segmentsPerDay: number;
}
