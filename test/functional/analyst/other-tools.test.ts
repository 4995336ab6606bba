/**
 * What other tools expect of `otel_traces`: the columns that the OTel Collector's ClickHouse exporter creates and inserts,
 * and the queries of Grafana and HyperDX, which send no FINAL.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noClickHouse, startTestServer, type TestServer } from '../clickhouse/server.ts';
import { grafanaSearch, grafanaTrace, hyperdxSearch, ownTrace } from './grafana-queries.ts';
import { attack, flatten, REQUESTS, spanOf } from './shop-days.ts';
import { SPANS, segmentOfRequest, writeShop } from './write-shop.ts';

/**
 * open-telemetry/opentelemetry-collector-contrib, exporter/clickhouseexporter/internal/sqltemplates/traces_table.sql (read at
 * commits f92a5763be13 and 2bf6b9e1f8c8) and, the same columns in the same order, traces_insert.sql. The newer commit has
 * two ALIAS columns besides and another codec for Duration; neither changes what is read or inserted.
 */
const EXPORTER_TRACES = `
    Timestamp DateTime64(9)
    TraceId String
    SpanId String
    ParentSpanId String
    TraceState String
    SpanName LowCardinality(String)
    SpanKind LowCardinality(String)
    ServiceName LowCardinality(String)
    ResourceAttributes Map(LowCardinality(String), String)
    ScopeName String
    ScopeVersion String
    SpanAttributes Map(LowCardinality(String), String)
    Duration UInt64
    StatusCode LowCardinality(String)
    StatusMessage String
    Events.Timestamp Array(DateTime64(9))
    Events.Name Array(LowCardinality(String))
    Events.Attributes Array(Map(LowCardinality(String), String))
    Links.TraceId Array(String)
    Links.SpanId Array(String)
    Links.TraceState Array(String)
    Links.Attributes Array(Map(LowCardinality(String), String))`;

/** The same folder, traces_id_ts_lookup_table.sql (read at commit 61540ced55e9). */
const EXPORTER_TRACE_TIMES = `
    TraceId String
    Start DateTime
    End DateTime`;

const columnsOf = (text: string): string[][] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ (.*)/).slice(0, 2));

describe.skipIf(noClickHouse)('other tools on otel_traces', () => {
  let server: TestServer;
  const replayed = REQUESTS.filter((_, i) => i % 19 === 7); // 5 %
  beforeAll(async () => {
    server = await startTestServer({ spansTtlDays: 18_250, verdictsTtlDays: 18_250 });
    await server.clickhouse.client.command({ query: 'SYSTEM STOP MERGES spanwarden.otel_traces' });
    const store = await writeShop(server.clickhouse);
    // A replay as the detector meets it after a crash: what is stored is asked for, and left out (decision 8).
    for (const request of replayed) {
      const { segment, verdict } = segmentOfRequest(request, REQUESTS.indexOf(request));
      const known = (await store.storedSpanIds([request.traceId])).get(request.traceId);
      const batch = store.createBatch();
      batch.add(segment, verdict, new Set(known));
      await batch.flush();
    }
  });
  afterAll(() => server?.stop());

  const count = async (query: string): Promise<number> =>
    (await server.rows<{ n: number }>(`SELECT toUInt32(count()) AS n FROM (${query})`))[0]!.n;
  const from = "toDateTime('2026-11-19 00:00:00', 'UTC')";
  const to = "toDateTime('2026-11-21 00:00:00', 'UTC')";

  test.each([
    ['otel_traces', EXPORTER_TRACES],
    ['otel_traces_trace_id_ts', EXPORTER_TRACE_TIMES],
  ])('%s has the columns of the exporter, in order', async (table, published) => {
    const columns = await server.rows<{ name: string; type: string; kind: string }>(
      `SELECT name, type, default_kind AS kind FROM system.columns WHERE database = 'spanwarden' AND table = '${table}' ORDER BY position`,
    );
    expect(columns.map(({ name, type }) => [name, type])).toEqual(columnsOf(published));
    expect(columns.every(({ kind }) => kind === '')).toBe(true);
  });

  test('takes what the exporter inserts: all columns by name, none besides', async () => {
    const names = columnsOf(EXPORTER_TRACES).map(([name]) => name);
    await server.clickhouse.client.command({
      query: `INSERT INTO spanwarden.otel_traces (${names.join(', ')}) SELECT ${names.join(', ')} FROM spanwarden.otel_traces LIMIT 0`,
    });
  });

  test('a replay of 5 % of the rows leaves every span once, without FINAL and before any merge', async () => {
    expect(replayed.length / REQUESTS.length).toBeGreaterThanOrEqual(0.05);
    expect(await count('SELECT * FROM spanwarden.otel_traces')).toBe(SPANS);
    expect(await count('SELECT DISTINCT TraceId, SpanId FROM spanwarden.otel_traces')).toBe(SPANS);
    expect(await count(hyperdxSearch('spanwarden', from, to))).toBe(SPANS);
    const roots = REQUESTS.filter(({ parentSpanId }) => parentSpanId === '');
    expect(await count(grafanaSearch('spanwarden', from, to))).toBe(roots.length);
  });

  test('a trace by its id: in Grafana, and in our own look-up, each span once', async () => {
    for (const { traceId } of [attack, ...replayed]) {
      const segments = REQUESTS.filter((request) => request.traceId === traceId);
      const spans = segments.flatMap(({ tree }) => flatten(tree).map((_, n) => spanOf(traceId, tree.operation, n)));
      const ids = async (query: string, name: string) =>
        (await server.rows<Record<string, string>>(query)).map((row) => row[name]!).sort();
      expect(await ids(grafanaTrace('spanwarden', traceId), 'spanID')).toEqual([...spans].sort());
      expect(await ids(ownTrace('spanwarden', traceId), 'SpanId')).toEqual([...spans].sort());
    }
  });

  test("Grafana's trace panel gets what it draws", async () => {
    const rows = await server.rows<Record<string, unknown>>(grafanaTrace('spanwarden', attack.traceId));
    const entry = rows.find((row) => row.parentSpanID === '');
    expect(entry).toMatchObject({
      traceID: attack.traceId,
      serviceName: 'gateway',
      operationName: 'POST /checkout',
      startTime: attack.startMs,
      duration: attack.tree.ms,
      kind: 'Server',
      statusCode: 0,
      logs: [],
      references: [],
    });
    expect(entry!.tags).toContainEqual({ key: 'http.route', value: '/checkout' });
    expect(entry!.serviceTags).toContainEqual({ key: 'service.version', value: '1.3.0' });
  });
});
