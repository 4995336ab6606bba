/** Incidents, alerts and deliveries: what the responder keeps in ClickHouse and says to people (DETECTION §6). */
import type { IncidentActionKind } from '../log/incident-action.ts';
import type { StageMark } from '../log/kill-chain.ts';
import type { ChainLine, ClientRecord, FindingKind, Group, Match } from '../log/verdict.ts';

export type IncidentClass = 'security' | 'operational' | 'telemetry' | 'inventory';
/** `expected`: ended by an operator who expected it. */
export type IncidentState = 'open' | 'closed' | 'merged' | 'expected';
/** Kind of the leading finding; `release`: what a new version of a service brought, together. */
export type IncidentKind = FindingKind | 'release';

export interface IncidentFinding {
  readonly kind: FindingKind;
  readonly explanationKey: string;
  readonly group: Group;
  readonly hard: boolean;
  readonly service: string;
  readonly operation: string;
  readonly parameter: string;
  readonly expected: string;
  readonly seen: string;
  readonly severity: number;
  readonly count: number;
}

export interface Incident {
  /** Hash of kind, explanation key, entity and the log-append day of the first finding: equal over replays. */
  readonly id: string;
  /** Grows with every change; the newest row wins. */
  readonly revision: number;
  readonly state: IncidentState;
  readonly mergedInto: string;
  readonly class: IncidentClass;
  readonly kind: IncidentKind;
  readonly explanationKey: string;
  /** Client address, or service and operation. */
  readonly entity: string;
  readonly service: string;
  readonly operation: string;
  readonly title: string;
  /** The match line of the worst verdict. */
  readonly matchText: string;
  /** That match itself, while the incident is held; of a row read back `match_text` and the verdicts' rows tell it. */
  readonly match?: Match;
  readonly severity: number;
  /** Smallest p among its verdicts. */
  readonly p: number;
  readonly client: ClientRecord;
  /** Every known client of it, the first one first; at most 64. */
  readonly clients: readonly string[];
  readonly users: readonly string[];
  readonly services: readonly string[];
  /** Evidence times, milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** Log-append time of the first finding. */
  readonly openedMs: number;
  readonly closedMs: number;
  /** Log time of the last hit, while the incident is held. */
  readonly lastHitMs?: number;
  /** Whose it was: an address; null = nobody known. */
  readonly lastHitBy?: string | null;
  /** Distinct traces, and up to 20 ids of them. */
  readonly traceCount: number;
  readonly traceIds: readonly string[];
  readonly occurrences: number;
  readonly version: string;
  /** `service@version` that brought it, '' otherwise. */
  readonly release: string;
  /** Near-certain: it has a hard finding about security. Otherwise chance may cause it, and the budget counts it. */
  readonly hard: boolean;
  readonly findings: readonly IncidentFinding[];
  readonly story: IncidentStory;
  /** What operators said of its present occurrence; of a row read back. */
  readonly review?: IncidentReview;
}

export interface IncidentReview {
  readonly is: 'new' | 'acknowledged' | 'resolved' | 'expected' | 'bad';
  /** '' and 0 while nobody said anything. */
  readonly by: string;
  readonly atMs: number;
  readonly comment: string;
}

/** The one story of an incident (DETECTION §6). */
export interface IncidentStory {
  /** Stages in the order of their first evidence. */
  readonly stages: readonly StageMark[];
  /** 0…100 of its worst actor, and why; 0 and none while nothing is known of one. */
  readonly risk: number;
  readonly reasons: readonly string[];
  /** What happened, in the order of evidence times; at most 64 entries, the first and last kept. */
  readonly timeline: readonly TimelineEntry[];
  /** Of its worst verdict. */
  readonly expected: readonly ChainLine[];
  readonly seen: readonly ChainLine[];
  /** Up to 20 requests that show it, chosen to differ. */
  readonly evidence: readonly Evidence[];
  readonly reached: readonly string[];
  readonly tables: readonly string[];
  readonly fields: readonly string[];
  /** Ids of earlier incidents that were like it, the likest first; at most 5. */
  readonly similar: readonly { readonly id: string; readonly why: string }[];
}

/** Nothing known of it. */
export const NO_STORY: IncidentStory = Object.freeze({
  stages: [],
  risk: 0,
  reasons: [],
  timeline: [],
  expected: [],
  seen: [],
  evidence: [],
  reached: [],
  tables: [],
  fields: [],
  similar: [],
});

export interface TimelineEntry {
  readonly atMs: number;
  readonly what:
    | 'finding'
    | 'actor'
    | 'stage'
    | 'opened'
    | 'merged'
    | 'closed'
    | 'reopened'
    | 'client'
    | 'word'
    | 'decision';
  readonly text: string;
  readonly traceId: string;
  readonly client: string;
}

export interface Evidence {
  readonly traceId: string;
  readonly entrySpanId: string;
  readonly spanId: string;
  readonly kind: IncidentKind;
  readonly service: string;
  readonly operation: string;
  readonly client: string;
  readonly atMs: number;
}

/** An operator's word on an incident (schemas/log/incident-action.ts), as it was taken. */
export interface IncidentWord {
  /** The incident, or the one that had taken it in. */
  readonly incidentId: string;
  /** As the operator named it. */
  readonly saidOf: string;
  /** Which occurrence of the incident it is about; 0 = it was not held any more. */
  readonly occurrence: number;
  readonly action: IncidentActionKind;
  readonly by: string;
  readonly comment: string;
  readonly editId: string;
  /** When it was said, and the log time at which it was taken. */
  readonly atMs: number;
  readonly takenMs: number;
  /** `unknown`: no such incident is held; one in the tables shows the word all the same. `refused`: it was judged bad. */
  readonly result: 'taken' | 'unknown' | 'refused';
}

export interface Alert {
  /** Also the `webhook-id`: the same on every attempt. */
  readonly id: string;
  readonly type:
    | 'incident.opened'
    | 'incident.updated'
    | 'incident.closed'
    /** An operator looks at it: told only where that can be shown (PagerDuty). */
    | 'incident.acknowledged'
    | 'storm'
    | 'digest';
  /** '' of a digest. */
  readonly incidentId: string;
  readonly createdMs: number;
  /** The body, JSON text, signed and sent as it is. */
  readonly body: string;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'dead';

export interface Delivery {
  readonly alertId: string;
  readonly destination: string;
  readonly revision: number;
  readonly attempt: number;
  readonly state: DeliveryState;
  readonly httpStatus: number;
  readonly error: string;
  readonly nextAttemptMs: number;
  readonly updatedMs: number;
  /** When it was queued, or replayed: giving up counts from here. Absent in rows of before: from the alert. */
  readonly queuedMs?: number;
}
