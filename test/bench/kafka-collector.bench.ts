/**
 * The collector on Kafka as users run it, beside the reference Collector: OTLP/gRPC in, records keyed by trace id out, a request
 * acknowledged when all replicas have it. CPU of each collector's process alone; rounds of both in turn.
 */
import { freePorts } from '../kafka/ports.ts';
import { type Bench, type BenchResult, notMeasured, spread } from './bench.ts';
import { cpuSecondsOf, noCpuTime, residentBytesOf } from './cpu.ts';
import { createTemplate } from './fresh.ts';
import { createGrpcSender, type GrpcSender } from './grpc-sender.ts';
import { type BenchBroker, startBenchBroker } from './kafka.ts';
import type { LoadRequest } from './load.ts';
import { shapes, spanBytesOf } from './otlp.bench.ts';
import { noReference, startReference } from './reference/collector.ts';
import { otlpToKafka } from './reference/configs.ts';
import { startRole } from './roles.ts';

const PARTITIONS = 4;
const WARM_UP = 2;
const ROUNDS = 9;
const SPANS_A_ROUND = 160_000;
const UNIT = 'spans/CPU-s';
const COMPRESSIONS = ['none', 'lz4', 'zstd'] as const;
type Compression = (typeof COMPRESSIONS)[number];

interface Target {
  readonly name: string;
  readonly pid: number;
  readonly topic: string;
  readonly sender: GrpcSender;
  readonly rates: number[];
  rssBytes: number;
  stop(): Promise<void>;
}

async function startOurs(broker: BenchBroker, compression: Compression, run: string): Promise<Target> {
  const [grpcPort, otlpHttpPort, httpPort] = await freePorts(3);
  const topicPrefix = `${broker.prefix}${run}-`;
  const role = await startRole('collector', httpPort!, {
    kafka: { brokers: broker.brokers, topicPrefix, compression },
    log: { spansPartitions: PARTITIONS, spansRetentionBytes: 1_073_741_824 },
    collector: { grpcPort, httpPort: otlpHttpPort },
  });
  const sender = createGrpcSender(grpcPort!);
  return {
    name: 'collector, OTLP/gRPC to Kafka',
    pid: role.pid,
    topic: `${topicPrefix}spans`,
    sender,
    rates: [],
    rssBytes: 0,
    async stop() {
      sender.close();
      await role.stop();
    },
  };
}

async function startTheirs(broker: BenchBroker, compression: Compression, run: string): Promise<Target> {
  const [grpcPort] = await freePorts(1);
  const topic = `${broker.prefix}${run}-reference`;
  await broker.createTopic(topic, PARTITIONS);
  const reference = await startReference(
    otlpToKafka({ grpcPort: grpcPort!, brokers: broker.brokers, topic, compression }),
  );
  const sender = createGrpcSender(grpcPort!);
  return {
    name: 'reference Collector, OTLP/gRPC to Kafka',
    pid: reference.pid,
    topic,
    sender,
    rates: [],
    rssBytes: 0,
    async stop() {
      sender.close();
      await reference.stop();
    },
  };
}

async function measure(
  broker: BenchBroker,
  shape: string,
  loads: readonly LoadRequest[],
  compression: Compression,
  run: string,
): Promise<BenchResult[]> {
  const templates = loads.map((load) => createTemplate(load.bytes));
  const spansOnce = loads.reduce((sum, load) => sum + load.spans, 0);
  const times = Math.ceil(SPANS_A_ROUND / spansOnce);
  const targets = [await startOurs(broker, compression, run)];
  try {
    if (noReference === undefined) targets.push(await startTheirs(broker, compression, run));
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      for (const target of targets) {
        // ids of its own for every request: what repeats would compress better than anybody's spans
        const bodies = Array.from({ length: times }, (_, copy) =>
          templates.map((template) => template.fresh(1 + (WARM_UP + round) * times + copy, 0n)),
        ).flat();
        const recordsBefore = await broker.records(target.topic);
        const before = cpuSecondsOf(target.pid);
        await target.sender.send(bodies, bodies.length);
        const seconds = cpuSecondsOf(target.pid) - before;
        const records = (await broker.records(target.topic)) - recordsBefore;
        // each request was acknowledged: Kafka has at least a record of each of its traces
        const least = times * loads.reduce((sum, load) => sum + load.traces, 0);
        if (records < least)
          throw new Error(`${target.name}: ${records} records in Kafka, ${least} traces acknowledged`);
        target.rssBytes = Math.max(target.rssBytes, residentBytesOf(target.pid));
        if (round >= 0) target.rates.push((times * spansOnce) / seconds);
      }
    }
  } finally {
    for (const target of targets) await target.stop();
    await broker.deleteTopics(targets.map(({ topic }) => topic)).catch(() => {}); // room for what comes next
  }
  const [ours, theirs] = targets;
  const shapeAs = `${shape}, ${compression}`;
  const facts = { shape: shapeAs, unit: UNIT, spanBytes: spanBytesOf(loads), attributes: 12 } as const;
  const row = (target: Target): BenchResult => ({
    name: target.name,
    ...facts,
    ...spread(target.rates),
    note: `acks of all replicas, ${compression === 'none' ? 'uncompressed' : compression}; ${Math.round(target.rssBytes / 2 ** 20)} MiB resident`,
  });
  const first = row(ours!);
  if (theirs === undefined)
    return [first, notMeasured('reference Collector, OTLP/gRPC to Kafka', shapeAs, UNIT, noReference!)];
  const second = row(theirs);
  return [{ ...first, ratio: first.value / second.value, reference: 'the reference Collector, in turn' }, second];
}

async function run(compressions: readonly Compression[]): Promise<BenchResult[]> {
  if (noCpuTime !== undefined) return [notMeasured('collector, OTLP/gRPC to Kafka', 'all', UNIT, noCpuTime)];
  let broker: BenchBroker;
  try {
    broker = await startBenchBroker();
  } catch (error) {
    return [
      notMeasured('collector, OTLP/gRPC to Kafka', 'all', UNIT, `no Kafka: ${(error as Error).message.split('\n')[0]}`),
    ];
  }
  try {
    const results: BenchResult[] = [];
    let number = 0;
    for (const compression of compressions)
      for (const { shape, loads } of shapes())
        results.push(...(await measure(broker, shape, loads, compression, `c${number++}`)));
    return results;
  } finally {
    await broker.stop();
  }
}

export const benches: readonly Bench[] = [
  {
    name: 'kafka-collector',
    question:
      'what does the collector take over OTLP/gRPC into Kafka, keyed by trace, per second of its own CPU, beside the reference Collector?',
    run: () => run(['none']),
  },
  {
    name: 'kafka-compressed',
    question: 'and compressed, as it does by default (lz4), and with zstd?',
    run: () => run(['lz4', 'zstd']),
  },
];
