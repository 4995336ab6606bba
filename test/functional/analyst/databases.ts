/** The shop's days twice on one server: `clean`, and `spanwarden` with everything replayed, read as the analyst's user. */
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { READER_USER } from '../../../runtime/clickhouse/embedded-settings.ts';
import { startTestServer, type TestServer } from '../clickhouse/server.ts';
import { writeReplays, writeShop } from './write-shop.ts';

export interface ShopDatabases {
  readonly server: TestServer;
  /** Everything written once. */
  readonly clean: ClickHouseClient;
  /** Everything written again and again; connected as the read-only user. */
  readonly replayed: ClickHouseClient;
  stop(): Promise<void>;
}

/** The shop's days lie in the past: nothing may be too old for the test. */
const FOREVER = 18_250;

export async function startShopDatabases(): Promise<ShopDatabases> {
  const server = await startTestServer({ spansTtlDays: FOREVER, verdictsTtlDays: FOREVER, incidentsTtlDays: FOREVER });
  const { clickhouse } = server;
  await writeReplays(clickhouse, await writeShop(clickhouse));
  const database = 'clean';
  await writeShop({ ...clickhouse, database, config: { ...clickhouse.config, database } });
  const { url, embedded } = clickhouse;
  const clean = createClient({ url, database, username: embedded!.user, password: embedded!.password });
  const replayed = createClient({ url, database: clickhouse.database, username: READER_USER });
  return {
    server,
    clean,
    replayed,
    async stop() {
      await Promise.all([clean.close(), replayed.close()]);
      await server.stop();
    },
  };
}

/** Text of a query's answer in a format of ClickHouse. */
export async function ask(
  client: ClickHouseClient,
  query: string,
  parameters: Readonly<Record<string, string>> = {},
  format: 'Markdown' | 'TSVWithNames' = 'TSVWithNames',
): Promise<string> {
  const result = await client.exec({ query: `${query.trim()}\nFORMAT ${format}`, query_params: { ...parameters } });
  const chunks: Buffer[] = [];
  for await (const chunk of result.stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export async function askRows<T>(
  client: ClickHouseClient,
  query: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const result = await client.query({ query, query_params: { ...parameters }, format: 'JSONEachRow' });
  return result.json<T>();
}
