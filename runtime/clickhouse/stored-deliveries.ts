/** Deliveries of alerts: what the outbox is restored from, and what was given up. The newest revision stands. */
import type { Alert, Delivery } from '../../schemas/alerts/incident.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export interface AlertedDelivery {
  readonly alert: Alert;
  readonly delivery: Delivery;
}

export interface DeadLetterFilter {
  /** Of the alert, or the start of it. */
  readonly id?: string;
  readonly destination?: string;
  /** Given up since. */
  readonly sinceMs?: number;
  /** Given up before. */
  readonly beforeMs?: number;
  readonly limit?: number;
}

export const insertDeliveries = (clickhouse: ClickHouse, deliveries: readonly Delivery[]): Promise<void> =>
  insertRows(
    clickhouse,
    'deliveries',
    deliveries.map((delivery) => ({
      alert_id: delivery.alertId,
      destination: delivery.destination,
      revision: delivery.revision,
      attempt: delivery.attempt,
      state: delivery.state,
      http_status: delivery.httpStatus,
      error: delivery.error,
      next_attempt: dateTime(delivery.nextAttemptMs),
      updated: dateTime(delivery.updatedMs),
      queued: dateTime(delivery.queuedMs ?? 0),
    })),
  );

interface DeliveryRow {
  id: string;
  type: Alert['type'];
  incidentId: string;
  createdMs: string;
  body: string;
  destination: string;
  revision: string;
  attempt: number;
  state: Delivery['state'];
  httpStatus: number;
  error: string;
  nextAttemptMs: string;
  updatedMs: string;
  queuedMs: string;
}

const deliveriesWith = (clickhouse: ClickHouse, body: string, where: string, end: string): string => `
  SELECT a.id AS id, a.type AS type, a.incident_id AS incidentId, toUnixTimestamp64Milli(a.created) AS createdMs, ${body} AS body,
    d.destination AS destination, toString(d.revision) AS revision, d.attempt AS attempt, d.state AS state,
    d.http_status AS httpStatus, d.error AS error, toUnixTimestamp64Milli(d.next_attempt) AS nextAttemptMs,
    toUnixTimestamp64Milli(d.updated) AS updatedMs, toUnixTimestamp64Milli(d.queued) AS queuedMs
  FROM (SELECT * FROM ${table(clickhouse, 'alerts')} FINAL) AS a
  INNER JOIN (SELECT * FROM ${table(clickhouse, 'deliveries')} FINAL) AS d ON d.alert_id = a.id
  WHERE ${where} ORDER BY ${end}`;

const toDelivery = (row: DeliveryRow): AlertedDelivery => ({
  alert: { id: row.id, type: row.type, incidentId: row.incidentId, createdMs: Number(row.createdMs), body: row.body },
  delivery: {
    alertId: row.id,
    destination: row.destination,
    revision: Number(row.revision),
    attempt: row.attempt,
    state: row.state,
    httpStatus: row.httpStatus,
    error: row.error,
    nextAttemptMs: Number(row.nextAttemptMs),
    updatedMs: Number(row.updatedMs),
    ...(Number(row.queuedMs) > 0 && { queuedMs: Number(row.queuedMs) }),
  },
});

/**
 * Alerts made or tried since `sinceMs` with their newest delivery by destination, oldest first: a replayed one may be old. Of
 * those that are done without the body: there may be many of them.
 */
export async function readDeliveries(clickhouse: ClickHouse, sinceMs: number): Promise<AlertedDelivery[]> {
  const rows = await queryRows<DeliveryRow>(
    clickhouse,
    'deliveries',
    deliveriesWith(
      clickhouse,
      "if(d.state IN ('pending', 'failed'), a.body, '')",
      'a.created >= fromUnixTimestamp64Milli({since:Int64}) OR d.updated >= fromUnixTimestamp64Milli({since:Int64})',
      'a.created, a.id, d.destination',
    ),
    { since: Math.floor(sinceMs) },
  );
  return rows.map(toDelivery);
}

/** What was given up, the newest first. */
export async function readDeadLetters(
  clickhouse: ClickHouse,
  { id = '', destination = '', sinceMs = 0, beforeMs = Number.MAX_SAFE_INTEGER, limit = 1_000 }: DeadLetterFilter = {},
): Promise<AlertedDelivery[]> {
  const rows = await queryRows<DeliveryRow>(
    clickhouse,
    'dead letters',
    deliveriesWith(
      clickhouse,
      'a.body',
      `d.state = 'dead' AND startsWith(a.id, {id:String}) AND ({destination:String} = '' OR d.destination = {destination:String})
       AND toUnixTimestamp64Milli(d.updated) >= {since:Int64} AND toUnixTimestamp64Milli(d.updated) < {before:Int64}`,
      'd.updated DESC, a.id, d.destination LIMIT {limit:UInt32}',
    ),
    { id, destination, since: Math.floor(sinceMs), before: Math.floor(beforeMs), limit },
  );
  return rows.map(toDelivery);
}
