/** Alerts and the responder's snapshot: rows of little traffic, the newest revision stands. */
import { randomUUID } from 'node:crypto';
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertBinary, insertRows, queryRows, table } from './statements.ts';

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

/** As bytes, in slices between which whatever waits comes: a state of tens of megabytes as one JSON row would hold the thread for a second. */
export async function insertSnapshot(
  clickhouse: ClickHouse,
  owner: string,
  snapshot: Snapshot,
  nowMs: number,
): Promise<void> {
  const state: Buffer[] = [];
  for (let from = 0; from < snapshot.state.length; ) {
    let to = Math.min(from + SLICE, snapshot.state.length);
    if (isHighSurrogate(snapshot.state.charCodeAt(to - 1))) to++; // no character is cut in two
    state.push(Buffer.from(snapshot.state.slice(from, to)));
    from = to;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(BigInt(snapshot.nextOffset), 0);
  numbers.writeBigInt64LE(BigInt(nowMs) * 1_000n, 8);
  const name = Buffer.from(owner);
  const row = [
    lengthOf(name.length),
    name,
    numbers,
    lengthOf(state.reduce((sum, { length }) => sum + length, 0)),
    ...state,
  ];
  await insertBinary(clickhouse, 'snapshots', ['owner', 'next_offset', 'written', 'state'], row, randomUUID());
}

/** Characters that are made bytes at a time. */
const SLICE = 500_000;

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;

/** LEB128, as RowBinary has it before a string. */
function lengthOf(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

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
