/** The log on Kafka beside an independent client, kafkajs: each reads what the other writes. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ForeignRecord } from '../../../runtime/log/foreign.ts';
import { createForeignTopics } from '../../../runtime/log/kafka/foreign.ts';
import type { Log } from '../../../runtime/log/port.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { brokerForTests, freshPrefix, noKafka } from '../../kafka/for-tests.ts';
import { bytes, consume, createRecorder, text, until } from './harness.ts';
import { kafkaConfig, kafkaHarness, openKafkaLog } from './kafka-harness.ts';

interface Message {
  readonly partition: number;
  readonly offset: string;
  readonly key: string;
  readonly value: string;
  readonly kind: string;
  readonly timestamp: string;
}

describe.skipIf(noKafka)('beside kafkajs', () => {
  let prefix: string;
  let brokers: string[];
  let kafka: Kafka;
  let log: Log;
  const harness = kafkaHarness(kafkaConfig(['unused'], ''));

  beforeEach(async () => {
    brokers = await brokerForTests();
    prefix = freshPrefix();
    kafka = new Kafka({ brokers, clientId: 'other', logLevel: logLevel.NOTHING });
    log = await openKafkaLog(kafkaConfig(brokers, prefix, { compression: 'none' }));
  });
  afterEach(() => log.stop(2_000));

  async function readWithKafkajs(topic: string, count: number): Promise<Message[]> {
    const consumer = kafka.consumer({ groupId: `${prefix}reader` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const messages: Message[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    await consumer.run({
      async eachMessage({ partition, message }) {
        messages.push({
          partition,
          offset: message.offset,
          key: String(message.key),
          value: String(message.value),
          kind: String(message.headers?.['sw-kind']),
          timestamp: message.timestamp,
        });
        if (messages.length === count) resolve();
      },
    });
    await promise;
    await consumer.disconnect();
    return messages;
  }

  async function writeWithKafkajs(
    topic: string,
    messages: { key: string | null; value: string | null; headers?: Record<string, string> }[],
    compression = 0,
  ): Promise<void> {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, messages, compression });
    await producer.disconnect();
  }

  test('it reads what we write: key, value, kind, append time, in the partition that its own partitioner would choose', async () => {
    await log.ensureTopic('spans', { partitions: 6, retentionMs: 3_600_000 });
    const keys = [
      '4bf92f3577b34da6a3ce929d0e0e4736',
      'schlüssel-鍵',
      'a',
      ...Array.from({ length: 60 }, (_, i) => `key ${i}`),
    ];
    const before = Date.now();
    await log.produce(
      'spans',
      keys.map((key, i) => ({
        kind: i === 1 ? RecordKind.originAsk : RecordKind.spans,
        key,
        value: bytes(`value ${key}`),
      })),
    );
    const ours = await readWithKafkajs(`${prefix}spans`, keys.length);
    expect(new Set(ours.map(({ key }) => key))).toEqual(new Set(keys));
    for (const { key, value, kind, timestamp } of ours) {
      expect(value).toBe(`value ${key}`);
      expect(kind).toBe(key === keys[1] ? '1' : '0');
      expect(Number(timestamp)).toBeGreaterThanOrEqual(before - 1_000);
    }
    // the same keys, sent by kafkajs, go where ours went
    await writeWithKafkajs(
      `${prefix}spans`,
      keys.map((key) => ({ key, value: `theirs ${key}` })),
    );
    const { latest } = await log.offsets('spans');
    for (let partition = 0; partition < 6; partition++) {
      const records = await log.read('spans', partition, 0, 1_000);
      expect(records).toHaveLength(latest[partition]!);
      const written = records.filter(({ value }) => text(value).startsWith('value')).map(({ key }) => key);
      const theirs = records.filter(({ value }) => text(value).startsWith('theirs')).map(({ key }) => key);
      expect(theirs.toSorted()).toEqual(written.toSorted());
    }
  });

  test.each([
    ['plain', 0],
    ['gzip', 1],
  ])(
    'we read what it writes, %s: without our header a record holds spans, without a key or a value it is empty',
    async (_, compression) => {
      await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
      await writeWithKafkajs(
        `${prefix}spans`,
        [
          { key: 'a', value: 'one' },
          { key: null, value: 'two', headers: { other: 'x', 'sw-kind': '2' } },
          { key: 'c', value: null, headers: { 'sw-kind-not': '1' } },
          { key: 'd', value: 'x'.repeat(100_000) },
        ],
        compression,
      );
      const recorder = createRecorder();
      const consumer = await consume(log, 'g', recorder);
      await until(harness, () => recorder.records.length === 4);
      expect(recorder.records.map(({ offset, kind, key, value }) => [offset, kind, key, value.length])).toEqual([
        [0, RecordKind.spans, 'a', 3],
        [1, RecordKind.originAnswer, '', 3],
        [2, RecordKind.spans, 'c', 0],
        [3, RecordKind.spans, 'd', 100_000],
      ]);
      await consumer.stop(2_000);
    },
  );

  test.each(['lz4', 'zstd'])('%s: the same when read', async (compression) => {
    const other = await openKafkaLog(kafkaConfig(brokers, prefix, { compression }));
    await other.ensureTopic('spans', { partitions: 2, retentionMs: 3_600_000 });
    const values = Array.from({ length: 500 }, (_, i) => `${i} ${'the same again and again '.repeat(i % 90)}`);
    await other.produce(
      'spans',
      values.map((value, i) => ({ kind: RecordKind.spans, key: `${i % 7}`, value: bytes(value) })),
    );
    const seen: string[] = [];
    for (const partition of [0, 1])
      for (const { value } of await log.read('spans', partition, 0, 1_000)) seen.push(text(value));
    expect(seen.toSorted()).toEqual(values.toSorted());
    await other.stop(2_000);
  });

  test('a topic of others: waited for, read with keys, headers and tombstones, committed in its own group', async () => {
    const topic = `${prefix}otlp_spans`;
    const foreign = createForeignTopics(kafkaConfig(brokers, prefix));
    const records: ForeignRecord[] = [];
    const assigned = new Map<number, { partition: number; generation: number; committed: number }>();
    const handler = {
      async assigned(assignment: { partition: number; generation: number; committed: number }) {
        assigned.set(assignment.partition, assignment);
        return undefined;
      },
      revoked: (partition: number) => void assigned.delete(partition),
      async batch(_: number, batch: readonly ForeignRecord[]) {
        records.push(...batch);
      },
    };
    const first = foreign.consumer({ topic, group: `${prefix}collector`, handler });
    await first.start();
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
    await writeWithKafkajs(topic, [
      { key: 'k', value: 'v', headers: { a: '1', b: '' } },
      { key: null, value: 'w' },
      { key: 'gone', value: null },
    ]);
    await until(harness, () => records.length === 3);
    const byValue = new Map(records.map((one) => [one.value === null ? null : text(one.value), one]));
    expect(text(byValue.get('v')!.key!)).toBe('k');
    expect([...byValue.get('v')!.headers].map(([name, value]) => [name, text(value)])).toEqual([
      ['a', '1'],
      ['b', ''],
    ]);
    expect(byValue.get('w')!.key).toBeNull();
    expect(text(byValue.get(null)!.key!)).toBe('gone');
    expect(Math.abs(byValue.get('v')!.timestampMs - Date.now())).toBeLessThan(60_000);
    for (const { partition, generation } of [...assigned.values()]) {
      const next =
        1 + Math.max(-1, ...records.filter((one) => one.partition === partition).map(({ offset }) => offset));
      expect(await first.commit({ partition, generation }, next)).toBe(true);
    }
    await first.stop(2_000);

    // kafka's own tools see the group under its name
    const committed = await admin.fetchOffsets({ groupId: `${prefix}collector`, topics: [topic] });
    expect(committed[0]!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)).toBe(3);
    const again = foreign.consumer({ topic, group: `${prefix}collector`, handler });
    records.length = 0;
    await again.start();
    await writeWithKafkajs(topic, [{ key: 'later', value: 'x' }]);
    await until(harness, () => records.length > 0);
    expect(records.map(({ value }) => text(value!))).toEqual(['x']);
    await foreign.stop(2_000);
    await admin.disconnect();
  });

  test('partitions added to a topic are read; records keep their partitions until their writer starts again', async () => {
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    const recorder = createRecorder();
    const consumer = await consume(log, 'g', recorder);
    await until(harness, () => recorder.assignments.size === 1);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic: `${prefix}spans`, count: 3 }] });
    await admin.disconnect();
    await until(harness, () => recorder.assignments.size === 3);
    await log.produce(
      'spans',
      Array.from({ length: 20 }, (_, i) => ({ kind: RecordKind.spans, key: `${i}`, value: bytes('ours') })),
    );
    await until(harness, () => recorder.records.length === 20);
    expect(recorder.records.every(({ partition }) => partition === 0)).toBe(true);
    await writeWithKafkajs(
      `${prefix}spans`,
      Array.from({ length: 20 }, (_, i) => ({ key: `${i}`, value: 'theirs' })),
    );
    await until(harness, () => recorder.records.length === 40);
    expect(new Set(recorder.records.map(({ partition }) => partition)).size).toBe(3);
    expect(recorder.told.filter(({ what }) => what === 'revoked')).toEqual([]);
    await consumer.stop(2_000);
    await expect(log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
    });
  });
});
