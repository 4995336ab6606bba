/** Incidents, alerts and the responder's snapshot: rows of little traffic, the newest revision stands. */
import type { Alert, Incident } from '../../schemas/alerts/incident.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export interface Snapshot {
  /** First offset that is not in the state. */
  readonly nextOffset: number;
  readonly state: string;
}

export const insertIncidents = (clickhouse: ClickHouse, incidents: readonly Incident[]): Promise<void> =>
  insertRows(
    clickhouse,
    'incidents',
    incidents.map((incident) => ({
      id: incident.id,
      revision: incident.revision,
      state: incident.state,
      merged_into: incident.mergedInto,
      class: incident.class,
      kind: incident.kind,
      explanation_key: incident.explanationKey,
      entity: incident.entity,
      service: incident.service,
      operation: incident.operation,
      title: incident.title,
      match_text: incident.matchText,
      severity: incident.severity,
      p: incident.p,
      client_address: incident.client.address ?? '',
      client_confidence: incident.client.confidence,
      client: JSON.stringify(incident.client),
      clients: incident.clients,
      users: incident.users,
      services: incident.services,
      start: dateTime(incident.startMs),
      end: dateTime(incident.endMs),
      opened: dateTime(incident.openedMs),
      closed: dateTime(incident.closedMs),
      trace_count: incident.traceCount,
      trace_ids: incident.traceIds,
      occurrences: incident.occurrences,
      version: incident.version,
      release: incident.release,
      hard: incident.hard,
      findings: JSON.stringify(incident.findings),
    })),
  );

const INCIDENT_COLUMNS = `id, toString(revision) AS revision, state, merged_into AS mergedInto, class, kind,
  explanation_key AS explanationKey, entity, service, operation, title, match_text AS matchText, severity, p,
  client AS clientText, clients, users, services, toUnixTimestamp64Milli(start) AS startMs, toUnixTimestamp64Milli(end) AS endMs,
  toUnixTimestamp64Milli(opened) AS openedMs, toUnixTimestamp64Milli(closed) AS closedMs, toString(trace_count) AS traceCount,
  trace_ids AS traceIds, toString(occurrences) AS occurrences, version, release, hard, findings AS findingsText`;

type IncidentRow = Omit<Incident, 'client' | 'findings'> & { clientText: string; findingsText: string };

function toIncident({ clientText, findingsText, ...row }: IncidentRow): Incident {
  return {
    ...row,
    revision: Number(row.revision),
    startMs: Number(row.startMs),
    endMs: Number(row.endMs),
    openedMs: Number(row.openedMs),
    closedMs: Number(row.closedMs),
    traceCount: Number(row.traceCount),
    occurrences: Number(row.occurrences),
    client: JSON.parse(clientText) as Incident['client'],
    findings: JSON.parse(findingsText) as Incident['findings'],
  };
}

export interface IncidentFilter {
  readonly state?: Incident['state'];
  readonly id?: string;
  readonly sinceMs?: number;
  readonly limit?: number;
}

/** Incidents as they stand, newest first. */
export async function readIncidents(clickhouse: ClickHouse, filter: IncidentFilter = {}): Promise<Incident[]> {
  const rows = await queryRows<IncidentRow>(
    clickhouse,
    'incidents',
    `SELECT ${INCIDENT_COLUMNS} FROM (SELECT * FROM ${table(clickhouse, 'incidents')} FINAL)
     WHERE ({state:String} = '' OR toString(state) = {state:String}) AND ({id:String} = '' OR id = {id:String})
       AND opened >= fromUnixTimestamp64Milli({since:Int64})
     ORDER BY opened DESC, id LIMIT {limit:UInt32}`,
    { state: filter.state ?? '', id: filter.id ?? '', since: filter.sinceMs ?? 0, limit: filter.limit ?? 1_000 },
  );
  return rows.map(toIncident);
}

export const insertAlerts = (clickhouse: ClickHouse, alerts: readonly Alert[]): Promise<void> =>
  insertRows(
    clickhouse,
    'alerts',
    alerts.map((alert) => ({
      id: alert.id,
      type: alert.type,
      incident_id: alert.incidentId,
      created: dateTime(alert.createdMs),
      body: alert.body,
    })),
  );

export const insertSnapshot = (
  clickhouse: ClickHouse,
  owner: string,
  snapshot: Snapshot,
  nowMs: number,
): Promise<void> =>
  insertRows(clickhouse, 'snapshots', [
    { owner, next_offset: snapshot.nextOffset, state: snapshot.state, written: dateTime(nowMs) },
  ]);

export async function readSnapshot(clickhouse: ClickHouse, owner: string): Promise<Snapshot | null> {
  const [row] = await queryRows<{ nextOffset: string; state: string }>(
    clickhouse,
    'a snapshot',
    `SELECT toString(next_offset) AS nextOffset, state FROM ${table(clickhouse, 'snapshots')}
     WHERE owner = {owner:String} ORDER BY written DESC, next_offset DESC LIMIT 1`,
    { owner },
  );
  return row === undefined ? null : { nextOffset: Number(row.nextOffset), state: row.state };
}
