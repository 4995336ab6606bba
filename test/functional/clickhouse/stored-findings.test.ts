/** Findings of stored verdicts in a real ClickHouse: as the newest revision has them, withdrawn ones left out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecentFindings } from '../../../runtime/clickhouse/stored-findings.ts';
import type { Finding, Verdict } from '../../../schemas/log/verdict.ts';
import { nanos, segmentOf, spanIdOf, traceIdOf, verdictOf } from './segments.ts';
import { noClickHouse, startTestServer, type TestServer } from './server.ts';

const DAY_MS = 86_400_000;

const findingAt = (atMs: number): Finding => ({
  kind: 'service-pair',
  group: 'structure',
  hard: true,
  evidence: 'presence',
  explanationKey: 'gateway → payments',
  service: 'payments',
  operation: 'GET /items',
  spanId: spanIdOf(),
  parameter: '',
  expected: 'no such call in 500 requests',
  seen: 'one call',
  support: 500,
  severity: 1,
  p: 0.001,
  share: 1,
  candidate: false,
  startMs: atMs,
  endMs: atMs,
});

describe.skipIf(noClickHouse)('recent findings', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  test('are those of the newest revision, the latest first, beside how many were judged', async () => {
    const nowMs = Date.now();
    const batch = server.store.createBatch();
    let at = nowMs;
    const store = (...revisions: Partial<Verdict>[]): string => {
      const traceId = traceIdOf();
      const appendMs = --at;
      const times = { startTimeUnixNano: nanos(appendMs), endTimeUnixNano: nanos(appendMs + 5) };
      const span = { traceId, spanId: spanIdOf(), name: 'work', kind: 2, ...times };
      const segment = segmentOf({ 'service.name': 'checkout' }, [span], { appendMs });
      for (const [i, facts] of revisions.entries()) {
        const verdict = verdictOf(segment, facts);
        batch.add(segment, { ...verdict, revision: verdict.revision + i });
      }
      return traceId;
    };
    const odd = { findings: [findingAt(nowMs)] };
    const first = store(odd);
    store(odd, {}); // amended: nothing is left of it
    store({});
    store(odd, { state: 'withdrawn' });
    const second = store({}, odd);
    at = nowMs - 2 * DAY_MS;
    store(odd);
    await batch.flush();

    const { verdicts, scored } = await readRecentFindings(server.clickhouse, nowMs - DAY_MS, 10);
    expect(verdicts.map(({ traceId }) => traceId)).toEqual([first, second]);
    expect(verdicts[0]!.findings).toEqual([
      {
        kind: 'service-pair',
        explanationKey: 'gateway → payments',
        service: 'payments',
        operation: 'GET /items',
        hard: true,
        candidate: false,
      },
    ]);
    expect(scored).toBe(4);
    expect((await readRecentFindings(server.clickhouse, nowMs - DAY_MS, 1)).verdicts).toHaveLength(1);
  });
});
