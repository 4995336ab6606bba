/** Incidents, alerts and deliveries: what the responder keeps in ClickHouse and says to people (DETECTION §6). */
import type { ClientRecord, FindingKind, Group } from '../log/verdict.ts';

export type IncidentClass = 'security' | 'operational' | 'telemetry' | 'inventory';
export type IncidentState = 'open' | 'closed' | 'merged';

export interface IncidentFinding {
  readonly kind: FindingKind;
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
  readonly kind: FindingKind;
  readonly explanationKey: string;
  /** Client address, or service and operation. */
  readonly entity: string;
  readonly service: string;
  readonly operation: string;
  readonly title: string;
  /** The match line of the worst verdict. */
  readonly matchText: string;
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
  /** Distinct traces, and up to 20 ids of them. */
  readonly traceCount: number;
  readonly traceIds: readonly string[];
  readonly occurrences: number;
  readonly version: string;
  readonly findings: readonly IncidentFinding[];
}

export interface Alert {
  /** Also the `webhook-id`: the same on every attempt. */
  readonly id: string;
  readonly type: 'incident.opened' | 'incident.updated' | 'incident.closed' | 'storm';
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
}
