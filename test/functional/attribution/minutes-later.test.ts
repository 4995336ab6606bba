/**
 * Asynchronous work whose producer is long forgotten: the detector role over a log whose clock a test moves, and a real
 * ClickHouse that holds the verdicts of ten minutes ago.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDetectorRole } from '../../../detector/main.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { decodeFindingRecord, encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { FindingRecord } from '../../../schemas/log/verdict.ts';
import { jobTrace, loadedBaseline, orderTrace, spanIdOf, traceIdOf } from '../../unit/detector/traffic.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../../unit/traces/otlp.ts';
import { noClickHouse, startTestServer, storeOf, type TestServer } from '../clickhouse/server.ts';
import { until } from '../roles/running.ts';

const ATTACKER = '203.0.113.66';
const BYSTANDER = '198.51.100.7';
const MINUTE_MS = 60_000;

describe.skipIf(noClickHouse)('ten minutes after the request', () => {
  let server: TestServer;
  const stops: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
    await server?.stop();
  });

  /** Everything of the detector but the clock of the log; one remembered request, so that the next one takes its place. */
  async function startDetector(keep: 'all' | 'anomalous' = 'all') {
    let nowMs = Date.now();
    const log = createMemoryLog({ now: () => nowMs });
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 1e9 });
    for (const topic of ['findings', 'actor-events', 'baselines'] as const)
      await log.ensureTopic(topic, { partitions: 1, retentionMs: 1e9 });
    const parsed = configSchema.parse({
      redaction: { key: 'a test' },
      detector: { flushMs: 100, originWaitMs: 5_000, handOverMs: 100 },
      clickhouse: { keep, keepSample: 0 },
    });
    const config = { ...parsed, detector: { ...parsed.detector, maxRemembered: 1 } };
    const clickhouse = {
      ...server.clickhouse,
      config: { ...server.clickhouse.config, keep, keepSample: 0 },
    };
    const { baseline, entries } = loadedBaseline();
    await storeOf(server.clickhouse).insertVersion({ manifest: { ...baseline.manifest, createdMs: nowMs }, entries });
    const { version, manifest } = baseline;
    const { parent, offsets, segments, alerting } = manifest;
    const announcement = { version, parent, offsets: [...offsets], segments, alerting };
    await log.produce('baselines', [{ kind: RecordKind.version, key: version, value: encodeJson(announcement) }]);
    nowMs += MINUTE_MS;
    const logger = createLogger({ name: 'test', level: 'silent' });
    const detector = createDetectorRole({
      config,
      log,
      clickhouse,
      logger,
      metrics: createMetrics(),
    });
    await log.start();
    await detector.start();
    stops.push(() => detector.stop(5_000));

    const pass = async (ms: number, stepMs = 500): Promise<void> => {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs = Math.min(endMs, nowMs + stepMs);
        await log.tick();
      }
    };
    const findings = async (): Promise<FindingRecord[]> => {
      const { latest } = await log.offsets('findings');
      const records = await log.read('findings', 0, 0, latest[0]!);
      return records.flatMap(({ kind, value }) => {
        const record = kind === RecordKind.verdict ? decodeFindingRecord(value) : null;
        return record === null ? [] : [record];
      });
    };
    return {
      pass,
      findings,
      /** Milliseconds after EPOCH_MS, as spans are written. */
      get atMs() {
        return nowMs - EPOCH_MS;
      },
      async send(spans: readonly WireSpan[]): Promise<void> {
        await log.produce('spans', [{ kind: RecordKind.spans, key: spans[0]!.traceId!, value: tracesData(spans) }]);
        await log.tick();
      },
      /** Moves on until the condition holds: what is stored is stored in real time. */
      until: (what: string, condition: () => Promise<boolean>) =>
        until(what, async () => {
          await pass(500);
          return condition();
        }),
    };
  }

  const storedVerdicts = async (traceId: string): Promise<number> => {
    const [row] = await server.rows<{ n: string }>(
      `SELECT count() AS n FROM spanwarden.verdicts WHERE trace_id = '${traceId}'`,
    );
    return Number(row!.n);
  };

  /** A worker that fetches the metadata of its host: what the message told it to. */
  const forgedJob = (trace: number, atMs: number, producer: number): WireSpan[] => [
    ...jobTrace(trace, atMs, [producer], 'none'),
    {
      traceId: traceIdOf(trace),
      spanId: spanIdOf(trace, 3),
      parent: spanIdOf(trace, 1),
      flags: 0x100,
      service: 'worker',
      name: 'GET',
      kind: 'client',
      start: atMs + 10,
      end: atMs + 12,
      attributes: {
        'http.request.method': 'GET',
        'url.full': 'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
        'server.address': '169.254.169.254',
        'server.port': 80,
        'http.response.status_code': 200,
      },
    },
  ];

  test.each([
    ['all', 10],
    ['anomalous', 20],
  ] as const)(
    "a worker's outgoing call is charged to the client who queued the job ten minutes ago (spans kept: %s)",
    async (keep, base) => {
      const detector = await startDetector(keep);
      const [attack, other, work] = [base, base + 1, base + 2];
      await detector.send(orderTrace(attack, detector.atMs, ATTACKER));
      await detector.pass(5_000);
      await detector.send(orderTrace(other, detector.atMs, BYSTANDER)); // takes the only place in memory
      await detector.until('the requests are stored', async () => (await storedVerdicts(traceIdOf(other))) > 0);
      expect(await storedVerdicts(traceIdOf(attack))).toBeGreaterThan(0);
      const [spans] = await server.rows<{ n: string }>(
        `SELECT count() AS n FROM spanwarden.otel_traces WHERE TraceId = '${traceIdOf(attack)}'`,
      );
      expect(Number(spans!.n)).toBe(keep === 'all' ? 2 : 0);
      await detector.pass(10 * MINUTE_MS, 10_000);
      await detector.send(forgedJob(work, detector.atMs, attack));
      const told = async (): Promise<FindingRecord | undefined> =>
        (await detector.findings()).filter(({ verdict }) => verdict.traceId === traceIdOf(work)).at(-1);
      await detector.until('the finding with its origin', async () => (await told())?.verdict.originState === 'known');
      const { verdict } = (await told())!;
      expect(verdict).toMatchObject({
        service: 'worker',
        asynchronous: true,
        client: {
          address: ATTACKER,
          source: 'origin',
          confidence: 'high',
          peer: ATTACKER,
          entryTraceId: traceIdOf(attack),
          entrySpanId: spanIdOf(attack, 1),
        },
      });
      expect(verdict.findings.filter(({ hard }) => hard).map(({ kind }) => kind)).toContain('egress');
      await detector.until('the row with its origin', async () => {
        const rows = await server.rows<{ client_address: string; client_peer: string }>(
          `SELECT client_address, client_peer FROM spanwarden.verdicts FINAL WHERE trace_id = '${traceIdOf(work)}'`,
        );
        return rows.length === 1 && rows[0]!.client_address === ATTACKER && rows[0]!.client_peer === ATTACKER;
      });
    },
    120_000,
  );

  test('the query of docs/attribution.md shows how surely clients are known', async () => {
    const text = readFileSync(new URL('../../../docs/attribution.md', import.meta.url), 'utf8');
    const [, query] = /```sql\n([\s\S]*?)```/.exec(text)!;
    const rows = await server.rows<{ service: string; client_confidence: string; a_peer: string }>(
      query!.replaceAll('verdicts_latest', 'spanwarden.verdicts_latest'),
    );
    expect(rows).toContainEqual(
      expect.objectContaining({ service: 'gateway', client_confidence: 'high', client_reason: '' }),
    );
    expect(rows.find(({ service }) => service === 'gateway')!.a_peer).toMatch(/^(203|198)\./);
  });

  test('a job linked to a trace that was never stored names nobody, and is told all the same', async () => {
    const detector = await startDetector();
    await detector.send(forgedJob(32, detector.atMs, 31));
    await detector.until('the finding', async () =>
      (await detector.findings()).some(({ verdict }) => verdict.traceId === traceIdOf(32)),
    );
    const last = (await detector.findings()).filter(({ verdict }) => verdict.traceId === traceIdOf(32)).at(-1)!;
    expect(last.verdict).toMatchObject({ originState: 'unknown', client: { address: null, reason: 'origin-unknown' } });
  }, 60_000);
});
