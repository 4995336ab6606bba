/** The store on a real ClickHouse: nothing twice, nothing lost, and everything read back as it was written. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import type { VersionFacts } from '../../../runtime/clickhouse/store.ts';
import { type Alert, type Delivery, type Incident, NO_STORY } from '../../../schemas/alerts/incident.ts';
import type { VersionEntry } from '../../../schemas/baselines/version.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import type { ClientRecord, Verdict } from '../../../schemas/log/verdict.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { nanos, segmentOf, spanIdOf, traceIdOf, verdictOf } from './segments.ts';
import {
  noClickHouse,
  removeDirectory,
  startTestServer,
  storeOf,
  type TestServer,
  temporaryDirectory,
} from './server.ts';

const spanOf = (traceId: string, spanId: string, parentSpanId = '') => ({
  traceId,
  spanId,
  ...(parentSpanId === '' ? {} : { parentSpanId }),
  name: 'work',
  kind: 2,
  startTimeUnixNano: nanos(Date.now()),
  endTimeUnixNano: nanos(Date.now() + 5),
});

const traceOf = (spans = 3, facts: Partial<SegmentSpans> = {}): SegmentSpans => {
  const traceId = traceIdOf();
  const root = spanIdOf();
  return segmentOf(
    { 'service.name': 'checkout' },
    [spanOf(traceId, root), ...Array.from({ length: spans - 1 }, () => spanOf(traceId, spanIdOf(), root))],
    facts,
  );
};

describe.skipIf(noClickHouse)('store', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  const write = async (segment: SegmentSpans, verdict: Verdict, skip?: ReadonlySet<string>): Promise<void> => {
    const batch = server.store.createBatch();
    batch.add(segment, verdict, skip && new Set(skip));
    await batch.flush();
  };
  const countOf = async (query: string): Promise<number> =>
    (await server.rows<{ n: number }>(`SELECT toUInt32(count()) AS n FROM ${query}`))[0]!.n;

  describe('replays', () => {
    test('a replayed segment is recognised before it is inserted: the same rows with and without FINAL', async () => {
      const segment = traceOf(3, { partition: 5, firstOffset: 1_000 });
      const verdict = verdictOf(segment);
      await write(segment, verdict);

      const stored = await server.store.storedVerdicts(5, 1_000);
      expect(stored.get(verdict.id)).toEqual({
        revision: verdict.revision,
        traceId: segment.traceId,
        spanCount: 3,
        firstOffset: 1_000,
      });
      expect((await server.store.storedVerdicts(5, 1_001)).size).toBe(0);
      expect((await server.store.storedVerdicts(6, 0)).size).toBe(0);
      const known = (await server.store.storedSpanIds([segment.traceId, traceIdOf()])).get(segment.traceId);
      expect(known?.size).toBe(3);
      await write(segment, verdict, known); // what the detector does after a crash

      const where = `spanwarden.otel_traces WHERE TraceId = '${segment.traceId}'`;
      expect(await countOf(where)).toBe(3);
      expect(await countOf(where.replace('otel_traces', 'otel_traces FINAL'))).toBe(3);
    });

    test('a crash between spans and verdicts leaves duplicates that FINAL, LIMIT 1 BY and the daily clean-up remove', async () => {
      const segment = traceOf(4);
      await write(segment, verdictOf(segment));
      await write(segment, verdictOf(segment));
      const where = `spanwarden.otel_traces WHERE TraceId = '${segment.traceId}'`;
      expect(await countOf(where)).toBeGreaterThanOrEqual(4);
      expect(await countOf(where.replace('otel_traces', 'otel_traces FINAL'))).toBe(4);
      expect(await countOf(`(SELECT SpanId FROM ${where} LIMIT 1 BY SpanId)`)).toBe(4);
      await server.store.deduplicateDay(Date.now());
      expect(await countOf(where)).toBe(4);
    });

    test('only the spans that are missing are inserted when a late one came', async () => {
      const first = traceOf(2);
      await write(first, verdictOf(first));
      const late = spanOf(first.traceId, spanIdOf(), first.entrySpanId);
      const known = (await server.store.storedSpanIds([first.traceId])).get(first.traceId)!;
      const again = segmentOf(
        { 'service.name': 'checkout' },
        [...[...known].map((id) => spanOf(first.traceId, id)), late],
        { appendMs: first.appendMs },
      );
      await write(again, verdictOf(again), known);
      expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${first.traceId}'`)).toBe(3);
    });

    test('an amended verdict replaces the one before, whatever it changes', async () => {
      const segment = traceOf(2);
      const before = verdictOf(segment);
      await write(segment, before);
      const batch = server.store.createBatch();
      batch.add(null, {
        ...before,
        revision: before.revision + 3,
        stage: 2,
        startMs: before.startMs - 86_400_000, // a changed start once left two rows
        service: 'other',
        operation: 'GET /other',
        firstOffset: 7,
        anomalous: true,
        p: 1e-5,
      });
      batch.add(null, { ...before, revision: before.revision - 2 }); // older: has no say
      await batch.flush();
      const rows = await server.rows(
        `SELECT service, anomalous, stage FROM spanwarden.verdicts_latest WHERE trace_id = '${segment.traceId}'`,
      );
      expect(rows).toEqual([{ service: 'other', anomalous: true, stage: 'absence judged' }]);
      await server.clickhouse.client.command({ query: 'OPTIMIZE TABLE spanwarden.verdicts FINAL' });
      expect(await countOf(`spanwarden.verdicts WHERE trace_id = '${segment.traceId}'`)).toBe(1);
    });
  });

  test('a verdict is read as it was written', async () => {
    const segment = traceOf(1);
    const parts = { structure: 0.86, timing: 1, parameters: 0.9 };
    const base = verdictOf(segment);
    const verdict: Verdict = {
      ...base,
      score: 4.21,
      p: 6.25e-5,
      anomalous: true,
      match: {
        family: 'POST /checkout',
        signature: 'POST /checkout #3',
        version: 'v1',
        learnedFrom: 2_231,
        similarity: parts,
        threshold: { structure: 0.98, timing: 0.9, parameters: 0.9 },
        learnedThreshold: { structure: 0.95 },
        deviation: { structure: 7, timing: 0, parameters: 1, max: 7 },
        worst: 'structure',
        exact: true,
        unseenEntry: false,
        text: "similarity 0.86 to 'POST /checkout #3' (baseline ≥ 0.98)",
      },
      findings: [
        {
          kind: 'required-child',
          group: 'structure',
          hard: true,
          evidence: 'absence',
          explanationKey: 'orders → payment.charge',
          service: 'orders',
          operation: 'orders.create',
          spanId: segment.entrySpanId,
          parameter: '',
          expected: 'payment.charge in 2,231 of 2,231',
          seen: 'no payment.charge',
          support: 2_231,
          severity: 3.5,
          p: 4e-4,
          share: 1,
          candidate: false,
          startMs: base.startMs,
          endMs: base.endMs,
        },
      ],
    };
    await write(segment, verdict);
    const [row] = await server.rows<Record<string, unknown>>(
      `SELECT *, toUnixTimestamp64Milli(start) AS startMs, toString(day) AS dayText FROM spanwarden.verdicts WHERE id = '${verdict.id}'`,
    );
    expect(row).toMatchObject({
      dayText: new Date(segment.appendMs).toISOString().slice(0, 10),
      trace_id: segment.traceId,
      state: 'scored',
      stage: 'closed',
      p: 6.25e-5,
      score: 4.21,
      anomalous: true,
      p_timing: 0.5,
      matched: true,
      match_signature: 'POST /checkout #3',
      match_similarity_structure: 0.86,
      match_threshold_structure: 0.98,
      match_learned_threshold_structure: 0.95,
      match_learned_threshold_timing: 0.9,
      match_deviation_max: 7,
      match_worst: 'structure',
      match_text: verdict.match!.text,
      client_address: '203.0.113.9',
      client_hops: ['10.0.0.1'],
      'findings.kind': ['required-child'],
      'findings.hard': [true],
      'findings.expected': ['payment.charge in 2,231 of 2,231'],
      'findings.share': [1],
    });
    expect(Number(row!.startMs)).toBe(base.startMs);
  });

  test('who caused a span: the client of the stored segment it lies in, over its way up', async () => {
    const traceId = traceIdOf();
    const [root, middle, producer, worker, below] = [spanIdOf(), spanIdOf(), spanIdOf(), spanIdOf(), spanIdOf()];
    const front = segmentOf({ 'service.name': 'front' }, [
      spanOf(traceId, root),
      spanOf(traceId, middle, root),
      spanOf(traceId, producer, middle),
    ]);
    const behind = segmentOf({ 'service.name': 'worker' }, [
      spanOf(traceId, worker, producer),
      spanOf(traceId, below, worker),
    ]);
    const origin: ClientRecord = { ...verdictOf(front).client, source: 'origin' };
    await write(front, verdictOf(front));
    await write(behind, {
      ...verdictOf(behind),
      client: { ...origin, address: null, source: 'none', confidence: 'none', reason: 'origin-pending' },
      origins: [origin],
      originState: 'known',
    });
    expect((await server.store.verdictsByTrace(traceId)).map(({ entrySpanId }) => entrySpanId).sort()).toEqual(
      [root, worker].sort(),
    );
    expect((await server.store.segmentOfSpan(traceId, producer))?.client).toEqual(verdictOf(front).client);
    expect(await server.store.segmentOfSpan(traceId, below)).toMatchObject({
      entrySpanId: worker,
      client: { address: null, reason: 'origin-pending' },
      origins: [origin],
      originState: 'known',
    });
    expect(await server.store.segmentOfSpan(traceId, spanIdOf())).toBeUndefined();
    expect(await server.store.segmentOfSpan(traceIdOf(), producer)).toBeUndefined();
  });

  test('a batch larger than one insert is split, at a row, and arrives whole', async () => {
    const { config } = server.clickhouse;
    const small = storeOf({ ...server.clickhouse, config: { ...config, maxInsertRows: 100, maxInsertBytes: 65_536 } });
    const batch = small.createBatch();
    const segments = [traceOf(250), traceOf(130)];
    for (const segment of segments) batch.add(segment, verdictOf(segment));
    expect(batch.spans).toBe(380);
    expect(batch.verdicts).toBe(2);
    expect(batch.bytes).toBeGreaterThan(10_000);
    await batch.flush();
    expect([batch.spans, batch.verdicts, batch.bytes]).toEqual([0, 0, 0]);
    for (const segment of segments)
      expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${segment.traceId}'`)).toBe(segment.spanCount);
  });

  test('rows of a partition that was given away are taken out of a batch, the others arrive whole', async () => {
    const batch = server.store.createBatch();
    const given = [0, 1, 0, 2, 1, 0].map((partition) => ({ partition, segment: traceOf(3, { partition }) }));
    for (const { segment } of given) batch.add(segment, verdictOf(segment));
    const bytes = batch.bytes;
    batch.drop(0);
    expect([batch.spans, batch.verdicts]).toEqual([9, 3]);
    expect(batch.bytes).toBeLessThan(0.6 * bytes);
    batch.drop(7);
    const after = traceOf(2, { partition: 0 });
    batch.add(after, verdictOf(after));
    await batch.flush();
    for (const { partition, segment } of given) {
      const stored = partition === 0 ? 0 : 1;
      expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${segment.traceId}'`)).toBe(3 * stored);
      expect(await countOf(`spanwarden.verdicts WHERE trace_id = '${segment.traceId}'`)).toBe(stored);
    }
    expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${after.traceId}'`)).toBe(2);
  });

  test('an insert whose answer was lost is not stored twice when it is tried again', async () => {
    // A proxy that passes the first insert of spans on and then drops the connection instead of answering.
    const target = new URL(server.clickhouse.url);
    let dropped = 0;
    const proxy = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = new Headers();
      for (const name of ['authorization', 'content-type'])
        if (request.headers[name] !== undefined) headers.set(name, String(request.headers[name]));
      const answer = await fetch(new URL(request.url!, target), {
        method: request.method!,
        headers,
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      });
      const text = await answer.text();
      if (decodeURIComponent(request.url!).includes('otel_traces') && answer.ok && dropped++ === 0)
        request.socket.destroy();
      else response.writeHead(answer.status).end(text);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as { port: number };
    const { user, password } = server.clickhouse.embedded!;
    const through = await connectClickHouse(
      clickhouseSection.parse({ url: `http://${user}:${password}@127.0.0.1:${port}` }),
    );
    try {
      const segment = traceOf(5);
      const batch = storeOf(through).createBatch();
      batch.add(segment, verdictOf(segment));
      await expect(batch.flush()).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE', retryable: true });
      expect(dropped).toBe(1);
      expect(batch.spans).toBe(5);
      await batch.flush();
      expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${segment.traceId}'`)).toBe(5);
      expect(await countOf(`spanwarden.verdicts WHERE trace_id = '${segment.traceId}'`)).toBe(1);
    } finally {
      await through.stop();
      proxy.close();
      proxy.closeAllConnections();
    }
  });

  test('with keep: anomalous, normal spans are sampled, anomalous ones and all verdicts kept', async () => {
    const { config } = server.clickhouse;
    const sampling = storeOf({ ...server.clickhouse, config: { ...config, keep: 'anomalous', keepSample: 0 } });
    const batch = sampling.createBatch();
    const [normal, odd] = [traceOf(2), traceOf(2)];
    batch.add(normal, verdictOf(normal));
    batch.add(odd, { ...verdictOf(odd), anomalous: true });
    expect([batch.spans, batch.verdicts]).toEqual([2, 2]);
    await batch.flush();
    expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${odd.traceId}'`)).toBe(2);
    expect(await countOf(`spanwarden.otel_traces WHERE TraceId = '${normal.traceId}'`)).toBe(0);
  });

  test('incidents, alerts, deliveries and a snapshot are read back as they stand', async () => {
    const incident: Incident = {
      id: 'i1',
      revision: 1,
      state: 'open',
      mergedInto: '',
      class: 'security',
      kind: 'statement',
      explanationKey: 'GET /search · SELECT items',
      entity: 'catalog GET /search',
      service: 'catalog',
      operation: 'GET /search',
      title: 'Unseen statement: GET /search',
      matchText: 'similarity 0.9 to …',
      severity: 2.5,
      p: 1e-6,
      client: { ...verdictOf(traceOf(1)).client },
      clients: ['203.0.113.9', '198.51.100.4'],
      users: [],
      services: ['catalog'],
      startMs: 1_700_000_000_123,
      endMs: 1_700_000_001_000,
      openedMs: 1_700_000_002_000,
      closedMs: 0,
      traceCount: 2,
      traceIds: ['t1', 't2'],
      occurrences: 2,
      version: 'v1',
      release: 'catalog@1.4.0',
      hard: true,
      findings: [],
      story: NO_STORY,
    };
    await server.store.insertIncidents([incident, { ...incident, id: 'i2' }]);
    await server.store.insertIncidents([
      { ...incident, id: 'i2', revision: 2, state: 'closed', closedMs: 1_700_000_009_000 },
    ]);
    const review = { is: 'new', by: '', atMs: 0, comment: '' };
    expect(await server.store.openIncidents()).toEqual([{ ...incident, review }]);
    expect(await server.store.incidents({ id: 'i2' })).toMatchObject([
      { revision: 2, state: 'closed', closedMs: 1_700_000_009_000 },
    ]);

    const nowMs = Date.now();
    const alert: Alert = { id: 'a1', type: 'incident.opened', incidentId: 'i1', createdMs: nowMs, body: '{"a":"ü"}' };
    const delivery: Delivery = {
      alertId: 'a1',
      destination: 'chat',
      revision: 1,
      attempt: 1,
      state: 'failed',
      httpStatus: 503,
      error: 'busy',
      nextAttemptMs: nowMs + 5_000,
      updatedMs: nowMs,
    };
    await server.store.insertAlerts([alert, alert]);
    await server.store.insertDeliveries([delivery, { ...delivery, destination: 'pager' }]);
    await server.store.insertDeliveries([
      { ...delivery, revision: 2, attempt: 2, state: 'delivered', httpStatus: 204 },
    ]);
    expect(await server.store.undelivered()).toEqual([{ alert, delivery: { ...delivery, destination: 'pager' } }]);
    expect(
      (await server.store.recentDeliveries()).map(({ delivery: { destination, state } }) => [destination, state]),
    ).toEqual([
      ['chat', 'delivered'],
      ['pager', 'failed'],
    ]);

    expect(await server.store.loadSnapshot('responder')).toBeNull();
    await server.store.saveSnapshot('responder', { nextOffset: 40, state: '{"n":1}' });
    await server.store.saveSnapshot('responder', { nextOffset: 42, state: '{"n":2}' });
    expect(await server.store.loadSnapshot('responder')).toEqual({ nextOffset: 42, state: '{"n":2}' });
    // larger than the slices it is written in, which cut no character in two
    const large = JSON.stringify(`${'x'.repeat(499_998)}${'😀é'.repeat(600_000)} \ud800`);
    await server.store.saveSnapshot('responder', { nextOffset: 2 ** 40, state: large });
    expect(await server.store.loadSnapshot('responder')).toEqual({ nextOffset: 2 ** 40, state: large });
  });

  test('versions: full, then changes; each is loaded as it was published, and written twice changes nothing', async () => {
    const entry = (key: string, value: string) => ({ group: 'structure', kind: 'edge', key, value });
    const manifest = (version: string, parent: string, createdMs: number): VersionFacts & { profile: string } => ({
      version,
      parent,
      createdMs,
      offsets: [10, 20],
      segments: 100,
      alerting: true,
      profile: 'demo',
    });
    const nowMs = Date.now();
    expect(await server.store.latestVersion()).toBeNull();
    await expect(server.store.loadVersion('nope')).rejects.toMatchObject({ code: 'BASELINE_UNKNOWN' });
    const many = Array.from({ length: 50 }, (_, n) => entry(`k${String(n).padStart(3, '0')}`, '{"n":1}'));
    const payload = new Uint8Array(5_000_000).map((_, i) => i * 31);
    const first = {
      manifest: manifest('v1', '', nowMs - 60_000),
      entries: many,
      partials: [{ partition: 1, block: 3, group: 'structure', payload }],
    };
    await server.store.insertVersion(first);
    await server.store.insertVersion(first);
    const second = [...many.slice(1), entry('new', '{}')].map((e) =>
      e.key === 'k005' ? { ...e, value: '{"n":2}' } : e,
    );
    await server.store.insertVersion({
      manifest: manifest('v2', 'v1', nowMs - 30_000),
      entries: second,
      previous: many,
    });
    const third = [...second, many[0]!];
    await server.store.insertVersion({ manifest: manifest('v3', 'v2', nowMs), entries: third, previous: second });

    const sorted = (list: readonly { key: string }[]) => list.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    for (const [version, entries] of [
      ['v1', many],
      ['v2', second],
      ['v3', third],
    ] as const) {
      const loaded = await server.store.loadVersion(version);
      expect(sorted(loaded.entries), version).toEqual(sorted(entries));
      expect(loaded.manifest).toMatchObject({ version, profile: 'demo', offsets: [10, 20] });
      const taken: VersionEntry[] = [];
      expect(await server.store.readVersion(version, (one) => void taken.push(one))).toEqual(loaded.manifest);
      expect(taken).toEqual(loaded.entries);
    }
    expect((await server.store.listVersions()).map(({ version }) => version)).toEqual(['v3', 'v2', 'v1']);
    expect(await server.store.latestVersion()).toMatchObject({ manifest: { version: 'v3' }, partials: [] });
    const rows = await server.rows(
      'SELECT version, toUInt32(count()) AS n FROM spanwarden.baseline_entries FINAL GROUP BY version ORDER BY version',
    );
    expect(rows).toEqual([
      { version: 'v1', n: 50 },
      { version: 'v2', n: 3 },
      { version: 'v3', n: 1 },
    ]);

    await server.clickhouse.client.command({
      query: "DELETE FROM spanwarden.baseline_entries WHERE version = 'v1' AND key = 'k007'",
    });
    await expect(server.store.loadVersion('v3')).rejects.toMatchObject({ code: 'BASELINE_DAMAGED' });
  });

  test('partials of the newest version come back byte for byte; those of old versions go', async () => {
    const facts = (version: string, createdMs: number): VersionFacts => ({
      version,
      parent: '',
      createdMs,
      offsets: [],
      segments: 1,
      alerting: false,
    });
    const payload = (seed: number) => new Uint8Array(7_000_001).map((_, i) => i * seed);
    const later = Date.now() + 1_000_000;
    for (let n = 1; n <= 3; n++)
      await server.store.insertVersion({
        manifest: facts(`p${n}`, later + n),
        entries: [],
        partials: [
          { partition: 0, block: 0, group: 'all', payload: payload(n) },
          { partition: 1, block: -7, group: 'all', payload: new Uint8Array(0) },
        ],
      });
    const latest = await server.store.latestVersion();
    expect(latest?.partials.map(({ partition, block, group }) => [partition, block, group])).toEqual([
      [0, 0, 'all'],
      [1, -7, 'all'],
    ]);
    expect(Buffer.compare(latest!.partials[0]!.payload, payload(3))).toBe(0);
    expect(latest!.partials[1]!.payload.length).toBe(0);
    expect(await server.rows('SELECT DISTINCT version FROM spanwarden.trainer_partials ORDER BY version')).toEqual([
      { version: 'p2' },
      { version: 'p3' },
    ]);
  });

  test('the inventory is the same however often it is told', async () => {
    const hourMs = Date.now();
    const rows = {
      operations: [
        {
          service: 'catalog',
          kind: 'Server',
          operation: 'GET /items/{id}',
          firstMs: 1_700_000_000_000,
          lastMs: 1_700_000_100_000,
          callers: ['storefront'],
          exposed: false,
          versions: ['1.0'],
        },
      ],
      edges: [
        {
          callerService: 'storefront',
          callerOperation: 'GET /',
          service: 'catalog',
          operation: 'GET /items/{id}',
          firstMs: 1_700_000_000_000,
          lastMs: 1_700_000_100_000,
        },
      ],
      calls: [
        {
          hourMs,
          partition: 0,
          callerService: 'storefront',
          callerOperation: 'GET /',
          service: 'catalog',
          kind: 'Server',
          operation: 'GET /items/{id}',
          calls: 7,
          errors: 1,
        },
        {
          hourMs,
          partition: 1,
          callerService: 'storefront',
          callerOperation: 'GET /',
          service: 'catalog',
          kind: 'Server',
          operation: 'GET /items/{id}',
          calls: 3,
          errors: 0,
        },
      ],
    };
    await server.store.upsertInventory(rows);
    await server.store.upsertInventory(rows);
    await server.store.upsertInventory({
      operations: [
        {
          ...rows.operations[0]!,
          firstMs: 1_600_000_000_000,
          lastMs: 1_600_000_000_000,
          callers: ['', 'mobile'],
          exposed: true,
          versions: ['1.1'],
        },
      ],
      edges: [],
      calls: [{ ...rows.calls[0]!, calls: 5, errors: 0 }], // counted again from the middle of the hour: has no say
    });
    const [row] = await server.rows<Record<string, unknown>>(
      'SELECT service, arraySort(callers) AS callers, exposed, arraySort(versions) AS versions, toUInt32(calls) AS calls, toUInt32(errors) AS errors, toString(first_seen) AS first, toString(last_seen) AS last FROM spanwarden.inventory',
    );
    expect(row).toEqual({
      service: 'catalog',
      callers: ['', 'mobile', 'storefront'],
      exposed: true,
      versions: ['1.0', '1.1'],
      calls: 10,
      errors: 1,
      first: '2020-09-13 12:26:40.000',
      last: '2023-11-14 22:15:00.000',
    });
    expect(await server.store.callCounts(0, hourMs)).toMatchObject([
      { calls: 7, errors: 1, callerService: 'storefront' },
    ]);
  });

  test('while ClickHouse is away a batch waits, takes more, and is whole when it is back; what it refuses is told apart', async () => {
    const directory = temporaryDirectory();
    const config = clickhouseSection.parse({ embedded: { directory } });
    const own = await connectClickHouse(config);
    try {
      await applySchema(own);
      const { httpPort } = own.embedded!;
      const target = clickhouseSection.parse({ url: `http://reader@127.0.0.1:${httpPort}` });
      const reader = await connectClickHouse(target);
      const refused = storeOf(reader).createBatch();
      const segment = traceOf(2);
      refused.add(segment, verdictOf(segment));
      await expect(refused.flush()).rejects.toMatchObject({ code: 'CLICKHOUSE_REJECTED', retryable: false });
      await reader.stop();

      const batch = storeOf(own).createBatch();
      batch.add(segment, verdictOf(segment));
      const { pid, exited } = own.embedded!;
      process.kill(pid, 'SIGKILL');
      await exited;
      await expect(batch.flush()).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE', retryable: true });
      const more = traceOf(3);
      batch.add(more, verdictOf(more));
      expect([batch.spans, batch.verdicts]).toEqual([5, 2]);
      // It is started again on the same port, under the same password.
      await expect
        .poll(
          () =>
            batch.flush().then(
              () => 'stored',
              (error: { code: string }) => error.code,
            ),
          { timeout: 20_000 },
        )
        .toBe('stored');
      expect(own.embedded!.pid).not.toBe(pid);
      expect([batch.spans, batch.verdicts]).toEqual([0, 0]);
      const result = await own.client.query({
        query: 'SELECT toUInt32(count()) AS n FROM spanwarden.otel_traces',
        format: 'JSONEachRow',
      });
      expect(await result.json()).toEqual([{ n: 5 }]);
    } finally {
      await own.stop();
      removeDirectory(directory);
    }
  });

  test('a server that is not there is unavailable, not refused', async () => {
    const away = await connectClickHouse(clickhouseSection.parse({ url: 'http://127.0.0.1:9' }));
    await expect(applySchema(away)).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE', retryable: true });
    await expect(storeOf(away).openIncidents()).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE' });
    await away.stop();
    await expect(server.store.verdictsByTrace('x'.repeat(10))).resolves.toEqual([]);
    await expect(
      server.clickhouse.client.query({ query: 'SELECT' }).catch((e: unknown) => Promise.reject(e)),
    ).rejects.toThrow();
  });
});
