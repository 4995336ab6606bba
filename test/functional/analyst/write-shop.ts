/** Writes the shop's days into a database, through the store as the detector and the responder do; and again, as replays are. */
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import { dateTime, insertRows } from '../../../runtime/clickhouse/statements.ts';
import type { Store } from '../../../runtime/clickhouse/store.ts';
import { insertActors } from '../../../runtime/clickhouse/stored-actors.ts';
import type { InventoryRows } from '../../../schemas/clickhouse/inventory-row.ts';
import { type Verdict, verdictId, verdictRevision } from '../../../schemas/log/verdict.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { placesOf } from '../clickhouse/segments.ts';
import { storeOf } from '../clickhouse/server.ts';
import {
  ACTORS,
  ALERTS,
  BUDGETS,
  DELIVERIES,
  flatten,
  INCIDENTS,
  NOVELTIES,
  type Node,
  RATE_HOURS,
  REQUESTS,
  type Request,
  spanOf,
  TODAY,
  WORDS,
  YESTERDAY,
} from './shop-days.ts';

const KINDS = { Server: 2, Client: 3, Producer: 4, Consumer: 5 } as const;
/** From the start of a request to the log-append time of its first record. */
export const APPENDED_AFTER_MS = 600;
const HOUR_MS = 3_600_000;
const PARTITIONS = 2;

const nanos = (ms: number): string => `${BigInt(Math.round(ms)) * 1_000_000n}`;
const partitionOf = (traceId: string): number => Number.parseInt(traceId.slice(0, 2), 16) % PARTITIONS;

interface Placed {
  readonly node: Node;
  readonly id: string;
  readonly parent: Placed | undefined;
}

function placed(request: Request): Placed[] {
  const { traceId, tree } = request;
  const all: Placed[] = [];
  const walk = (node: Node, parent: Placed | undefined): void => {
    const one = { node, id: spanOf(traceId, tree.operation, all.length), parent };
    all.push(one);
    for (const call of node.calls ?? []) walk(call, one);
  };
  walk(tree, undefined);
  return all;
}

export function segmentOfRequest(request: Request, offset: number): { segment: SegmentSpans; verdict: Verdict } {
  const { traceId, startMs, parentSpanId, facts } = request;
  const spans = placed(request);
  const resourceSpans = spans.map(({ node, id, parent }) => {
    const resource = { 'service.name': node.service, 'service.version': node.version ?? '1.3.0' };
    const text = (entries: Readonly<Record<string, string>>) =>
      Object.entries(entries).map(([key, value]) => ({ key, value: { stringValue: value } }));
    return {
      resource: { attributes: text(resource) },
      scopeSpans: [
        {
          scope: { name: 'shop', version: '1.0.0' },
          spans: [
            {
              traceId,
              spanId: id,
              parentSpanId: parent?.id ?? parentSpanId,
              name: node.operation,
              kind: KINDS[node.kind],
              startTimeUnixNano: nanos(startMs + node.at),
              endTimeUnixNano: nanos(startMs + node.at + node.ms),
              attributes: text(node.attributes ?? {}),
              ...(node.failed ? { status: { code: 2, message: 'failed' } } : {}),
            },
          ],
        },
      ],
    };
  });
  const record = (jsonToTracesData(JSON.stringify({ resourceSpans })) as { bytes?: Uint8Array }).bytes!;
  const appendMs = startMs + APPENDED_AFTER_MS;
  const segment: SegmentSpans = {
    traceId,
    entrySpanId: spans[0]!.id,
    entryReason: 'root',
    asynchronous: facts.asynchronous ?? false,
    partition: partitionOf(traceId),
    firstOffset: offset,
    appendMs,
    records: [record],
    spanCount: spans.length,
    places: placesOf(record),
    truncated: false,
  };
  const verdict: Verdict = {
    id: verdictId(appendMs, traceId, segment.entrySpanId),
    traceId,
    entrySpanId: segment.entrySpanId,
    partition: segment.partition,
    firstOffset: offset,
    appendMs,
    revision: verdictRevision(spans.length, 2, facts.originState === 'known'),
    stage: 2,
    state: 'scored',
    version: 'v1',
    asynchronous: false,
    service: spans[0]!.node.service,
    operation: spans[0]!.node.operation,
    startMs,
    endMs: startMs + Math.max(...spans.map(({ node }) => node.at + node.ms)),
    spanCount: spans.length,
    truncated: false,
    score: 0.3,
    p: 0.5,
    anomalous: false,
    groups: { structure: 1, timing: 0.5, parameters: 1, status: 1 },
    match: null,
    origins: [],
    originState: 'none',
    findings: [],
    ...facts,
    client: facts.client!,
  };
  return { segment, verdict };
}

/** What the detector's inventory would hold: every call of every request. */
export function inventoryOf(requests: readonly Request[]): InventoryRows {
  const operations: InventoryRows['operations'][number][] = [];
  const edges: InventoryRows['edges'][number][] = [];
  const calls = new Map<
    string,
    { -readonly [K in keyof InventoryRows['calls'][number]]: InventoryRows['calls'][number][K] }
  >();
  for (const request of requests) {
    for (const { node, parent } of placed(request)) {
      const caller = parent?.node;
      const atMs = request.startMs + node.at;
      const { service, kind, operation } = node;
      const from = { callerService: caller?.service ?? '', callerOperation: caller?.operation ?? '' };
      operations.push({
        service,
        kind,
        operation,
        firstMs: atMs,
        lastMs: atMs,
        callers: [from.callerService],
        exposed: caller === undefined && kind === 'Server',
        versions: node.version === undefined ? [] : [node.version],
      });
      edges.push({ ...from, service, operation, firstMs: atMs, lastMs: atMs });
      const hourMs = Math.floor((request.startMs + APPENDED_AFTER_MS) / HOUR_MS) * HOUR_MS;
      const partition = partitionOf(request.traceId);
      const key = JSON.stringify([hourMs, partition, from, service, kind, operation]);
      const call = calls.get(key) ?? { hourMs, partition, ...from, service, kind, operation, calls: 0, errors: 0 };
      call.calls++;
      if (node.failed) call.errors++;
      calls.set(key, call);
    }
  }
  return { operations, edges, calls: [...calls.values()] };
}

export const SPANS = REQUESTS.reduce((sum, { tree }) => sum + flatten(tree).length, 0);

/** Everything once. */
export async function writeShop(clickhouse: ClickHouse): Promise<Store> {
  await applySchema(clickhouse);
  const store = storeOf(clickhouse);
  const batch = store.createBatch();
  REQUESTS.forEach((request, offset) => {
    const { segment, verdict } = segmentOfRequest(request, offset);
    batch.add(segment, verdict);
  });
  await batch.flush();
  await store.upsertInventory(inventoryOf(REQUESTS));
  await store.insertIncidents(Object.values(INCIDENTS));
  await insertActors(clickhouse, ACTORS);
  await store.insertAlerts(Object.values(ALERTS));
  await store.insertDeliveries(DELIVERIES);
  await writeRates(store, 0);
  await insertRows(clickhouse, 'baseline_edits', EDIT_REVISIONS);
  await writeVersions(clickhouse, store);
  return store;
}

/** An operator's edit of the baseline, and how it was before. */
const EDIT_REVISIONS = [1, 2].map((revision) => ({
  id: 'e1',
  revision,
  supersedes: revision - 1,
  state: revision === 1 ? 'learning' : 'approved',
  owner: 'ben',
  by: 'ben',
  at: dateTime(TODAY + (13 + revision) * HOUR_MS),
  expires: dateTime(0),
  comment: 'customers are looked up since 1.4.0',
  entry: 'gateway POST /checkout',
  summary: 'allows orders GET /customers/:id',
  incident_id: INCIDENTS.edge.id,
  document: '{}',
  preview: '',
}));

/** Words, digest, rates and budget; `change` < 0: as they were before. */
async function writeRates(store: Store, change: number): Promise<void> {
  const older = change < 0;
  await store.insertIncidentActions(WORDS);
  await store.insertDigest(
    NOVELTIES.map((one) => ({ ...one, revision: one.revision + change, ...(older ? { count: 1, p: 0.9 } : {}) })),
  );
  await store.insertJudgedHours(RATE_HOURS.map((one) => (older ? { ...one, segments: 10, below: [9, 9, 9] } : one)));
  await store.insertBudget(BUDGETS.map((one) => (older ? { ...one, atMs: one.atMs - 1, threshold: 0.9 } : one)));
}

/** The versions in the verdicts, and yesterday's check. */
async function writeVersions(clickhouse: ClickHouse, store: Store): Promise<void> {
  const facts = { offsets: [80, 80], segments: 400 };
  for (const [version, parent, createdMs] of [
    ['v1', '', YESTERDAY + 10 * HOUR_MS],
    ['v2', 'v1', TODAY + 9 * HOUR_MS],
  ] as const)
    await store.insertVersion({ manifest: { version, parent, createdMs, alerting: true, ...facts }, entries: [] });
  await insertRows(clickhouse, 'closed_days', [
    { day: '2026-11-19', checked: dateTime(TODAY + 3 * HOUR_MS), rows: 251, duplicates: 12, took_ms: 40 },
  ]);
}

/**
 * What crashes and rebalances write: spans that slipped past the removal of replays, the same verdicts, incidents, alerts and
 * deliveries again, older revisions and higher ones that say the same, and counts that began anew. Merges are stopped, so
 * that nothing but the queries themselves can hide it.
 */
export async function writeReplays(clickhouse: ClickHouse, store: Store): Promise<void> {
  const { client, database } = clickhouse;
  await client.command({ query: `SYSTEM STOP MERGES ${database}.otel_traces` });
  for (const table of [
    'verdicts',
    'incidents',
    'actors',
    'alerts',
    'deliveries',
    'incident_actions',
    'digest',
    'judged_hours',
    'budget',
    'baseline_edits',
    'operations',
    'edges',
    'inventory_calls',
    'baseline_versions',
    'closed_days',
  ])
    await client.command({ query: `SYSTEM STOP MERGES ${database}.${table}` });
  await client.command({
    query: `INSERT INTO ${database}.otel_traces SELECT * FROM ${database}.otel_traces`,
    clickhouse_settings: { insert_deduplicate: 0 },
  });
  for (const change of [0, 2, -1]) {
    const batch = store.createBatch();
    REQUESTS.forEach((request, offset) => {
      const { verdict } = segmentOfRequest(request, offset);
      const older = change < 0;
      batch.add(null, {
        ...verdict,
        revision: verdict.revision + change,
        ...(older ? { stage: 0, anomalous: true, p: 1e-9, score: 9, operation: 'not known yet' } : {}),
      });
    });
    await batch.flush();
    await store.insertIncidents(
      Object.values(INCIDENTS).map((one) => ({
        ...one,
        revision: one.revision + change,
        ...(change < 0 ? { state: 'open' as const, title: 'an older title', traceIds: [], clients: [] } : {}),
      })),
    );
    await store.insertDeliveries(
      DELIVERIES.map((one) => ({
        ...one,
        revision: one.revision + change,
        ...(change < 0 ? { state: 'pending' as const, attempt: 0 } : {}),
      })),
    );
    await insertActors(
      clickhouse,
      ACTORS.map((one) => ({
        ...one,
        revision: one.revision + change,
        ...(change < 0 ? { risk: 99, stages: [], reasons: ['not known yet'] } : {}),
      })),
    );
    await store.insertAlerts(Object.values(ALERTS));
    await writeRates(store, change);
    await insertRows(clickhouse, 'baseline_edits', EDIT_REVISIONS.slice(change < 0 ? 0 : 1));
  }
  await writeVersions(clickhouse, store);
  const { operations, edges, calls } = inventoryOf(REQUESTS);
  await store.upsertInventory({
    operations,
    edges,
    calls: calls.map((call) => ({ ...call, calls: Math.ceil(call.calls / 2) })),
  });
}
