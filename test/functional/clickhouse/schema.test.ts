/** The schema as ClickHouse has it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { applySchema, readSchemaFiles, schemaReady } from '../../../runtime/clickhouse/schema.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import { noClickHouse, removeDirectory, startTestServer, type TestServer, temporaryDirectory } from './server.ts';

/** CONVENTIONS, "ClickHouse as the OTel Collector writes it". */
const TRACES_COLUMNS = [
  ['Timestamp', 'DateTime64(9)', 'CODEC(Delta(8), ZSTD(1))'],
  ['TraceId', 'String', 'CODEC(ZSTD(1))'],
  ['SpanId', 'String', 'CODEC(ZSTD(1))'],
  ['ParentSpanId', 'String', 'CODEC(ZSTD(1))'],
  ['TraceState', 'String', 'CODEC(ZSTD(1))'],
  ['SpanName', 'LowCardinality(String)', 'CODEC(ZSTD(1))'],
  ['SpanKind', 'LowCardinality(String)', 'CODEC(ZSTD(1))'],
  ['ServiceName', 'LowCardinality(String)', 'CODEC(ZSTD(1))'],
  ['ResourceAttributes', 'Map(LowCardinality(String), String)', 'CODEC(ZSTD(1))'],
  ['ScopeName', 'String', 'CODEC(ZSTD(1))'],
  ['ScopeVersion', 'String', 'CODEC(ZSTD(1))'],
  ['SpanAttributes', 'Map(LowCardinality(String), String)', 'CODEC(ZSTD(1))'],
  ['Duration', 'UInt64', 'CODEC(ZSTD(1))'],
  ['StatusCode', 'LowCardinality(String)', 'CODEC(ZSTD(1))'],
  ['StatusMessage', 'String', 'CODEC(ZSTD(1))'],
  ['Events.Timestamp', 'Array(DateTime64(9))', 'CODEC(ZSTD(1))'],
  ['Events.Name', 'Array(LowCardinality(String))', 'CODEC(ZSTD(1))'],
  ['Events.Attributes', 'Array(Map(LowCardinality(String), String))', 'CODEC(ZSTD(1))'],
  ['Links.TraceId', 'Array(String)', 'CODEC(ZSTD(1))'],
  ['Links.SpanId', 'Array(String)', 'CODEC(ZSTD(1))'],
  ['Links.TraceState', 'Array(String)', 'CODEC(ZSTD(1))'],
  ['Links.Attributes', 'Array(Map(LowCardinality(String), String))', 'CODEC(ZSTD(1))'],
];

describe.skipIf(noClickHouse)('schema', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  test('otel_traces has exactly the columns of the community table, in order', async () => {
    const columns = await server.rows<{ name: string; type: string; codec: string }>(
      "SELECT name, type, compression_codec AS codec FROM system.columns WHERE database = 'spanwarden' AND table = 'otel_traces' ORDER BY position",
    );
    expect(columns.map(({ name, type, codec }) => [name, type, codec])).toEqual(TRACES_COLUMNS);
    const [table] = await server.rows<Record<string, string>>(
      "SELECT engine, partition_key, primary_key, sorting_key, create_table_query AS ddl FROM system.tables WHERE database = 'spanwarden' AND name = 'otel_traces'",
    );
    expect(table).toMatchObject({
      engine: 'ReplacingMergeTree',
      partition_key: 'toDate(Timestamp)',
      primary_key: 'ServiceName, SpanName, toDateTime(Timestamp)',
      sorting_key: 'ServiceName, SpanName, toDateTime(Timestamp), TraceId, SpanId',
    });
    expect(table!.ddl).toContain('ttl_only_drop_parts = 1');
    const indexes = await server.rows<{ name: string; type: string; expr: string }>(
      "SELECT name, type_full AS type, expr FROM system.data_skipping_indices WHERE database = 'spanwarden' AND table = 'otel_traces' ORDER BY name",
    );
    expect(indexes).toEqual([
      { name: 'idx_duration', type: 'minmax', expr: 'Duration' },
      { name: 'idx_res_attr_key', type: 'bloom_filter(0.01)', expr: 'mapKeys(ResourceAttributes)' },
      { name: 'idx_res_attr_value', type: 'bloom_filter(0.01)', expr: 'mapValues(ResourceAttributes)' },
      { name: 'idx_span_attr_key', type: 'bloom_filter(0.01)', expr: 'mapKeys(SpanAttributes)' },
      { name: 'idx_span_attr_value', type: 'bloom_filter(0.01)', expr: 'mapValues(SpanAttributes)' },
      { name: 'idx_trace_id', type: 'bloom_filter(0.001)', expr: 'TraceId' },
    ]);
  });

  test('no column an amendment may change is in a sorting or partition key', async () => {
    const keys = await server.rows<{ name: string; sorting_key: string; partition_key: string }>(
      "SELECT name, sorting_key, partition_key FROM system.tables WHERE database = 'spanwarden' AND engine = 'ReplacingMergeTree'",
    );
    expect(Object.fromEntries(keys.map((key) => [key.name, [key.sorting_key, key.partition_key]]))).toMatchObject({
      verdicts: ['id', 'day'],
      incidents: ['id', ''],
      alerts: ['id', ''],
      deliveries: ['alert_id, destination', ''],
    });
  });

  test('every table and view, and every column of each, says what it is', async () => {
    expect(await server.rows("SELECT name FROM system.tables WHERE database = 'spanwarden' AND comment = ''")).toEqual(
      [],
    );
    expect(
      await server.rows("SELECT table, name FROM system.columns WHERE database = 'spanwarden' AND comment = ''"),
    ).toEqual([]);
    const [counted] = await server.rows<{ views: number; columns: number }>(
      `SELECT toUInt32(uniqExact(t.name)) AS views, toUInt32(count()) AS columns FROM system.columns AS c
       INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
       WHERE t.database = 'spanwarden' AND t.engine LIKE '%View'`,
    );
    expect(counted!.views).toBeGreaterThan(10);
    expect(counted!.columns).toBeGreaterThan(200);
  });

  test('several roles may apply it at once, and again later: every file once, no lock left', async () => {
    const directory = temporaryDirectory();
    const clickhouse = await connectClickHouse(clickhouseSection.parse({ embedded: { directory } }));
    try {
      expect(await schemaReady(clickhouse)).toBe(false);
      await Promise.all(Array.from({ length: 5 }, () => applySchema(clickhouse)));
      await applySchema(clickhouse);
      expect(await schemaReady(clickhouse)).toBe(true);
      const count = async (query: string) =>
        (await (await clickhouse.client.query({ query, format: 'JSONEachRow' })).json<{ n: number }>())[0]!.n;
      expect(await count('SELECT toUInt32(count()) AS n FROM spanwarden.schema_files')).toBe(
        (await readSchemaFiles()).length,
      );
      expect(await count("SELECT toUInt32(count()) AS n FROM system.tables WHERE name = 'schema_lock'")).toBe(0);
    } finally {
      await clickhouse.stop();
      removeDirectory(directory);
    }
  });

  test('a view that changed since is made anew, with its comments, in a database that an older version made', async () => {
    const { client, config } = server.clickhouse;
    const old = { ...server.clickhouse, database: 'older', config: { ...config, database: 'older' } };
    await applySchema(old);
    // What an older version left: other views, no comments on the parts of nested columns, and its own checksums.
    for (const query of [
      'CREATE OR REPLACE VIEW older.verdicts_latest AS SELECT id FROM older.verdicts',
      'CREATE OR REPLACE VIEW older.inventory AS SELECT service FROM older.operations',
      "ALTER TABLE older.verdicts COMMENT COLUMN `findings.kind` ''",
      'DROP VIEW older.anomalous_traces',
      "DELETE FROM older.schema_files WHERE name IN ('012_verdicts_comments', '050_anomalous_traces')",
    ])
      await client.command({ query });
    await client.insert({
      table: 'older.schema_files',
      values: ['014_verdicts_latest', '043_inventory'].map((name) => ({
        name,
        checksum: 'of an older version',
        applied: '2100-01-01 00:00:00',
      })),
      format: 'JSONEachRow',
    });
    const spans = (await readSchemaFiles()).find(({ name }) => name === '001_otel_traces')!;
    await client.insert({
      table: 'older.schema_files',
      values: [{ name: spans.name, checksum: spans.also[0], applied: '2100-01-01 00:00:00' }],
      format: 'JSONEachRow',
    });
    expect(await schemaReady(old)).toBe(false); // two were never applied
    await applySchema(old);
    expect(await schemaReady(old)).toBe(true);
    const layout = (database: string) =>
      server.rows(
        `SELECT table, name, type, comment FROM system.columns WHERE database = '${database}' ORDER BY table, position`,
      );
    expect(await layout('older')).toEqual(await layout('spanwarden'));
    // While roles are upgraded one by one the other version's views stand; nobody waits for them.
    await client.insert({
      table: 'older.schema_files',
      values: [{ name: '050_anomalous_traces', checksum: 'of a newer version', applied: '2100-01-02 00:00:00' }],
      format: 'JSONEachRow',
    });
    expect(await schemaReady(old)).toBe(true);
  });

  test('a lock that a dead process left is taken over', async () => {
    const { client, config } = server.clickhouse;
    const other = { ...server.clickhouse, database: 'locked', config: { ...config, database: 'locked' } };
    await client.command({ query: 'CREATE DATABASE locked ENGINE = Atomic' });
    await client.command({ query: "CREATE TABLE locked.schema_lock (owner String) ENGINE = Memory COMMENT 'dead'" });
    // Nobody waits a minute in a test: the applier is told that a lock is stale at once.
    await applySchema(other, { staleLockSeconds: -1 });
    expect(await schemaReady(other)).toBe(true);
  });

  test('retention follows the configuration', async () => {
    const { config } = server.clickhouse;
    const ttl = async () =>
      (
        await server.rows<{ days: string }>(
          "SELECT extract(create_table_query, 'toIntervalDay\\\\((\\\\d+)\\\\)') AS days FROM system.tables WHERE database = 'spanwarden' AND name = 'otel_traces'",
        )
      )[0]!.days;
    expect(await ttl()).toBe('14');
    await applySchema({ ...server.clickhouse, config: { ...config, spansTtlDays: 3 } });
    expect(await ttl()).toBe('3');
    await applySchema(server.clickhouse);
    expect(await ttl()).toBe('14');
  });

  test('a database made by another version is refused, not changed', async () => {
    const { client } = server.clickhouse;
    await client.insert({
      table: 'spanwarden.schema_files',
      values: [{ name: '041_edges', checksum: 'other', applied: '2100-01-01 00:00:00' }],
      format: 'JSONEachRow',
    });
    await expect(applySchema(server.clickhouse)).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('041_edges'),
    });
    await expect(schemaReady(server.clickhouse)).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
  });
});
