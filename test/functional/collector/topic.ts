/** Topics written and read with kafkajs, a client that is not ours. */
import { CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs';

export interface TopicRecord {
  readonly partition: number;
  /** As text; the keys here are hex. */
  readonly key: string | null;
  readonly value: Buffer | null;
}

export interface TestKafka {
  createTopic(topic: string, partitions?: number, settings?: Readonly<Record<string, string>>): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  exists(topic: string): Promise<boolean>;
  /** Resolves when all replicas have them; in the order given, partition by partition. */
  write(topic: string, records: readonly TopicRecord[], compression?: CompressionTypes): Promise<void>;
  /** All records between the topic's ends as they are now, partition by partition. */
  readAll(topic: string): Promise<TopicRecord[]>;
  /** Offset of the next record, by partition. */
  ends(topic: string): Promise<number[]>;
  /** Offsets that a group has committed, by partition; −1 = none. */
  committed(group: string, topic: string): Promise<number[]>;
  stop(): Promise<void>;
}

export function connectTestKafka(brokers: readonly string[]): TestKafka {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 10 } });
  const admin = kafka.admin();
  const connected = admin.connect();
  let producer: Promise<Producer> | undefined;

  async function startProducer(): Promise<Producer> {
    const own = kafka.producer({ allowAutoTopicCreation: false });
    await own.connect();
    return own;
  }

  return {
    async createTopic(topic, partitions = 4, settings = {}) {
      await connected;
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions, configEntries }] });
    },
    async deleteTopic(topic) {
      await connected;
      await admin.deleteTopics({ topics: [topic] });
    },
    async exists(topic) {
      await connected;
      return (await admin.listTopics()).includes(topic);
    },
    async write(topic, records, compression = CompressionTypes.None) {
      producer ??= startProducer();
      const messages = records.map(({ partition, key, value }) => ({ partition, key, value }));
      await (await producer).send({ topic, acks: -1, compression, messages });
    },
    async readAll(topic) {
      await connected;
      const ends = await admin.fetchTopicOffsets(topic);
      const missing = new Map(
        ends.filter((one) => Number(one.high) > Number(one.low)).map((one) => [one.partition, Number(one.high)]),
      );
      const found: TopicRecord[] = [];
      if (missing.size === 0) return found;
      const consumer = kafka.consumer({ groupId: `reader-${process.pid}-${Date.now()}` });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const done = Promise.withResolvers<void>();
      consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
      await consumer.run({
        eachMessage: async ({ partition, message }) => {
          found.push({ partition, key: message.key?.toString() ?? null, value: message.value });
          if (Number(message.offset) + 1 >= (missing.get(partition) ?? Number.POSITIVE_INFINITY))
            missing.delete(partition);
          if (missing.size === 0) done.resolve();
        },
      });
      try {
        await done.promise;
      } finally {
        await consumer.disconnect();
      }
      return found.sort((a, b) => a.partition - b.partition);
    },
    async ends(topic) {
      await connected;
      const ends = await admin.fetchTopicOffsets(topic);
      return ends.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
    },
    async committed(group, topic) {
      await connected;
      const [own] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      return (own?.partitions ?? []).sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
    },
    async stop() {
      await (await producer)?.disconnect();
      await connected;
      await admin.disconnect();
    },
  };
}
