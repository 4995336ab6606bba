/** A broker for benches: the one that KAFKA_BROKERS names, else one of our own; and topics of theirs on it. */
import { randomBytes } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker } from '../kafka/broker.ts';

export interface BenchBroker {
  readonly brokers: readonly string[];
  /** For names that nobody else uses. */
  readonly prefix: string;
  createTopic(name: string, partitions: number): Promise<void>;
  deleteTopics(names: readonly string[]): Promise<void>;
  /** Sum of the end offsets of all partitions. */
  records(topic: string): Promise<number>;
  stop(): Promise<void>;
}

/** Small files, so that what is past the bound goes soon. */
const TOPIC_SETTINGS = {
  'retention.bytes': '1073741824',
  'segment.bytes': '134217728',
  'max.message.bytes': '8388608',
};

export async function startBenchBroker(): Promise<BenchBroker> {
  const named = process.env.KAFKA_BROKERS ?? '';
  const own =
    named === ''
      ? await startBroker({
          heapMb: 512,
          jvmFlags: ['-XX:+UseSerialGC'], // both compilers: it runs for minutes
          properties: { 'log.retention.check.interval.ms': '5000', 'message.max.bytes': '8388608' },
        })
      : undefined;
  const brokers = own === undefined ? named.split(',').map((one) => one.trim()) : [own.address];
  const admin = new Kafka({ brokers, clientId: 'bench', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    brokers,
    prefix: `bench-${randomBytes(4).toString('hex')}-`,
    async createTopic(topic, numPartitions) {
      const configEntries = Object.entries(TOPIC_SETTINGS).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions, configEntries }] });
    },
    deleteTopics: (topics) => admin.deleteTopics({ topics: [...topics] }),
    async records(topic) {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets.reduce((sum, { high }) => sum + Number(high), 0);
    },
    async stop() {
      await admin.disconnect();
      await own?.stop();
    },
  };
}
