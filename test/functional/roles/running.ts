/** Processes of `spanwarden run` on a directory of their own, and what a test does with them: send, look, kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ClickHouse, connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../../runtime/clickhouse/embedded.ts';
import { ADMIN_USER } from '../../../runtime/clickhouse/embedded-settings.ts';
import { createLog } from '../../../runtime/log/create.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { loadedBaseline, orderTrace, searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../../unit/traces/otlp.ts';
import { storeOf } from '../clickhouse/server.ts';

/** The key under which the tests' baseline was learned. */
export const LEARNED_KEY = 'a test';

export interface Running {
  readonly child: ChildProcess;
  /** Where spans are posted. */
  readonly otlp: string;
  readonly http: string;
  readonly ended: Promise<number | null>;
  /** Log lines so far. */
  readonly lines: readonly Record<string, unknown>[];
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits for a condition that other processes bring about. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 45_000,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`never came: ${what}`);
    await pause(50);
  }
}

/** Short graces, so that a test need not wait long for what is judged. */
export const settingsOf = (directory: string, more: Record<string, object> = {}): Record<string, object> => ({
  log: { directory: join(directory, 'log'), spansPartitions: 2, ...more.log },
  collector: { grpcPort: 0, httpPort: 0, ...more.collector },
  http: { port: 0, ...more.http },
  console: { port: 0, directory: join(directory, 'console'), ...more.console },
  assembly: { graceMs: 500, absenceGraceMs: 1_500, idleMs: 2_000, maxAgeMs: 6_000, lateMs: 2_000, ...more.assembly },
  detector: { flushMs: 200, originWaitMs: 500, handOverMs: 200, ...more.detector },
  kafka: more.kafka ?? {},
  redaction: { key: LEARNED_KEY },
  clickhouse: { embedded: { directory: join(directory, 'clickhouse') }, ...more.clickhouse },
  incidents: more.incidents ?? {},
  alerts: more.alerts ?? {},
  telemetry: { stopDeadlineMs: 10_000 },
});

/** Starts the command and waits until its collector listens. */
export async function start(
  directory: string,
  settings: Record<string, object>,
  roles: readonly string[] = [],
  upTo = 'collector listens',
): Promise<Running> {
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify(settings));
  const child = spawn(process.execPath, ['cli/spanwarden.ts', 'run', ...roles, '--config', file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    for (const part of parts) {
      try {
        lines.push(JSON.parse(part) as Record<string, unknown>);
      } catch {
        lines.push({ msg: part });
      }
    }
  });
  let over = false;
  const ended = once(child, 'close').then(([code]) => {
    over = true;
    return code as number | null;
  });
  const said = (msg: string) => lines.find((line) => line.msg === msg);
  await until(`'${upTo}'`, () => over || said(upTo) !== undefined);
  if (over) throw new Error(`ended: ${lines.map((line) => line.msg).join('; ')}`);
  const listening = said('collector listens') as { http: { host: string; port: number } } | undefined;
  const roleLine = said('roles started') as { http?: string } | undefined;
  return {
    child,
    otlp: listening === undefined ? '' : `http://${listening.http.host}:${listening.http.port}/v1/traces`,
    get http() {
      return ((said('roles started') as { http?: string } | undefined) ?? roleLine)?.http ?? '';
    },
    ended,
    lines,
  };
}

/** Status of the answer; 0 when there was none. */
export async function post(url: string, spans: readonly WireSpan[]): Promise<number> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: tracesData(spans),
    signal: AbortSignal.timeout(10_000),
  }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
}

/** A ClickHouse that comes and goes under a test's hand: one port, one password, the same rows. */
export async function createClickHouse(directory: string) {
  const dataDir = join(directory, 'clickhouse-elsewhere');
  const [httpPort, password] = [await freePort(), 'known-to-the-test'];
  const settings = { url: `http://127.0.0.1:${httpPort}`, user: ADMIN_USER, password, requestTimeoutMs: 5_000 };
  let server: EmbeddedClickHouse | undefined;
  return {
    settings,
    async start(): Promise<ClickHouse> {
      server = await startEmbeddedClickHouse({ dataDir, httpPort, password });
      return connectClickHouse(clickhouseSection.parse(settings));
    },
    /** As when its machine is gone. */
    async kill(): Promise<void> {
      if (server === undefined) return;
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      server = undefined;
    },
  };
}

/** The embedded server that a process runs on the directory. */
export const attach = (directory: string): Promise<ClickHouse> =>
  connectClickHouse(clickhouseSection.parse({ embedded: { directory: join(directory, 'clickhouse') } }), {
    attachOnly: true,
  });

export async function rowsOf<T>(clickhouse: ClickHouse, query: string): Promise<T[]> {
  const result = await clickhouse.client.query({ query, format: 'JSONEachRow' });
  return result.json<T>();
}

/** Publishes a version that can raise alerts, as a trainer would, and announces it. */
export async function publish(
  directory: string,
  clickhouse: ClickHouse,
  settings = settingsOf(directory),
): Promise<string> {
  const { baseline, entries } = loadedBaseline();
  // its traffic is of another year: the row must not be past its time to live
  await storeOf(clickhouse).insertVersion({ manifest: { ...baseline.manifest, createdMs: Date.now() }, entries });
  const log = createLog({ log: logSection.parse(settings.log), kafka: kafkaSection.parse(settings.kafka) });
  await log.start();
  const { version, manifest } = baseline;
  const { parent, offsets, segments, alerting } = manifest;
  await log.produce('baselines', [
    {
      kind: RecordKind.version,
      key: version,
      value: encodeJson({ version, parent, offsets: [...offsets], segments, alerting }),
    },
  ]);
  await log.stop(1_000);
  return version;
}

/** A span, whatever else it says. */
export const keyOf = (span: WireSpan): string => span.traceId! + span.spanId;

/** Requests of many clients, some of them odd, in halves as SDKs send, until it is stopped; what was answered with 200. */
export function createTraffic(otlp: () => string | undefined) {
  const acknowledged = new Set<string>();
  const offered = new Set<string>();
  const now = (): number => Date.now() - EPOCH_MS;
  let trace = 0;
  let stopped = false;

  function request(): WireSpan[] {
    trace++;
    const client = `198.51.100.${trace % 40}`;
    if (trace % 211 === 0) return searchTrace(trace, now() - 60, '203.0.113.7', trace % 2 === 0 ? 'pair' : 'statement');
    return trace % 3 === 0 ? orderTrace(trace, now() - 60, client) : searchTrace(trace, now() - 60, client);
  }

  async function send(): Promise<void> {
    while (!stopped) {
      const spans = Array.from({ length: 10 }, request).flat();
      for (const span of spans) offered.add(keyOf(span));
      for (const parity of [0, 1]) {
        const half = spans.filter((_, i) => i % 2 === parity);
        const url = otlp();
        if (url === undefined || (await post(url, half)) !== 200) continue;
        for (const span of half) acknowledged.add(keyOf(span));
      }
      await pause(15);
    }
  }

  const sending = send();
  return {
    acknowledged,
    offered,
    async stop(): Promise<void> {
      stopped = true;
      await sending;
    },
  };
}
