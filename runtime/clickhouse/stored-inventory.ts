/** Inventory rows: every column merges by minimum, maximum or union, so a replay changes nothing. */
import type { CallCount, InventoryRows } from '../../schemas/clickhouse/inventory-row.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

const HOUR_MS = 3_600_000;
const hourText = (ms: number): string => dateTime(Math.floor(ms / HOUR_MS) * HOUR_MS).slice(0, 19);

export async function upsertInventory(clickhouse: ClickHouse, rows: InventoryRows): Promise<void> {
  await insertRows(
    clickhouse,
    'operations',
    rows.operations.map((row) => ({
      service: row.service,
      kind: row.kind,
      operation: row.operation,
      first_seen: dateTime(row.firstMs),
      last_seen: dateTime(row.lastMs),
      callers: row.callers,
      exposed: row.exposed ? 1 : 0,
      versions: row.versions,
    })),
  );
  await insertRows(
    clickhouse,
    'edges',
    rows.edges.map((row) => ({
      caller_service: row.callerService,
      caller_operation: row.callerOperation,
      service: row.service,
      operation: row.operation,
      first_seen: dateTime(row.firstMs),
      last_seen: dateTime(row.lastMs),
    })),
  );
  await insertRows(
    clickhouse,
    'inventory_calls',
    rows.calls.map((row) => ({
      hour: hourText(row.hourMs),
      partition: row.partition,
      caller_service: row.callerService,
      caller_operation: row.callerOperation,
      service: row.service,
      kind: row.kind,
      operation: row.operation,
      calls: row.calls,
      errors: row.errors,
    })),
  );
}

/** Counts of the hour that holds `hourMs`, from which the new owner of the partition counts on. */
export async function readCallCounts(clickhouse: ClickHouse, partition: number, hourMs: number): Promise<CallCount[]> {
  const rows = await queryRows<Omit<CallCount, 'calls' | 'errors' | 'hourMs'> & { calls: string; errors: string }>(
    clickhouse,
    'counted calls',
    `SELECT partition, caller_service AS callerService, caller_operation AS callerOperation, service, kind, operation,
            toString(max(c.calls)) AS calls, toString(max(c.errors)) AS errors
     FROM ${table(clickhouse, 'inventory_calls')} AS c
     WHERE partition = {partition:UInt32} AND hour = toDateTime({hour:String}, 'UTC')
     GROUP BY partition, caller_service, caller_operation, service, kind, operation`,
    { partition, hour: hourText(hourMs) },
  );
  const hour = Math.floor(hourMs / HOUR_MS) * HOUR_MS;
  return rows.map((row) => ({ ...row, hourMs: hour, calls: Number(row.calls), errors: Number(row.errors) }));
}
