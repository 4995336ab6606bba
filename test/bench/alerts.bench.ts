/**
 * From a verdict to the webhook: how long after the detector hands a finding of a new incident to the embedded log has a receiver
 * on loopback the whole signed alert. ClickHouse is the real embedded one, and rows and snapshots are stored beside it.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { createResponder } from '../../responder/service.ts';
import { createLog, ensureTopics } from '../../runtime/log/create.ts';
import type { Log } from '../../runtime/log/port.ts';
import { createMetrics } from '../../runtime/telemetry/metrics.ts';
import { alertsSection } from '../../schemas/config/alerts.ts';
import { logSection } from '../../schemas/config/log.ts';
import { incidentsSection } from '../../schemas/config/responder.ts';
import { encodeJson } from '../../schemas/log/codecs.ts';
import { RecordKind } from '../../schemas/log/topics.ts';
import { startTestServer } from '../functional/clickhouse/server.ts';
import { findingOf, verdictOf } from '../unit/responder/verdicts.ts';
import { type Bench, type BenchResult, spread } from './bench.ts';
import { createRandom } from './random.ts';

const SECRET = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
const ALERTS = 200;
const WARM_UP = 20;
const BURSTS = 15;
const BURST = 50;
const TARGET_MS = 300;

interface World {
  /** In the responder's process, and as another process has it. */
  readonly own: Log;
  readonly other: Log;
  /** When the receiver had the alert of this explanation key whole, in `performance.now()`. */
  arrived(key: string): Promise<number>;
  stop(): Promise<void>;
}

async function createWorld(): Promise<World> {
  const server = await startTestServer();
  const config = logSection.parse({ directory: join(server.directory, 'log') });
  const own = createLog({ log: config });
  await own.start();
  await ensureTopics(own, config);
  const other = createLog({ log: config });
  await other.start();

  const times = new Map<string, PromiseWithResolvers<number>>();
  const timeOf = (key: string): PromiseWithResolvers<number> => {
    const known = times.get(key) ?? Promise.withResolvers<number>();
    times.set(key, known);
    return known;
  };
  const receiver = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const atMs = performance.now();
      response.writeHead(204).end();
      const { data } = JSON.parse(Buffer.concat(parts).toString()) as { data: { incident: { explanation: string } } };
      timeOf(data.incident.explanation).resolve(atMs);
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;

  const { store } = server;
  const responder = createResponder(
    {
      incidents: incidentsSection.parse({ stormPerMinute: 10_000 }),
      alerts: alertsSection.parse({ destinations: [{ name: 'bench', url, secret: SECRET }] }),
      database: server.clickhouse.database,
    },
    {
      log: own,
      store: {
        ...store,
        recentDeliveries: () => store.recentDeliveries(),
        saveSnapshot: (nextOffset, state) => store.saveSnapshot('responder', { nextOffset, state }),
        loadSnapshot: () => store.loadSnapshot('responder'),
      },
      createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
      logger: pino({ level: 'silent' }),
      metrics: createMetrics(),
      now: Date.now,
      random: Math.random,
    },
  );
  await responder.start();
  return {
    own,
    other,
    arrived: (key) => timeOf(key).promise,
    async stop() {
      await responder.stop(5_000);
      await own.stop(2_000);
      await other.stop(2_000);
      receiver.closeAllConnections();
      receiver.close();
      await server.stop();
    },
  };
}

let made = 0;
const nextKey = (): string => `operation ${++made} · SELECT bench`;
const client = (n: number): string => `203.0.${n >> 8}.${n & 255}`;

/** Milliseconds from handing a new novelty of a new client to the log until the receiver has its alert. */
async function tell(world: World, log: Log, keys: readonly string[]): Promise<number[]> {
  const nowMs = Date.now();
  const records = keys.map((explanationKey) => {
    const finding = findingOf({ explanationKey, startMs: nowMs - 50, endMs: nowMs });
    const verdict = verdictOf({ client: client(made++), findings: [finding], appendMs: nowMs });
    return { kind: RecordKind.verdict, key: verdict.id, value: encodeJson({ verdict, segmentsPerDay: 100_000 }) };
  });
  const startMs = performance.now();
  const told = keys.map((key) => world.arrived(key));
  await log.produce('findings', records);
  return (await Promise.all(told)).map((atMs) => atMs - startMs);
}

/** One at a time, at moments of its own: rows and snapshots are stored as it happens. */
async function single(world: World, log: Log, shape: string): Promise<BenchResult[]> {
  const random = createRandom(6);
  const samples: number[] = [];
  for (let i = 0; i < ALERTS + WARM_UP; i++) {
    const [ms] = await tell(world, log, [nextKey()]);
    if (i >= WARM_UP) samples.push(ms!);
    await pause(10 + 60 * random.next());
  }
  return resultsOf('verdict to webhook', shape, samples);
}

async function burst(world: World): Promise<BenchResult[]> {
  const samples: number[] = [];
  for (let i = 0; i < BURSTS; i++) {
    samples.push(...(await tell(world, world.own, Array.from({ length: BURST }, nextKey))));
    await pause(200);
  }
  return resultsOf('verdict to webhook', `${BURST} at once`, samples);
}

function resultsOf(name: string, shape: string, samples: readonly number[]): BenchResult[] {
  const sorted = [...samples].sort((a, b) => a - b);
  const p95 = sorted[Math.ceil(0.95 * sorted.length) - 1]!;
  const { value, low, high } = spread(samples);
  const note = `p95 ${p95.toFixed(1)} ms, largest ${sorted.at(-1)!.toFixed(1)} ms`;
  return [{ name, shape, value, low, high, samples: samples.length, unit: 'ms', target: TARGET_MS, note }];
}

export const benches: readonly Bench[] = [
  {
    name: 'alerts',
    question: 'how long after a verdict has a receiver the first alert of its incident?',
    async run() {
      const world = await createWorld();
      try {
        return [
          ...(await single(world, world.own, 'one process')),
          ...(await single(world, world.other, 'two processes')),
          ...(await burst(world)),
        ];
      } finally {
        await world.stop();
      }
    },
  },
];
