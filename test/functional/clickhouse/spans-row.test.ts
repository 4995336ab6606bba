/** Span rows, as a real ClickHouse reads the bytes we wrote. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlainSpan } from './segments.ts';
import { nanos, segmentOf, spanIdOf, traceIdOf, verdictOf } from './segments.ts';
import { noClickHouse, startTestServer, type TestServer } from './server.ts';

describe.skipIf(noClickHouse)('otel_traces rows', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  const store = async (segment: ReturnType<typeof segmentOf>): Promise<void> => {
    const batch = server.store.createBatch();
    batch.add(segment, verdictOf(segment));
    await batch.flush();
  };
  const spansOf = (traceId: string) =>
    server.rows<Record<string, never>>(
      `SELECT *, toString(toUnixTimestamp64Nano(Timestamp)) AS ns, toString(Duration) AS duration,
       arrayMap(t -> toString(toUnixTimestamp64Nano(t)), Events.Timestamp) AS eventNs
       FROM spanwarden.otel_traces WHERE TraceId = '${traceId}' ORDER BY Timestamp, SpanId`,
    );

  test("every column holds what the Collector's exporter would write", async () => {
    const traceId = traceIdOf();
    const [a, b] = [spanIdOf(), spanIdOf()];
    const nowMs = Date.now();
    const startNs = `${BigInt(nowMs) * 1_000_000n + 123_457n}`;
    const endNs = `${BigInt(nowMs) * 1_000_000n + 123_457n + 5_000_000_001n}`;
    const spans: PlainSpan[] = [
      {
        traceId,
        spanId: a,
        name: 'POST /checkout',
        kind: 2,
        traceState: 'ot=th:8',
        startTimeUnixNano: startNs,
        endTimeUnixNano: endNs,
        status: { code: 2, message: 'payment refused — no cover' },
        attributes: [
          { key: 'http.request.method', value: { stringValue: 'POST' } },
          { key: 'http.response.status_code', value: { intValue: '402' } },
          { key: 'app.negative', value: { intValue: '-42' } },
          { key: 'app.big', value: { intValue: '-9007199254740993' } },
          { key: 'app.ratio', value: { doubleValue: 0.25 } },
          { key: 'app.flag', value: { boolValue: true } },
          { key: 'app.list', value: { arrayValue: { values: [{ stringValue: 'x' }, { intValue: '2' }] } } },
          { key: 'app.map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v<' } }] } } },
          { key: 'app.bytes', value: { bytesValue: 'AAEC' } },
          { key: 'app.none', value: {} },
          {
            key: 'app.Ünïcode',
            value: { stringValue: 'größer als vierzig Zeichen, damit der lange Weg genommen wird ✓' },
          },
        ],
        events: [
          {
            timeUnixNano: startNs,
            name: 'exception',
            attributes: [{ key: 'exception.type', value: { stringValue: 'PaymentError' } }],
          },
          { timeUnixNano: endNs, name: 'retry' },
        ],
        links: [
          {
            traceId: traceIdOf(7),
            spanId: spanIdOf(7),
            traceState: 'a=b',
            attributes: [{ key: 'why', value: { stringValue: 'batch' } }],
          },
        ],
      },
      {
        traceId,
        spanId: b,
        parentSpanId: a,
        name: 'charge',
        kind: 3,
        startTimeUnixNano: endNs,
        endTimeUnixNano: endNs,
      },
    ];
    await store(segmentOf({ 'service.name': 'checkout', 'host.name': 'node-1' }, spans));
    const [first, second] = await spansOf(traceId);
    expect(first).toMatchObject({
      TraceId: traceId,
      SpanId: a,
      ParentSpanId: '',
      TraceState: 'ot=th:8',
      SpanName: 'POST /checkout',
      SpanKind: 'Server',
      ServiceName: 'checkout',
      ResourceAttributes: { 'service.name': 'checkout', 'host.name': 'node-1' },
      ScopeName: '@otel/http',
      ScopeVersion: '1.2.3',
      SpanAttributes: {
        'http.request.method': 'POST',
        'http.response.status_code': '402',
        'app.negative': '-42',
        'app.big': '-9007199254740993',
        'app.ratio': '0.25',
        'app.flag': 'true',
        'app.list': '["x",2]',
        'app.map': '{"k":"v\\u003c"}',
        'app.bytes': 'AAEC',
        'app.none': '',
        'app.Ünïcode': 'größer als vierzig Zeichen, damit der lange Weg genommen wird ✓',
      },
      StatusCode: 'Error',
      StatusMessage: 'payment refused — no cover',
      ns: startNs,
      duration: '5000000001',
      'Events.Name': ['exception', 'retry'],
      'Events.Attributes': [{ 'exception.type': 'PaymentError' }, {}],
      eventNs: [startNs, endNs],
      'Links.TraceId': [traceIdOf(7)],
      'Links.SpanId': [spanIdOf(7)],
      'Links.TraceState': ['a=b'],
      'Links.Attributes': [{ why: 'batch' }],
    });
    expect(second).toMatchObject({
      ParentSpanId: a,
      SpanKind: 'Client',
      StatusCode: 'Unset',
      duration: '0',
      'Events.Name': [],
    });
    const [times] = await server.rows(
      `SELECT toString(toUnixTimestamp(min(Start))) AS s, count() AS n FROM spanwarden.otel_traces_trace_id_ts WHERE TraceId = '${traceId}'`,
    );
    expect(times).toMatchObject({ s: String(Math.floor(nowMs / 1000)) });
  });

  test('a start in 1970 or 2100 becomes the append time, an end before the start a duration of 0; no odd partition', async () => {
    const traceId = traceIdOf();
    const appendMs = Date.now() - 1_234_567;
    const span = (n: number, start: string, end: string): PlainSpan => ({
      traceId,
      spanId: spanIdOf(n),
      name: 'odd',
      startTimeUnixNano: start,
      endTimeUnixNano: end,
    });
    const before = server.store.spanCounts.clamped;
    await store(
      segmentOf(
        { 'service.name': 'odd' },
        [
          span(1, '0', '5000'),
          span(2, '4102444800000000000', '4102444800000001000'),
          span(3, '18446744073709551615', '1'),
          span(4, nanos(appendMs), nanos(appendMs - 10)),
          span(5, nanos(appendMs), '4102444800000000000'),
        ],
        { appendMs },
      ),
    );
    const rows = await spansOf(traceId);
    expect(rows.map((row) => [row.SpanId, row.ns, row.duration])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [spanIdOf(n), nanos(appendMs), n === 1 ? '5000' : '0']),
    );
    expect(server.store.spanCounts.clamped - before).toBe(3);
    const partitions = await server.rows<{ partition: string }>(
      "SELECT DISTINCT partition FROM system.parts WHERE database = 'spanwarden' AND table = 'otel_traces'",
    );
    for (const { partition } of partitions)
      expect(Math.abs(Date.parse(partition) - Date.now())).toBeLessThan(3 * 86_400_000);
  });

  test('planted secrets are nowhere in ClickHouse', async () => {
    const traceId = traceIdOf();
    const secret = 'Planted-S3cret-Value';
    const jwt =
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
    const card = '4111 1111 1111 1111';
    const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
    const segment = segmentOf(
      { 'service.name': 'secretive', 'process.command_args': `--password=${secret}`, 'app.api_key': secret },
      [
        {
          traceId,
          spanId: spanIdOf(),
          name: `GET /reset?token=${secret}`,
          kind: 2,
          startTimeUnixNano: nanos(Date.now()),
          endTimeUnixNano: nanos(Date.now() + 1),
          status: { code: 2, message: `Authorization: Bearer ${secret}` },
          attributes: [
            text('http.request.header.authorization', `Bearer ${secret}`),
            {
              key: 'http.request.header.cookie',
              value: { arrayValue: { values: [{ stringValue: `sid=${secret}` }] } },
            },
            text('url.full', `https://user:${secret}@shop.example/a?q=shoes&access_token=${secret}&page=2`),
            text('url.query', `pass%77ord=${secret}&q=1`),
            text('http.request.body', `{"user":"ann","password":"${secret}","card":"${card}"}`),
            text('db.query.text', `SELECT 1 FROM users WHERE name = 'ann' AND password = '${secret}'`),
            text('app.note', `paid with ${card}, token was ${jwt}`),
            { key: 'app.number', value: { intValue: '4111111111111111' } },
            {
              key: 'app.map',
              value: { kvlistValue: { values: [{ key: 'client_secret', value: { stringValue: secret } }] } },
            },
          ],
          events: [
            {
              timeUnixNano: nanos(Date.now()),
              name: 'log',
              attributes: [text('message', `login password: ${secret}`), text('session.id', secret)],
            },
          ],
          links: [{ traceId: traceIdOf(), spanId: spanIdOf(), attributes: [text('x-api-key', secret)] }],
        },
      ],
    );
    const batch = server.store.createBatch();
    const finding = {
      kind: 'parameter' as const,
      group: 'parameters' as const,
      hard: false,
      evidence: 'presence' as const,
      explanationKey: 'POST /login · password',
      service: 'secretive',
      operation: 'POST /login',
      spanId: segment.entrySpanId,
      expected: 'letters and digits',
      support: 1,
      severity: 1,
      p: 0.1,
      share: 1,
      candidate: false,
      startMs: 0,
      endMs: 0,
    };
    batch.add(
      segment,
      verdictOf(segment, {
        client: { ...verdictOf(segment).client, session: secret },
        findings: [
          { ...finding, parameter: 'password', seen: `length 20: ${secret}` },
          { ...finding, parameter: 'q', seen: `value ?token=${secret} and ${jwt}` },
        ],
      }),
    );
    await batch.flush();
    const [row] = await spansOf(traceId);
    expect(row!.SpanAttributes).toMatchObject({
      'url.full': 'https://user:[redacted]@shop.example/a?q=shoes&access_token=[redacted]&page=2',
      'url.query': 'pass%77ord=[redacted]&q=1',
      'db.query.text': "SELECT 1 FROM users WHERE name = 'ann' AND password = '[redacted]'",
      'http.request.body': '{"user":"ann","password":"[redacted]","card":"[redacted]"}',
      'app.note': 'paid with [redacted], token was [redacted]',
    });
    const dump = (
      await Promise.all(['otel_traces', 'verdicts'].map((name) => server.rows(`SELECT * FROM spanwarden.${name}`)))
    )
      .map((rows) => JSON.stringify(rows))
      .join('\n');
    expect(dump).not.toContain(secret);
    expect(dump).not.toContain(jwt);
    expect(dump).not.toMatch(/4111[ -]?1111[ -]?1111[ -]?1111/);
  });

  test('a span with 100 KiB attributes and one of 5,000 spans in a segment arrive whole', async () => {
    const traceId = traceIdOf();
    const big = 'x'.repeat(100 * 1024);
    const spans = Array.from({ length: 5_000 }, (_, n) => ({
      traceId,
      spanId: spanIdOf(100_000 + n),
      name: 'many',
      startTimeUnixNano: nanos(Date.now()),
      endTimeUnixNano: nanos(Date.now()),
      attributes: n === 0 ? [{ key: 'big', value: { stringValue: big } }] : [],
    }));
    await store(segmentOf({ 'service.name': 'many' }, spans));
    const [row] = await server.rows(
      `SELECT toUInt32(count()) AS n, toUInt32(uniqExact(SpanId)) AS ids, toUInt32(max(length(SpanAttributes['big']))) AS big FROM spanwarden.otel_traces WHERE TraceId = '${traceId}'`,
    );
    expect(row).toEqual({ n: 5_000, ids: 5_000, big: big.length });
  });
});
