/** Alerts and the responder's snapshot: rows of little traffic, the newest revision stands. */
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export interface Snapshot {
  /** First offset that is not in the state. */
  readonly nextOffset: number;
  readonly state: string;
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

/** `newestMs`: of any row of the owner, 0 where there is none. */
export async function readSnapshot(
  clickhouse: ClickHouse,
  owner: string,
): Promise<{ readonly snapshot: Snapshot | null; readonly newestMs: number }> {
  const [newest] = await queryRows<{ ms: string }>(
    clickhouse,
    'the time of a snapshot',
    `SELECT toString(max(ms)) AS ms FROM (
       SELECT toUnixTimestamp64Milli(max(written)) AS ms FROM ${table(clickhouse, 'snapshots')} WHERE owner = {owner:String}
       UNION ALL
       SELECT toUnixTimestamp64Milli(max(written)) AS ms FROM ${table(clickhouse, 'snapshot_parts')} WHERE owner = {owner:String})`,
    { owner },
  );
  const [row] = await queryRows<{ nextOffset: string; state: string }>(
    clickhouse,
    'a snapshot',
    `SELECT toString(next_offset) AS nextOffset, state FROM ${table(clickhouse, 'snapshots')}
     WHERE owner = {owner:String} ORDER BY written DESC, next_offset DESC LIMIT 1`,
    { owner },
  );
  return {
    snapshot: row === undefined ? null : { nextOffset: Number(row.nextOffset), state: row.state },
    newestMs: Number(newest?.ms ?? 0),
  };
}
