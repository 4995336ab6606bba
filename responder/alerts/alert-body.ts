/** The body of an alert in types, as schemas/alerts/alert.schema.json declares it: what is kept, signed, and told on by destinations. */
import type { Alert, IncidentClass, IncidentState } from '../../schemas/alerts/incident.ts';

export interface AlertBody {
  readonly type: Alert['type'];
  readonly timestamp: string;
  readonly data: AlertData;
}

export interface AlertData {
  readonly incident?: BodyIncident;
  readonly title: string;
  readonly why?: string;
  readonly match?: object;
  readonly client?: BodyClient;
  readonly findings?: readonly BodyFinding[];
  readonly traces?: readonly BodyTrace[];
  readonly story?: BodyStory;
  readonly sql: string;
  readonly members?: readonly { readonly id: string; readonly title: string; readonly client: string | null }[];
  readonly digest?: BodyDigest;
  readonly budget?: object;
  /** Of an acknowledgement: who, and what was said. */
  readonly by?: string;
  readonly comment?: string;
  /** Present in what `spanwarden alerts test` sends. */
  readonly test?: true;
}

export interface BodyIncident {
  readonly id: string;
  readonly state?: IncidentState;
  readonly class: IncidentClass;
  readonly kind: string;
  readonly explanation: string;
  /** Absent in bodies of before. */
  readonly entity?: string;
  readonly service: string;
  readonly operation: string;
  readonly severity: number;
  readonly p: number;
  /** Absent in bodies of before. */
  readonly hard?: boolean;
  readonly start: string;
  readonly end: string;
  readonly traceCount: number;
  readonly occurrences: number;
  readonly baselineVersion: string;
  readonly release?: string;
  readonly mergedInto?: string;
}

export interface BodyClient {
  readonly address: string | null;
  readonly source: string;
  readonly confidence: string;
  readonly reason: string;
  readonly user: string | null;
  readonly others: readonly string[];
}

export interface BodyFinding {
  readonly kind: string;
  readonly service: string;
  readonly operation: string;
  readonly parameter: string;
  readonly expected: string;
  readonly seen: string;
  readonly count: number;
}

export interface BodyTrace {
  readonly id: string;
  readonly link: string;
}

export interface BodyCall {
  readonly depth: number;
  readonly call: string;
  readonly count: number;
  readonly mark: string;
}

export interface BodyStory {
  readonly stages: readonly {
    readonly stage: string;
    readonly technique: string;
    readonly by: string;
    readonly first: string;
    readonly last: string;
    readonly count: number;
  }[];
  readonly risk: number;
  readonly reasons: readonly string[];
  readonly timeline: readonly {
    readonly at: string;
    readonly what: string;
    readonly text: string;
    readonly traceId: string;
    readonly client: string;
  }[];
  readonly timelineLeftOut: number;
  readonly expected: readonly BodyCall[];
  readonly seen: readonly BodyCall[];
  readonly evidence: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly kind: string;
    readonly service: string;
    readonly operation: string;
    readonly client: string;
    readonly at: string;
    readonly link: string;
  }[];
  readonly reached: readonly string[];
  readonly tables: readonly string[];
  readonly fields: readonly string[];
  readonly similar: readonly { readonly id: string; readonly why: string }[];
}

export interface BodyDigest {
  readonly day: string;
  readonly leftOut: number;
  readonly entries: readonly {
    readonly kind: string;
    readonly service: string;
    readonly operation: string;
    readonly count: number;
    readonly clients: readonly string[];
    readonly p: number;
    readonly why: string;
    readonly trace: BodyTrace;
  }[];
}

/** What is kept and sent is what was made here, now or by an earlier release: newer parts may be missing. */
export const readBody = (alert: Alert): AlertBody => JSON.parse(alert.body) as AlertBody;
