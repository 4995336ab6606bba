/**
 * The detector on Kafka as users run it, everything kept, beside the reference Collector: records keyed by trace in, rows in
 * ClickHouse out. Ours also assembles, scores with a baseline, attributes, writes verdicts and findings, and commits what is
 * durable; the reference stores, and marks what it has read. CPU of each one's process alone, not of Kafka or ClickHouse;
 * rounds in turn, each until every span of it is a row and the process is quiet again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ClickHouse, connectClickHouse } from '../../runtime/clickhouse/client.ts';
import { startEmbeddedClickHouse } from '../../runtime/clickhouse/embedded.ts';
import { applySchema } from '../../runtime/clickhouse/schema.ts';
import { createLog, ensureTopics } from '../../runtime/log/create.ts';
import type { Log, NewRecord } from '../../runtime/log/port.ts';
import { clickhouseSection } from '../../schemas/config/clickhouse.ts';
import { kafkaSection } from '../../schemas/config/kafka.ts';
import { logSection } from '../../schemas/config/log.ts';
import { encodeJson } from '../../schemas/log/codecs.ts';
import { RecordKind } from '../../schemas/log/topics.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { storeOf } from '../functional/clickhouse/server.ts';
import { freePorts } from '../kafka/ports.ts';
import { type Bench, type BenchResult, notMeasured, spread } from './bench.ts';
import { cpuSecondsOf, noCpuTime, quiet, residentBytesOf } from './cpu.ts';
import { createTemplate } from './fresh.ts';
import { type BenchBroker, startBenchBroker } from './kafka.ts';
import { type LoadRequest, sdkRequests, wholeTraceRequest } from './load.ts';
import { noReference, startReference } from './reference/collector.ts';
import { kafkaToClickHouse } from './reference/configs.ts';
import { startRole } from './roles.ts';
import { createWorld } from './world.ts';

const NAME = 'detector, Kafka to ClickHouse, all kept';
const REFERENCE = 'reference Collector, Kafka to ClickHouse';
const UNIT = 'spans/CPU-s';
const PARTITIONS = 4;
const WARM_UP = 1;
const ROUNDS = 5;
const SPANS_A_ROUND = 200_000;
const KEY = 'a bench';
/** A version takes effect 5 s after it was announced. */
const IN_EFFECT_MS = 6_000;
/** Where the load's times lie; they are moved to now. */
const LOAD_MS = Date.UTC(2026, 7, 1) + 1_000_000;
const WITHIN_MS = 120_000;

/** Shorter than by default, so that a round ends soon: what is done of a span is the same. */
const ASSEMBLY = { graceMs: 500, absenceGraceMs: 1_500, idleMs: 2_000, maxAgeMs: 6_000, lateMs: 2_000 };

interface Target {
  readonly name: string;
  readonly pid: number;
  /** Appends to the topic that this one reads. */
  readonly log: Log;
  /** Its rows of spans. */
  rows(): Promise<number>;
  produced: number;
  readonly rates: number[];
  rssBytes: number;
  story(): Promise<string>;
  stop(): Promise<void>;
}

interface Stage {
  readonly broker: BenchBroker;
  readonly clickhouse: ClickHouse;
  readonly server: { readonly url: string; readonly tcpPort: number; readonly user: string; readonly password: string };
}

const logConfig = logSection.parse({ spansPartitions: PARTITIONS, spansRetentionBytes: 2_147_483_648 });

async function startLog(broker: BenchBroker, topicPrefix: string): Promise<Log> {
  const log = createLog({
    log: logConfig,
    kafka: kafkaSection.parse({ brokers: broker.brokers, topicPrefix, compression: 'none' }),
  });
  await log.start();
  await ensureTopics(log, logConfig);
  return log;
}

async function countRows(clickhouse: ClickHouse, table: string): Promise<number> {
  const result = await clickhouse.client.query({
    query: `SELECT toString(count()) AS n FROM ${table}`,
    format: 'JSONEachRow',
  });
  const [row] = await result.json<{ n: string }>();
  return Number(row!.n);
}

async function startOurs(stage: Stage, run: string, learned: boolean): Promise<Target> {
  const { broker, server } = stage;
  const topicPrefix = `${broker.prefix}${run}-`;
  const database = `ours_${run}`;
  const own = clickhouseSection.parse({ url: server.url, user: server.user, password: server.password, database });
  const clickhouse = await connectClickHouse(own);
  await applySchema(clickhouse);
  const log = await startLog(broker, topicPrefix);
  if (learned) await publishBaseline(clickhouse, log);
  const [httpPort] = await freePorts(1);
  const role = await startRole('detector', httpPort!, {
    kafka: { brokers: broker.brokers, topicPrefix, compression: 'none' },
    log: { spansPartitions: PARTITIONS },
    clickhouse: { url: server.url, user: server.user, password: server.password, database },
    redaction: { key: KEY },
    assembly: ASSEMBLY,
  });
  if (learned) await pause(IN_EFFECT_MS);
  return {
    name: NAME,
    pid: role.pid,
    log,
    rows: () => countRows(clickhouse, `${database}.otel_traces`),
    produced: 0,
    rates: [],
    rssBytes: 0,
    story: role.story,
    async stop() {
      await role.stop();
      await log.stop(5_000);
      await clickhouse.client.command({ query: `DROP DATABASE ${database} SYNC` });
      await clickhouse.stop();
    },
  };
}

/** As a trainer would that has learned other requests of the same kinds. */
async function publishBaseline(clickhouse: ClickHouse, log: Log): Promise<void> {
  const { baseline } = createWorld(KEY);
  const manifest = { ...baseline.manifest, createdMs: Date.now() };
  await storeOf(clickhouse).insertVersion({ manifest, entries: baseline.entries() });
  const { version } = baseline;
  const { parent, offsets, segments, alerting } = manifest;
  const value = encodeJson({ version, parent, offsets: [...offsets], segments, alerting });
  await log.produce('baselines', [{ kind: RecordKind.version, key: version, value }]);
}

async function startTheirs({ broker, clickhouse, server }: Stage, run: string): Promise<Target> {
  const topicPrefix = `${broker.prefix}${run}-reference-`;
  const log = await startLog(broker, topicPrefix);
  const database = `reference_${run}`;
  await clickhouse.client.command({ query: `CREATE DATABASE ${database}` });
  const reference = await startReference(
    kafkaToClickHouse({
      brokers: broker.brokers,
      topic: `${topicPrefix}spans`,
      group: `${topicPrefix}group`,
      tcpPort: server.tcpPort,
      user: server.user,
      password: server.password,
      database,
    }),
  );
  return {
    name: REFERENCE,
    pid: reference.pid,
    log,
    rows: () => countRows(clickhouse, `${database}.otel_traces`),
    produced: 0,
    rates: [],
    rssBytes: 0,
    story: reference.story,
    async stop() {
      await reference.stop();
      await log.stop(5_000);
      await clickhouse.client.command({ query: `DROP DATABASE ${database} SYNC` });
    },
  };
}

/** Records of a round, with ids of their own and times of now; one produce call a request. */
function createRounds(
  loads: readonly LoadRequest[],
): (n: number) => { readonly calls: NewRecord[][]; readonly spans: number } {
  const templates = loads.map((load) => createTemplate(load.bytes));
  const cutter = createTraceCutter({ maxRecordBytes: 1_000_000, maxOutputBytes: 256_000_000 }, 1);
  const once = loads.reduce((sum, load) => sum + load.spans, 0);
  const times = Math.ceil(SPANS_A_ROUND / once);
  return (n) => {
    const calls: NewRecord[][] = [];
    const ns = BigInt(Date.now() - LOAD_MS) * 1_000_000n;
    for (let copy = 0; copy < times; copy++) {
      for (const template of templates) {
        const records: NewRecord[] = [];
        // all requests of a copy have one mask: the spans of a trace keep one trace id
        cutter.cut(template.fresh(1 + n * times + copy, ns), (key, value) => {
          records.push({ kind: RecordKind.spans, key, value });
        });
        calls.push(records);
      }
    }
    return { calls, spans: times * once };
  };
}

async function playRound(target: Target, calls: readonly NewRecord[][], spans: number): Promise<number> {
  const before = cpuSecondsOf(target.pid);
  for (let at = 0; at < calls.length; at += 8)
    await Promise.all(calls.slice(at, at + 8).map((records) => target.log.produce('spans', records)));
  target.produced += spans;
  const endMs = performance.now() + WITHIN_MS;
  for (let stored = -1; stored < target.produced; stored = await target.rows()) {
    if (performance.now() > endMs)
      throw new Error(`${target.name}: ${stored} of ${target.produced} spans are rows\n${await target.story()}`);
    await pause(250);
  }
  await quiet(target.pid);
  const rows = await target.rows();
  if (rows !== target.produced) throw new Error(`${target.name}: ${rows} rows of ${target.produced} spans`);
  target.rssBytes = Math.max(target.rssBytes, residentBytesOf(target.pid));
  return cpuSecondsOf(target.pid) - before;
}

async function measure(
  stage: Stage,
  shape: string,
  loads: readonly LoadRequest[],
  run: string,
  learned: boolean,
): Promise<BenchResult[]> {
  const round = createRounds(loads);
  const targets: Target[] = [];
  try {
    targets.push(await startOurs(stage, run, learned));
    if (noReference === undefined) targets.push(await startTheirs(stage, run));
    for (let n = -WARM_UP; n < ROUNDS; n++) {
      for (const target of targets) {
        const { calls, spans } = round(WARM_UP + n);
        const seconds = await playRound(target, calls, spans);
        if (n >= 0) target.rates.push(spans / seconds);
      }
    }
    const facts = {
      shape,
      unit: UNIT,
      spanBytes:
        loads.reduce((sum, { bytes }) => sum + bytes.length, 0) / loads.reduce((sum, { spans }) => sum + spans, 0),
      attributes: 12,
    } as const;
    const row = (target: Target, more: string): BenchResult => ({
      name: target.name,
      ...facts,
      ...spread(target.rates),
      note: `${more}; ${Math.round(target.rssBytes / 2 ** 20)} MiB resident`,
    });
    const ours = row(targets[0]!, learned ? await verdictsOf(stage, run) : 'no baseline yet: learning');
    const theirs = targets[1];
    if (theirs === undefined) return [ours, notMeasured(REFERENCE, shape, UNIT, noReference!)];
    const beside = row(theirs, 'offsets marked before the rows are stored');
    return [{ ...ours, ratio: ours.value / beside.value, reference: 'the reference Collector, in turn' }, beside];
  } finally {
    for (const target of targets) await target.stop();
  }
}

async function verdictsOf({ clickhouse }: Stage, run: string): Promise<string> {
  const result = await clickhouse.client.query({
    query: `SELECT toString(count()) AS n, toString(countIf(anomalous)) AS odd, toString(countIf(version != '')) AS judged FROM ours_${run}.verdicts FINAL`,
    format: 'JSONEachRow',
  });
  const [row] = await result.json<{ n: string; odd: string; judged: string }>();
  const share = (100 * Number(row!.odd)) / Math.max(1, Number(row!.n));
  if (Number(row!.judged) < Number(row!.n))
    throw new Error(`only ${row!.judged} of ${row!.n} verdicts are by a baseline`);
  return `${Number(row!.n).toLocaleString('en')} verdicts, ${share.toFixed(2)} % anomalous`;
}

async function run(learned: boolean): Promise<BenchResult[]> {
  if (noCpuTime !== undefined) return [notMeasured(NAME, 'all', UNIT, noCpuTime)];
  let broker: BenchBroker;
  try {
    broker = await startBenchBroker();
  } catch (error) {
    return [notMeasured(NAME, 'all', UNIT, `no Kafka: ${(error as Error).message.split('\n')[0]}`)];
  }
  const directory = await mkdtemp(join(tmpdir(), 'spanwarden-bench-'));
  try {
    // a server of its own process: its CPU is nobody's here
    const server = await startEmbeddedClickHouse({ dataDir: directory, maxMemoryBytes: 4_000_000_000 });
    const { url, user, password } = server;
    const clickhouse = await connectClickHouse(clickhouseSection.parse({ url, user, password, database: 'default' }));
    try {
      const stage: Stage = { broker, clickhouse, server };
      const results: BenchResult[] = [];
      const whole = Array.from({ length: 20 }, (_, i) => wholeTraceRequest(i + 1));
      results.push(...(await measure(stage, 'whole traces', whole, 'whole', learned)));
      results.push(...(await measure(stage, 'SDK', sdkRequests(1, 30_000), 'sdk', learned)));
      return results;
    } finally {
      await clickhouse.stop();
      await server.stop();
    }
  } finally {
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

export const benches: readonly Bench[] = [
  {
    name: 'kafka-detector',
    question:
      'what does the detector take from Kafka, scored and stored in ClickHouse, per second of its own CPU, beside the reference Collector that stores?',
    run: () => run(true),
  },
  {
    name: 'kafka-learning',
    question: 'and while there is no baseline yet: stored, not scored?',
    run: () => run(false),
  },
];
