/** Topics of others on a real broker: what others write with their own client arrives re-keyed in our `spans` topic. */
import { randomBytes } from 'node:crypto';
import { CompressionTypes } from 'kafkajs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { planForeign } from '../../../collector/foreign/plan.ts';
import { createCollector } from '../../../collector/service.ts';
import { createLog, ensureTopics } from '../../../runtime/log/create.ts';
import { createForeignTopics } from '../../../runtime/log/kafka/foreign.ts';
import { createSilentLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../../schemas/config/collector.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { startBroker } from '../../kafka/broker.ts';
import { brokerForTests, freshPrefix, noKafka, noOwnBroker } from '../../kafka/for-tests.ts';
import { decodeTracesData } from '../../unit/otlp/proto.ts';
import { readRecording, SENT, sentBodies, spansOf } from './recorded/sent.ts';
import { OTLP_SHAPES } from './recorded/shapes.ts';
import { referenceCollector, startReferenceCollector } from './reference-collector.ts';
import { requestOf, spanOf } from './started.ts';
import { connectTestKafka, type TestKafka, type TopicRecord } from './topic.ts';

const MURMUR2 = { record_partitioner: { sticky_key: { hasher: 'murmur2' } } };

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface World {
  readonly kafka: TestKafka;
  /** The topic that others write. */
  readonly topic: string;
  readonly group: string;
  /** Ours. */
  readonly oursTopic: string;
  /** Starts a collector; several are members of one group. */
  collect(settings?: object): Promise<RunningCollector>;
  /** Resolves when all that is in the foreign topic is committed; `ends`: where it ends, when that is known. */
  settled(ends?: readonly number[]): Promise<void>;
  /** Records of our own topic. */
  ours(): Promise<TopicRecord[]>;
}

interface RunningCollector {
  count(name: string, labels?: Record<string, string>): number;
  stop(): Promise<void>;
}

async function createWorld(brokers: readonly string[]): Promise<World> {
  const prefix = freshPrefix();
  const topic = `${prefix}otlp_spans`;
  const group = `${prefix}collector`;
  const oursTopic = `${prefix}spans`;
  const kafka = connectTestKafka(brokers);
  stops.push(() => kafka.stop());
  const kafkaConfig = kafkaSection.parse({
    brokers,
    topicPrefix: prefix,
    requestTimeoutMs: 2_000,
    compression: 'none', // the reader of these tests knows gzip only
  });
  const logConfig = logSection.parse({ spansPartitions: 3 });

  async function collect(settings: object = {}): Promise<RunningCollector> {
    const config = collectorSection.parse({
      grpcPort: 0,
      httpPort: 0,
      ...settings,
      kafka: { topics: [topic], ...('kafka' in settings ? (settings.kafka as object) : {}) },
    });
    const metrics = createMetrics();
    const logger = createSilentLogger();
    const log = createLog({ log: logConfig, kafka: kafkaConfig }, { metrics, logger });
    await log.start();
    await ensureTopics(log, logConfig);
    const plan = planForeign(config, kafkaConfig)!;
    const topics = createForeignTopics(kafkaConfig, { metrics, logger });
    const collector = createCollector(config, { log, logger, metrics, foreign: { plan, topics } });
    await collector.start();
    let stopped: Promise<void> | undefined;
    const running: RunningCollector = {
      count: (name, labels) => metrics.counter(`collector_${name}`, '').value(labels),
      stop() {
        stopped ??= (async () => {
          await collector.stop(5_000);
          await log.stop(5_000);
        })();
        return stopped;
      },
    };
    stops.push(() => running.stop());
    return running;
  }

  return {
    kafka,
    topic,
    group,
    oursTopic,
    collect,
    async settled(known) {
      const ends = known ?? (await kafka.ends(topic));
      await expect
        .poll(async () => (await kafka.committed(group, topic)).map((offset) => Math.max(0, offset)), {
          timeout: 45_000,
        })
        .toEqual(ends);
    },
    ours: () => kafka.readAll(oursTopic),
  };
}

/** Every span in our topic, its key checked against the span's trace. */
function spansOfOurs(records: readonly TopicRecord[]): Map<string, string[]> {
  const requests = records.map(({ key, value }) => {
    const request = decodeTracesData(value!);
    for (const { scopeSpans = [] } of request.resourceSpans ?? [])
      for (const { spans = [] } of scopeSpans)
        for (const span of spans) expect(Buffer.from(span.traceId!).toString('hex')).toBe(key);
    return request;
  });
  return spansOf(requests);
}

const partitionsByTrace = (records: readonly TopicRecord[]): number[] => {
  const seen = new Map<string, Set<number>>();
  for (const { key, partition } of records) seen.set(key!, (seen.get(key!) ?? new Set()).add(partition));
  return [...seen.values()].map((partitions) => partitions.size);
};

/** Requests of one span each, every span its own trace. */
const requests = (count: number): Buffer[] =>
  Array.from({ length: count }, () => requestOf(spanOf(1, 1, { traceId: randomBytes(16), spanId: randomBytes(8) })));

const recordsOf = (values: readonly Buffer[]): TopicRecord[] =>
  values.map((value, i) => ({ partition: i % 4, key: null, value }));

describe.skipIf(noKafka)('topics of others', () => {
  let brokers: string[];
  beforeAll(async () => {
    brokers = await brokerForTests();
  }, 180_000);

  it.each(Object.keys(OTLP_SHAPES))(
    'recorded in shape %s arrive span by span, a trace in one partition',
    async (name) => {
      const world = await createWorld(brokers);
      await world.kafka.createTopic(world.topic);
      await world.kafka.write(world.topic, readRecording(name));
      const collector = await world.collect();
      await world.settled();
      const ours = await world.ours();
      expect(spansOfOurs(ours)).toEqual(spansOf(SENT));
      expect(partitionsByTrace(ours)).toEqual([1, 1, 1]);
      expect(collector.count('spans_accepted_total')).toBe(12);
    },
  );

  it('of one name with several writers and encodings, compressed, with records that are none', async () => {
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    const json = readRecording('span-json-murmur2');
    const proto = readRecording('jaeger-proto');
    const junk: TopicRecord[] = [
      { partition: 0, key: 'k', value: Buffer.from('not a span') },
      { partition: 1, key: 'k', value: null },
      { partition: 2, key: null, value: Buffer.alloc(0) },
    ];
    await world.kafka.write(world.topic, [...junk, ...json, ...proto], CompressionTypes.GZIP);
    const collector = await world.collect();
    await world.settled();
    expect(spansOfOurs(await world.ours())).toEqual(spansOf(SENT));
    const result = (name: string): number =>
      collector.count('foreign_records_total', { topic: world.topic, result: name });
    expect(result('forwarded')).toBe(json.length);
    expect(result('empty')).toBe(2);
    expect(result('not_otlp') + result('rejected')).toBe(1 + proto.length);
  });

  it('that does not exist yet is waited for, and read from its first record', async () => {
    const world = await createWorld(brokers);
    const collector = await world.collect();
    await world.kafka.createTopic(world.topic);
    await world.kafka.write(world.topic, readRecording('request-proto'));
    await expect.poll(() => collector.count('spans_accepted_total'), { timeout: 30_000 }).toBeGreaterThanOrEqual(12);
    await world.settled();
    expect(new Set(spansOfOurs(await world.ours()).keys())).toEqual(new Set(spansOf(SENT).keys()));
  });

  it('that is deleted and made again is read from its new beginning', async () => {
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    const collector = await world.collect();
    const sent = requests(40);
    await world.kafka.write(world.topic, recordsOf(sent.slice(0, 20)));
    await world.settled();
    await world.kafka.deleteTopic(world.topic);
    await expect.poll(() => world.kafka.exists(world.topic)).toBe(false);
    await world.kafka.createTopic(world.topic);
    await world.kafka.write(world.topic, recordsOf(sent.slice(20)));
    await expect.poll(() => collector.count('spans_accepted_total'), { timeout: 40_000 }).toBeGreaterThanOrEqual(40);
    expect(new Set(spansOfOurs(await world.ours()).keys())).toEqual(
      new Set(spansOf(sent.map(decodeTracesData)).keys()),
    );
  });

  it('go into a topic of ours that takes smaller records than configured: all but a span that no record can hold', async () => {
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    await world.kafka.createTopic(world.oursTopic, 3, {
      'max.message.bytes': '20000',
      'message.timestamp.type': 'LogAppendTime',
    });
    const sizes = [3_000, 4_000, 50_000, 6_000, 12_000, 5_000, 2_000];
    const spans = sizes.map((size, i) => spanOf(1, i + 1, { name: 'x'.repeat(size) }));
    await world.kafka.write(world.topic, [{ partition: 0, key: null, value: requestOf(...spans) }]);
    const collector = await world.collect();
    await world.settled();
    const arrived = spansOfOurs(await world.ours());
    expect([...arrived.keys()].sort()).toEqual([1, 2, 4, 5, 6, 7].map((span) => `0${span}`.repeat(8)));
    expect(collector.count('spans_rejected_total', { reason: 'too_large' })).toBe(1);
    expect(collector.count('spans_accepted_total')).toBe(6);
  });

  it('are read on where a collector stopped: nothing twice, nothing left out', async () => {
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    const first = await world.collect();
    const sent = requests(400);
    await world.kafka.write(world.topic, recordsOf(sent.slice(0, 200)));
    await expect.poll(() => first.count('spans_accepted_total'), { timeout: 30_000 }).toBeGreaterThan(0);
    await first.stop();
    await world.kafka.write(world.topic, recordsOf(sent.slice(200)));
    await world.collect();
    await world.settled();
    expect(spansOfOurs(await world.ours())).toEqual(spansOf(sent.map(decodeTracesData)));
  });

  it('are shared by two collectors, each span once', async () => {
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    const [one, other] = [await world.collect(), await world.collect()];
    const sent: Buffer[] = [];
    const both = (): boolean => Math.min(one.count('spans_accepted_total'), other.count('spans_accepted_total')) > 0;
    // until the group has settled and both have read something
    for (let round = 0; round < 100 && !both(); round++) {
      const more = requests(40);
      sent.push(...more);
      await world.kafka.write(world.topic, recordsOf(more));
      await world.settled();
    }
    expect(both()).toBe(true);
    const arrived = spansOfOurs(await world.ours());
    expect(new Set(arrived.keys())).toEqual(new Set(spansOf(sent.map(decodeTracesData)).keys()));
  });
});

const collectorRequired = (process.env.REQUIRE ?? '').split(',').includes('reference-collector');
const noCollector = referenceCollector === undefined && !collectorRequired;
if (noCollector)
  console.error(
    'NOT MEASURED: topics that a real Collector writes; set REFERENCE_COLLECTOR to the directory of otelcol',
  );

describe.skipIf(noKafka || noCollector)('a topic that a real Collector writes', () => {
  it.each([
    { how: 'as it comes', exporter: {} },
    { how: 'by trace id, zstd', exporter: { partition_traces_by_id: true }, compression: 'zstd' },
    { how: 'by trace id and murmur2, lz4', exporter: { partition_traces_by_id: true, ...MURMUR2 }, compression: 'lz4' },
    { how: 'as JSON, snappy', exporter: {}, encoding: 'otlp_json', compression: 'snappy' },
    {
      how: 'as JSON by trace id, gzip',
      exporter: { partition_traces_by_id: true },
      encoding: 'otlp_json',
      compression: 'gzip',
    },
  ])('$how: every span that it acknowledged is in ours, once and unchanged', async (setup) => {
    const { exporter, encoding = 'otlp_proto', compression = 'none' } = setup;
    const brokers = await brokerForTests();
    const world = await createWorld(brokers);
    await world.kafka.createTopic(world.topic);
    const producer = { required_acks: -1, compression, allow_auto_topic_creation: false };
    const reference = await startReferenceCollector({
      brokers,
      exporter: { ...exporter, producer, traces: { topic: world.topic, encoding } },
    });
    stops.push(() => reference.stop());
    const collector = await world.collect();
    const sent = [...sentBodies(), ...requests(200)];
    for (const body of sent) {
      const headers = { 'content-type': 'application/x-protobuf' };
      const response = await fetch(reference.url, { method: 'POST', headers, body: new Uint8Array(body) });
      expect(response.status).toBe(200);
    }
    await world.settled();
    const expected = spansOf(sent.map(decodeTracesData));
    expect(collector.count('spans_accepted_total')).toBe(expected.size);
    expect(spansOfOurs(await world.ours())).toEqual(expected);
  });
});

describe.skipIf(noOwnBroker)('topics of others, when the broker', () => {
  it('is killed and comes back: every span arrives, and is committed', async () => {
    const broker = await startBroker();
    stops.push(() => broker.stop());
    const world = await createWorld([broker.address]);
    await world.kafka.createTopic(world.topic);
    const sent = requests(3_000);
    for (let at = 0; at < sent.length; at += 500)
      await world.kafka.write(world.topic, recordsOf(sent.slice(at, at + 500)));
    const collector = await world.collect();
    await expect.poll(() => collector.count('spans_accepted_total'), { timeout: 30_000 }).toBeGreaterThan(0);
    const ends = await world.kafka.ends(world.topic);
    await broker.kill();
    await broker.restart();
    await world.settled(ends);
    const arrived = spansOfOurs(await world.ours());
    expect(new Set(arrived.keys())).toEqual(new Set(spansOf(sent.map(decodeTracesData)).keys()));
    await broker.kill();
    const startedAt = performance.now();
    await collector.stop(); // within its deadlines, broker or not
    expect(performance.now() - startedAt).toBeLessThan(11_000);
  }, 180_000);
});
