/**
 * What a 2 KB record costs this process on its way to Kafka and back: produce calls of 40 records, as the collector makes
 * of a request of 40 traces, beside the client library's own producer and consumer. CPU of all threads of the process.
 */
import { randomBytes } from 'node:crypto';
import { loadLibrary } from '../../runtime/log/kafka/library.ts';
import { createKafkaLog } from '../../runtime/log/kafka/log.ts';
import { partitionOf } from '../../runtime/log/partitioner.ts';
import type { Consumer, NewRecord } from '../../runtime/log/port.ts';
import { type KafkaConfig, kafkaSection } from '../../schemas/config/kafka.ts';
import { RecordKind } from '../../schemas/log/topics.ts';
import { type Bench, type BenchResult, rates, type Spread } from './bench.ts';
import { type BenchBroker, startBenchBroker } from './kafka.ts';

const VALUE_BYTES = 2_048;
const CALL = 40;
const CALLS = 100;
/** Calls under way at the same time. */
const AT_ONCE = 25;
const RECORDS = CALL * CALLS;
const PARTITIONS = 4;
/** A read takes all that was written. */
const READS = { samples: 7, warmUp: 1 };
const UNIT = 'records/CPU-s';
const COMPRESSIONS = ['none', 'lz4', 'zstd'] as const;

/** Half of it random, as ids and times are; half of it the same words again, as names and attributes are. */
function newValue(): Uint8Array {
  const value = Buffer.alloc(VALUE_BYTES, 'http.request.method GET url.path /api/orders server.address shop ');
  for (let at = 0; at < VALUE_BYTES; at += 128) randomBytes(64).copy(value, at);
  return value;
}

const calls: NewRecord[][] = Array.from({ length: CALLS }, () =>
  Array.from({ length: CALL }, () => ({
    kind: RecordKind.spans,
    key: randomBytes(16).toString('hex'),
    value: newValue(),
  })),
);

/** Makes all calls, a number of them at a time. */
async function each(send: (records: NewRecord[]) => Promise<unknown>): Promise<number> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < CALLS) await send(calls[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return RECORDS;
}

interface Side {
  write(): Promise<number>;
  /** Reads all that was written, in a group of its own. */
  read(): Promise<number>;
  stop(): Promise<void>;
}

async function ours(kafka: KafkaConfig): Promise<Side> {
  const log = createKafkaLog({ kafka, queueBytes: 268_435_456 });
  await log.start();
  await log.ensureTopic('spans', { partitions: PARTITIONS, retentionMs: 3_600_000, retentionBytes: 1_073_741_824 });
  let written = 0;
  return {
    async write() {
      written += await each((records) => log.produce('spans', records));
      return RECORDS;
    },
    async read() {
      let seen = 0;
      const all = Promise.withResolvers<void>();
      const consumer: Consumer = log.consumer({
        topic: 'spans',
        group: randomBytes(8).toString('hex'),
        handler: {
          assigned: async () => undefined,
          revoked() {},
          async batch(_partition, records) {
            seen += records.length;
            if (seen >= written) all.resolve();
          },
          async idle() {},
        },
      });
      await consumer.start();
      await all.promise;
      await consumer.stop(5_000);
      return seen;
    },
    stop: () => log.stop(5_000),
  };
}

async function library(broker: BenchBroker, topic: string, compression: 'none' | 'lz4' | 'zstd'): Promise<Side> {
  const { Consumer: KafkaConsumer, Producer, MessagesStreamModes } = await loadLibrary();
  await broker.createTopic(topic, PARTITIONS);
  const own = { clientId: 'bench', bootstrapBrokers: [...broker.brokers] };
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ ...own, idempotent: true, compression });
  const name = Buffer.from('sw-kind');
  const kind = Buffer.from('0');
  let written = 0;
  return {
    async write() {
      written += await each((records) =>
        producer.send({
          messages: records.map(({ key, value }) => ({
            topic,
            partition: partitionOf(key, PARTITIONS),
            key: Buffer.from(key),
            value: value as Buffer,
            headers: new Map([[name, kind]]),
          })),
        }),
      );
      return RECORDS;
    },
    async read() {
      const groupId = randomBytes(8).toString('hex');
      const consumer = new KafkaConsumer<Buffer, Buffer, Buffer, Buffer>({ ...own, groupId });
      const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false });
      let seen = 0;
      for await (const message of stream) if (message.value.length > 0 && ++seen === written) break;
      await consumer.close(true);
      return seen;
    },
    stop: () => producer.close(true),
  };
}

async function run(): Promise<BenchResult[]> {
  const broker = await startBenchBroker();
  const results: BenchResult[] = [];
  try {
    for (const compression of COMPRESSIONS) {
      const topicPrefix = `${broker.prefix}${compression}-`;
      const mine = await ours(kafkaSection.parse({ brokers: [...broker.brokers], topicPrefix, compression }));
      const theirs = await library(broker, `${topicPrefix}library`, compression);
      const [write, libraryWrite] = (await rates([mine.write, theirs.write])) as [Spread, Spread];
      const [read, libraryRead] = (await rates([mine.read, theirs.read], READS)) as [Spread, Spread];
      await mine.stop();
      await theirs.stop();
      const row = (name: string, own: Spread, reference: Spread): BenchResult => ({
        name,
        shape: `2 KB, ${compression}`,
        unit: UNIT,
        ...own,
        ratio: own.value / reference.value,
        reference: "the client library's own",
        note: `${(1e6 / own.value).toFixed(2)} CPU-s a million records; the library ${(1e6 / reference.value).toFixed(2)}`,
      });
      results.push(row('produce to Kafka', write, libraryWrite), row('consume from Kafka', read, libraryRead));
    }
  } finally {
    await broker.stop();
  }
  return results;
}

export const benches: readonly Bench[] = [
  { name: 'kafka-log', question: 'what does a record cost on its way to Kafka and back?', run },
];
