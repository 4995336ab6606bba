/** Reading and writing rows: one error class, one place that knows how bytes become an insert. */
import { Readable } from 'node:stream';
import type { ClickHouse } from './client.ts';
import { clickhouseError } from './errors.ts';

/** Rows of a query; `query` names tables through `table`. */
export async function queryRows<T>(
  clickhouse: ClickHouse,
  what: string,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<T[]> {
  try {
    const result = await clickhouse.client.query({ query, query_params, format: 'JSONEachRow' });
    return await result.json<T>();
  } catch (error) {
    throw clickhouseError(error, what);
  }
}

/** Rows of a query as they come, where there may be too many to hold at once. */
export async function* streamRows<T>(
  clickhouse: ClickHouse,
  what: string,
  query: string,
  query_params: Record<string, unknown> = {},
): AsyncGenerator<T> {
  try {
    const result = await clickhouse.client.query({ query, query_params, format: 'JSONEachRow' });
    for await (const rows of result.stream<T>()) for (const row of rows) yield row.json();
  } catch (error) {
    throw clickhouseError(error, what);
  }
}

/** `` `database`.name ``, quoted. */
export const table = (clickhouse: ClickHouse, name: string): string => `\`${clickhouse.database}\`.\`${name}\``;

/** Rows as objects, for tables of little traffic. Resolves when ClickHouse has them. */
export async function insertRows(clickhouse: ClickHouse, name: string, values: readonly object[]): Promise<void> {
  if (values.length === 0) return;
  try {
    await clickhouse.client.insert({
      table: table(clickhouse, name),
      values: values.map(wellFormed),
      format: 'JSONEachRow',
    });
  } catch (error) {
    throw clickhouseError(error, `rows of ${name}`);
  }
}

/** Half a character, as a cut through one leaves it, is no JSON for ClickHouse: one such row would keep all of them out for good. */
const wellFormed = (row: object): object =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, wellFormedValue(value)]));

const wellFormedValue = (value: unknown): unknown =>
  typeof value === 'string' ? value.toWellFormed() : Array.isArray(value) ? value.map(wellFormedValue) : value;

/**
 * Rows as RowBinary bytes; `token` makes a second attempt with the same bytes harmless where the table keeps a
 * deduplication window. Resolves when ClickHouse has them; the bytes may be overwritten then.
 */
export async function insertBinary(
  clickhouse: ClickHouse,
  name: string,
  columns: readonly string[],
  bytes: Uint8Array | readonly Uint8Array[],
  token: string,
): Promise<void> {
  const list = columns.map((column) => `\`${column}\``).join(', ');
  try {
    const { stream } = await clickhouse.client.exec({
      query: `INSERT INTO ${table(clickhouse, name)} (${list}) FORMAT RowBinary`,
      values: Readable.from(bytes instanceof Uint8Array ? [bytes] : bytes, { objectMode: false }),
      clickhouse_settings: { insert_deduplication_token: token, async_insert: 0, insert_deduplicate: 1 },
    });
    for await (const _ of stream); // the connection is free again only when the answer was read
  } catch (error) {
    throw clickhouseError(error, `rows of ${name}`);
  }
}

export async function runCommand(
  clickhouse: ClickHouse,
  what: string,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<void> {
  try {
    await clickhouse.client.command({ query, query_params });
  } catch (error) {
    throw clickhouseError(error, what);
  }
}

/** DateTime64 text of milliseconds, for JSONEachRow. */
export const dateTime = (ms: number): string => new Date(Math.max(0, ms)).toISOString().replace('T', ' ').slice(0, -1);
