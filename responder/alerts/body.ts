/** The body of an alert, as schemas/alerts/alert.schema.json declares it, and its id. */
import { createHash } from 'node:crypto';
import type { Alert, Incident } from '../../schemas/alerts/incident.ts';
import type { Match } from '../../schemas/log/verdict.ts';
import type { IncidentEvent } from '../incidents/lifecycle.ts';

const MAX_TITLE = 1024;
const iso = (ms: number): string => new Date(ms).toISOString();

export interface AlertContext {
  /** `https://…/{traceId}`, or '' for no links. */
  readonly traceLink: string;
  readonly database: string;
}

/** Equal for the same event over replays: it is the `webhook-id` a receiver deduplicates by. */
export const alertId = (event: IncidentEvent, incidentId: string, sequence: string): string =>
  `msg_${createHash('sha256').update(`${incidentId}\u0000${event}\u0000${sequence}`).digest('hex').slice(0, 32)}`;

export function createAlert(
  event: IncidentEvent,
  incident: Incident,
  sequence: string,
  members: readonly Incident[],
  atMs: number,
  context: AlertContext,
): Alert {
  const type = event === 'storm' ? 'storm' : (`incident.${event}` as const);
  return {
    id: alertId(event, incident.id, sequence),
    type,
    incidentId: incident.id,
    createdMs: atMs,
    body: JSON.stringify({ type, timestamp: iso(atMs), data: alertData(incident, members, context) }),
  };
}

function alertData(incident: Incident, members: readonly Incident[], context: AlertContext): object {
  const { client } = incident;
  return {
    incident: {
      id: incident.id,
      state: incident.state,
      class: incident.class,
      kind: incident.kind,
      explanation: incident.explanationKey,
      service: incident.service,
      operation: incident.operation,
      severity: incident.severity,
      p: incident.p,
      start: iso(incident.startMs),
      end: iso(incident.endMs),
      traceCount: incident.traceCount,
      occurrences: incident.occurrences,
      baselineVersion: incident.version,
      ...(incident.release !== '' && { release: incident.release }),
    },
    title: incident.title.slice(0, MAX_TITLE),
    why: incident.matchText,
    ...(incident.match && { match: matchData(incident.match) }),
    client: {
      address: client.address,
      source: client.source,
      confidence: client.confidence,
      reason: client.reason,
      user: client.user,
      others: incident.clients.filter((address) => address !== client.address),
    },
    findings: incident.findings.map(({ kind, service, operation, parameter, expected, seen, count }) => ({
      kind,
      service,
      operation,
      parameter,
      expected,
      seen,
      count,
    })),
    traces: incident.traceIds.map((id) => ({ id, link: context.traceLink.replaceAll('{traceId}', id) })),
    sql: sqlFor(incident, context.database),
    ...(members.length > 0 && {
      members: members.map(({ id, title, client: by }) => ({
        id,
        title: title.slice(0, MAX_TITLE),
        client: by.address,
      })),
    }),
  };
}

/** The sentence of `why` in numbers (DETECTION §0). */
function matchData({ family, signature, learnedFrom, similarity, threshold, deviation, ...more }: Match): object {
  const { learnedThreshold, worst, exact, unseenEntry } = more;
  return {
    family,
    signature,
    learnedFrom,
    similarity,
    threshold,
    ...(learnedThreshold && { learnedThreshold }),
    deviation,
    worst,
    exact,
    unseenEntry,
  };
}

/** Trace ids are hexadecimal by construction, so they can stand in the text. */
function sqlFor(incident: Incident, database: string): string {
  const ids = incident.traceIds.filter((id) => /^[0-9a-f]{32}$/.test(id)).map((id) => `'${id}'`);
  return `SELECT Timestamp, ServiceName, SpanName, Duration / 1e6 AS ms, SpanAttributes FROM ${database}.otel_traces WHERE TraceId IN (${ids.join(', ') || "''"}) ORDER BY TraceId, Timestamp LIMIT 1 BY TraceId, SpanId`;
}
