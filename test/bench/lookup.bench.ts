/**
 * A trace by its id among ten million spans on the embedded ClickHouse, as Grafana asks for it (two steps through
 * otel_traces_trace_id_ts) and as we do, after a replay of 5 % of the rows that nothing had removed.
 */
import { createClient } from '@clickhouse/client';
import { pino } from 'pino';
import { createClosedDays } from '../../runtime/clickhouse/closed-days.ts';
import { READER_USER } from '../../runtime/clickhouse/embedded-settings.ts';
import { grafanaTrace, ownTrace } from '../functional/analyst/grafana-queries.ts';
import { startTestServer, type TestServer } from '../functional/clickhouse/server.ts';
import { type Bench, type BenchResult, type Spread, spread } from './bench.ts';

const SPANS = 10_000_000;
const SPANS_A_TRACE = 14;
const DAYS = 5;
const INSERT_ROWS = 100_000;
const REPLAYED_SHARE = 20; // one trace in twenty
const LOOKUPS = 50;
const WARM_UP = 5;
const TARGET_MS = 100;
const FIRST_DAY_MS = Date.UTC(2026, 10, 15);

const TRACES = Math.floor(SPANS / SPANS_A_TRACE);
/** Nanoseconds between the starts of two traces. */
const TRACE_NS = Math.floor((DAYS * 86_400 * 1e9) / TRACES);

/**
 * Spans of the traces [from, to): ten services, some fifty operations, twelve attributes, 3 to 200 ms; a trace takes about a
 * third of a second. Ids are hashes: as random as real ones.
 */
const spansOf = (from: number, to: number, only = 'true'): string => `
  WITH intDiv(number, ${SPANS_A_TRACE}) AS trace, number % ${SPANS_A_TRACE} AS n,
    lower(hex(MD5(toString(trace)))) AS id, sipHash64(trace, n) AS r, r % 10 AS s, bitShiftRight(r, 8) % 5 AS o,
    ['gateway', 'storefront', 'catalog', 'cart', 'checkout', 'payment', 'shipping', 'recommendation', 'profile', 'worker'][s + 1] AS service,
    ['GET /items/:id', 'GET /search', 'POST /cart/:id', 'POST /orders', 'SELECT items'][o + 1] AS operation
  SELECT
    fromUnixTimestamp64Nano(toInt64(${FIRST_DAY_MS} * 1000000 + trace * ${TRACE_NS} + n * 20000000)) AS Timestamp,
    id AS TraceId,
    substring(lower(hex(MD5(concat(toString(trace), '/', toString(n))))), 1, 16) AS SpanId,
    if(n = 0, '', substring(lower(hex(MD5(concat(toString(trace), '/', toString(intDiv(n, 2)))))), 1, 16)) AS ParentSpanId,
    '' AS TraceState, operation AS SpanName, if(o = 4, 'Client', 'Server') AS SpanKind, service AS ServiceName,
    map('service.name', service, 'service.version', '1.4.2', 'host.name', concat('node-', toString(r % 40)),
      'telemetry.sdk.language', 'nodejs', 'process.pid', toString(r % 30000)) AS ResourceAttributes,
    '@opentelemetry/instrumentation-http' AS ScopeName, '0.57.1' AS ScopeVersion,
    map('http.request.method', 'GET', 'http.route', operation, 'http.response.status_code', '200',
      'url.path', concat('/items/', toString(r % 100000)), 'client.address', IPv4NumToString(toUInt32(r)),
      'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64)', 'enduser.id', toString(r % 5000)) AS SpanAttributes,
    3000000 + r % 197000000 AS Duration, 'Unset' AS StatusCode, '' AS StatusMessage,
    [] AS \`Events.Timestamp\`, [] AS \`Events.Name\`, [] AS \`Events.Attributes\`,
    [] AS \`Links.TraceId\`, [] AS \`Links.SpanId\`, [] AS \`Links.TraceState\`, [] AS \`Links.Attributes\`
  FROM numbers(${from * SPANS_A_TRACE}, ${(to - from) * SPANS_A_TRACE}) WHERE ${only}`;

async function load(server: TestServer): Promise<void> {
  const insert = async (select: string): Promise<void> => {
    await server.clickhouse.client.command({
      query: `INSERT INTO spanwarden.otel_traces ${select}`,
      clickhouse_settings: { insert_deduplicate: 0, min_insert_block_size_rows: '1000000' },
    });
  };
  const step = Math.floor(INSERT_ROWS / SPANS_A_TRACE);
  for (let from = 0; from < TRACES; from += step) {
    await insert(spansOf(from, Math.min(TRACES, from + step)));
    if ((from / step) % 10 === 0) process.stderr.write(`  ${Math.round((100 * from) / TRACES)} % of ${SPANS} spans\r`);
  }
  // What a crash between spans and verdicts leaves: the rows of one trace in twenty again, in inserts of their own.
  for (let from = 0; from < TRACES; from += step * REPLAYED_SHARE)
    await insert(spansOf(from, Math.min(TRACES, from + step * REPLAYED_SHARE), `trace % ${REPLAYED_SHARE} = 3`));
  process.stderr.write(`  ${SPANS} spans and 5 % of them again; waiting for merges\n`);
  for (;;) {
    const [row] = await server.rows<{ n: number }>('SELECT toUInt32(count()) AS n FROM system.merges');
    if (row!.n === 0) return;
    await new Promise((done) => setTimeout(done, 500));
  }
}

const ms = (times: readonly number[]): Spread & { p95: number } => ({
  ...spread(times),
  p95: [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.95)]!,
});

/** What the hourly check takes for each of the days, all of which hold duplicates. */
async function checkDays(server: TestServer): Promise<number[]> {
  const times: number[] = [];
  for (let day = 1; day <= DAYS; day++) {
    const closedDays = createClosedDays(
      { lateMs: 60_000 },
      {
        clickhouse: server.clickhouse,
        owns: () => true,
        now: () => FIRST_DAY_MS + (day + 0.5) * 86_400_000,
        logger: pino({ level: 'silent' }),
      },
    );
    const start = performance.now();
    const checked = await closedDays.check();
    times.push(performance.now() - start);
    if (checked.length !== 1) throw new Error(`${checked.length} days checked at once`);
  }
  return times;
}

const lookup: Bench = {
  name: 'lookup',
  question: 'how long does it take to find a trace by its id among ten million spans, in the embedded ClickHouse?',
  async run() {
    const server = await startTestServer({ spansTtlDays: 18_250 });
    const reader = createClient({ url: server.clickhouse.url, username: READER_USER });
    try {
      const began = performance.now();
      await load(server);
      const loadedS = Math.round((performance.now() - began) / 1_000);
      const [facts] = await server.rows<{ rows: string; parts: string; mb: string; times: string }>(
        `SELECT toString(sumIf(rows, table = 'otel_traces')) AS rows, toString(countIf(table = 'otel_traces')) AS parts,
         toString(round(sumIf(bytes_on_disk, table = 'otel_traces') / 1e6)) AS mb,
         toString(round(sumIf(bytes_on_disk, table = 'otel_traces_trace_id_ts') / 1e6)) AS times
         FROM system.parts WHERE active AND database = 'spanwarden'`,
      );
      const note = `${Number(facts!.rows).toLocaleString('en-US')} rows in ${facts!.parts} parts, ${facts!.mb} MB and ${facts!.times} MB of times, loaded in ${loadedS} s`;

      const timed = async (query: string, expected: number): Promise<number> => {
        const start = performance.now();
        const rows = await (await reader.query({ query, format: 'JSONEachRow' })).json();
        const took = performance.now() - start;
        if (rows.length < expected) throw new Error(`${rows.length} of ${expected} spans found`);
        return took;
      };
      /** Traces all over the days, others for every way of asking; one in twenty was replayed. */
      const idsOf = (way: number): Promise<string[]> =>
        Promise.all(
          Array.from({ length: LOOKUPS + WARM_UP }, async (_, i) => {
            const trace = Math.floor(((i + 0.2 * way + 0.1) * TRACES) / (LOOKUPS + WARM_UP));
            return (await server.rows<{ id: string }>(`SELECT lower(hex(MD5('${trace}'))) AS id`))[0]!.id;
          }),
        );
      const measure = async (way: number, query: (id: string) => string, expected: number): Promise<number[]> => {
        const times: number[] = [];
        for (const id of await idsOf(way)) times.push(await timed(query(id), expected));
        return times.slice(WARM_UP); // the first ones open connections and load marks
      };
      const results: BenchResult[] = [];
      const report = (name: string, shape: string, times: readonly number[], more: Partial<BenchResult> = {}): void => {
        const { p95, ...median } = ms(times);
        results.push({ name, shape, unit: 'ms', ...median, note: `p95 ${p95.toFixed(0)} ms; ${note}`, ...more });
      };
      const grafana = await measure(0, (id) => grafanaTrace('spanwarden', id), SPANS_A_TRACE);
      const own = await measure(1, (id) => ownTrace('spanwarden', id), SPANS_A_TRACE);
      const all = (id: string): string => `SELECT * FROM spanwarden.otel_traces WHERE TraceId = '${id}'`;
      const direct = await measure(2, all, SPANS_A_TRACE);
      const absent = await measure(3, (id) => grafanaTrace('spanwarden', `${id.slice(1)}f`), 0);
      report("trace by id, Grafana's two steps", '14 spans', grafana, { target: TARGET_MS });
      report('trace by id, LIMIT 1 BY SpanId', '14 spans', own, { target: TARGET_MS });
      report('trace by id, without its time', '14 spans', direct, {
        ratio: spread(direct).value / spread(grafana).value,
        reference: 'two steps',
      });
      report('an id that is not there', '0 spans', absent, { target: TARGET_MS });
      report('closed day checked, 5 % removed', '2 M spans', await checkDays(server));
      return results;
    } finally {
      await reader.close();
      await server.stop();
    }
  },
};

export const benches: readonly Bench[] = [lookup];
