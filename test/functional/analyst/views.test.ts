/** The views an analysis starts from, on data where everything was replayed, amended and counted anew. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noClickHouse } from '../clickhouse/server.ts';
import { askRows, type ShopDatabases, startShopDatabases } from './databases.ts';
import {
  ACTORS,
  ALERTS,
  attack,
  CLIENTS,
  DELIVERIES,
  INCIDENTS,
  invoices,
  NOVELTIES,
  RATE_HOURS,
  REQUESTS,
  slowSearches,
  WORDS,
} from './shop-days.ts';
import { inventoryOf } from './write-shop.ts';

type Row = Readonly<Record<string, unknown>>;

/** The columns that name a thing, and how many things there are by the shop's own list. */
const distinct = (values: readonly unknown[]): number => new Set(values.map((value) => JSON.stringify(value))).size;
const { operations, edges, calls } = inventoryOf(REQUESTS);
const odd = REQUESTS.filter(({ facts }) => facts.anomalous);
const dayOf = (ms: number): string => new Date(ms + 600).toISOString().slice(0, 10);
const standing = Object.values(INCIDENTS).filter(({ state }) => state !== 'merged');
const inStories = Object.values(INCIDENTS).reduce((sum, { traceIds }) => sum + traceIds.length, 0);

const VIEWS: Readonly<Record<string, { readonly key: string; readonly things: number }>> = {
  verdicts_latest: { key: 'id', things: REQUESTS.length },
  incidents_latest: { key: 'id', things: standing.length },
  anomalous_traces: {
    key: 'day, trace_id',
    things: distinct(odd.map(({ startMs, traceId }) => [dayOf(startMs), traceId])),
  },
  incident_timeline: {
    key: 'incident_id, at, event, what, trace_id',
    // a request for each trace, two stages, one row for the opening (or merging) of each, one closing, alerts, deliveries, words
    things:
      inStories + 2 + Object.keys(INCIDENTS).length + 1 + Object.keys(ALERTS).length + DELIVERIES.length + WORDS.length,
  },
  ocsf_detection_finding: { key: "JSONExtractString(finding_info, 'uid')", things: Object.keys(INCIDENTS).length },
  client_activity: {
    key: 'day, client_address, service, operation, asynchronous',
    things: distinct(
      REQUESTS.map(({ startMs, tree, facts }) => [dayOf(startMs), facts.client?.address, tree.service, tree.operation]),
    ),
  },
  inventory: {
    key: 'service, kind, operation',
    things: distinct(operations.map(({ service, kind, operation }) => [service, kind, operation])),
  },
  api_operations: {
    key: 'service, kind, operation',
    things: distinct(
      operations
        .filter(({ kind }) => kind === 'Server' || kind === 'Consumer')
        .map(({ service, kind, operation }) => [service, kind, operation]),
    ),
  },
  api_calls: {
    key: 'hour, caller_service, caller_operation, service, kind, operation',
    things: distinct(calls.map((c) => [c.hourMs, c.callerService, c.callerOperation, c.service, c.kind, c.operation])),
  },
  service_edges: {
    key: 'caller_service, service',
    things: distinct(
      edges.filter((e) => e.callerService !== e.service).map((edge) => [edge.callerService, edge.service]),
    ),
  },
  alert_deliveries: { key: 'alert_id, destination', things: DELIVERIES.length + 1 },
  dead_letters: { key: 'alert_id, destination', things: DELIVERIES.filter(({ state }) => state === 'dead').length },
  // nobody was over a bound or decided about in those days
  actors_latest: { key: 'subject, key', things: distinct(ACTORS.map(({ subject }) => subject)) },
  decisions_latest: { key: 'id', things: 0 },
  baseline_edits_latest: { key: 'id', things: 1 },
  detection_rates: { key: 'hour, version, nominal', things: 3 * RATE_HOURS.length },
  digest_latest: { key: 'day, kind, explanation_key', things: NOVELTIES.length },
  detection_health: {
    key: 'day, hour, service, operation',
    things: distinct(
      REQUESTS.map(({ startMs, tree }) => [Math.floor((startMs + 600) / 3_600_000), tree.service, tree.operation]),
    ),
  },
};

describe.skipIf(noClickHouse)('views', () => {
  let shop: ShopDatabases;
  beforeAll(async () => {
    shop = await startShopDatabases();
  });
  afterAll(() => shop?.stop());

  test('there is no view that these tests leave out', async () => {
    const views = await askRows<{ name: string }>(
      shop.replayed,
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name",
    );
    expect(views.map(({ name }) => name)).toEqual(Object.keys(VIEWS).sort());
  });

  test('the tables behind them do hold rows twice: only then do the tests below say something', async () => {
    for (const [table, key] of [
      ['otel_traces', 'TraceId, SpanId'],
      ['verdicts', 'id'],
      ['incidents', 'id'],
      ['alerts', 'id'],
      ['deliveries', 'alert_id, destination'],
      ['incident_actions', 'said_of, said, action, said_by'],
      ['digest', 'day, kind, explanation_key'],
      ['judged_hours', 'hour, version'],
      ['budget', 'hour'],
      ['operations', 'service, kind, operation'],
      ['edges', 'caller_service, caller_operation, service, operation'],
      ['inventory_calls', 'hour, partition, caller_service, caller_operation, service, kind, operation'],
    ]) {
      const [row] = await askRows<{ twice: number }>(
        shop.replayed,
        `SELECT toUInt32(count() - uniqExact(${key})) AS twice FROM ${table}`,
      );
      expect(row!.twice, table).toBeGreaterThan(0);
    }
  });

  test.each(Object.entries(VIEWS).map(([view, facts]) => ({ view, ...facts })))(
    '$view shows each thing once, whatever was replayed',
    async ({ view, key, things }) => {
      const all = `SELECT * FROM ${view} ORDER BY ${key}`;
      const rows = await askRows<Row>(shop.replayed, all);
      expect(rows).toHaveLength(things);
      const [keys] = await askRows<{ n: number }>(
        shop.replayed,
        `SELECT toUInt32(uniqExact(${key})) AS n FROM ${view}`,
      );
      expect(keys!.n).toBe(things);
      // An amendment has a higher revision and says the same here; risk of actors falls between two questions.
      const falls = view === 'actors_latest' ? { risk: undefined } : {};
      const plain = (row: Row): Row => ({ ...row, revision: undefined, written: undefined, ...falls });
      expect(rows.map(plain)).toEqual((await askRows<Row>(shop.clean, all)).map(plain));
    },
  );

  test.each(Object.keys(VIEWS))('%s gives the types that it declares', async (view) => {
    const given = await askRows<Row>(shop.replayed, `DESCRIBE TABLE (SELECT * FROM ${view})`);
    const declared = await askRows<Row>(shop.replayed, `DESCRIBE TABLE ${view}`);
    expect(given.map(({ name, type }) => [name, type])).toEqual(declared.map(({ name, type }) => [name, type]));
    expect(declared.filter(({ comment }) => comment === '')).toEqual([]);
    // A Bool is a UInt8 by another name, which a view passes on unseen.
    const bools = declared.filter(({ type }) => type === 'Bool').map(({ name }) => String(name));
    const [row] = await askRows<Row>(shop.replayed, `SELECT * FROM ${view} LIMIT 1`);
    if (row !== undefined) for (const name of bools) expect(typeof row[name], name).toBe('boolean');
  });

  test('an anomalous trace says what deviated, who caused it, and what its segments say together', async () => {
    const [row] = await askRows<Row>(
      shop.replayed,
      `SELECT * FROM anomalous_traces WHERE trace_id = '${attack.traceId}'`,
    );
    expect(row).toMatchObject({
      day: '2026-11-20',
      service: 'gateway',
      operation: 'POST /checkout',
      hard: true,
      kinds: ['required-child'],
      findings: [
        'required-child in orders POST /orders: expected payments POST /charge in 400 of 400; seen no payments POST /charge',
      ],
      client_address: CLIENTS.attacker,
      client_confidence: 'high',
      clients: [CLIENTS.attacker],
      users: ['mallory'],
      services: ['orders'],
      segments: expect.anything(),
      deviation: 4,
    });
    expect(Number(row!.segments)).toBe(1); // what the worker did for it was normal
  });

  test('the story of a merged incident is told under the one that took it in', async () => {
    const rows = await askRows<Row>(
      shop.replayed,
      `SELECT event, trace_id FROM incident_timeline WHERE incident_id = '${INCIDENTS.unpaid.id}' ORDER BY at, event`,
    );
    const requests = rows.filter(({ event }) => event === 'request').map(({ trace_id }) => trace_id);
    expect(requests).toEqual([...invoices, attack].map(({ traceId }) => traceId));
    expect(rows.map(({ event }) => event).filter((event) => event !== 'request')).toEqual([
      'stage',
      'merged',
      'stage',
      'opened',
      'alert',
      'delivery',
      'said',
      'delivery',
    ]);
    const [closed] = await askRows<Row>(
      shop.replayed,
      `SELECT what FROM incident_timeline WHERE event = 'closed' AND incident_id = '${INCIDENTS.search.id}'`,
    );
    expect(closed).toEqual({ what: `${slowSearches.length} occurrences in ${slowSearches.length} traces` });
  });

  test('counts that a new owner began anew do not add up: the largest stands', async () => {
    const [row] = await askRows<Row>(
      shop.replayed,
      "SELECT toUInt32(sum(calls)) AS calls, toUInt32(sum(errors)) AS errors FROM api_calls WHERE service = 'gateway'",
    );
    const counted = calls.filter(({ service }) => service === 'gateway');
    expect(row).toEqual({
      calls: counted.reduce((sum, call) => sum + call.calls, 0),
      errors: counted.reduce((sum, call) => sum + call.errors, 0),
    });
  });

  test.each(['anomalous_traces', 'client_activity', 'detection_health', 'verdicts_latest'])(
    '%s, asked for a day, reads the partition of that day alone',
    async (view) => {
      const plan = await askRows<{ explain: string }>(
        shop.server.clickhouse.client,
        `EXPLAIN indexes = 1 SELECT * FROM spanwarden.${view} WHERE day = '2026-11-19'`,
      );
      const text = plan.map(({ explain }) => explain).join('\n');
      const [, read, all] = /Parts: (\d+)\/(\d+)/.exec(text) ?? [];
      expect(Number(read)).toBeGreaterThan(0);
      expect(Number(read)).toBeLessThan(Number(all));
    },
  );
});
