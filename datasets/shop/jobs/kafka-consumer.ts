/**
 * The worker's end with kafkajs, as its documentation shows it: message by message, or by the batch. Its instrumentation
 * makes a CONSUMER span in the producer's trace of each message; of a batch a root of kind CLIENT, and under it a CONSUMER
 * span a message that links to its producer, beside the calls of the work itself: all messages' calls hang under the batch.
 */
import type { Consumer, ConsumerConfig, ConsumerRunConfig, KafkaMessage } from 'kafkajs';
import { createKafkaClient } from './kafka-client.ts';
import { createTopics, endsOf, removeTopics } from './kafka-topics.ts';
import type { JobConsumer, JobHandler, Payload } from './port.ts';
import { createProgress } from './progress.ts';
import { type ConsumerStyle, groupOf, QUEUES, type Queue, type ShopKafka, topicOf } from './settings.ts';

const CONCURRENT_PARTITIONS = 4;
/** What was published before the stop is worked off within this time. */
const DRAIN_MS = 2_500;
const JOIN_WITHIN_MS = 30_000;
const RESTART_MS = 1_000;
/** A member that a broken broker forgot is waited for so long when the group forms again. */
const GROUP = { sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 2_000 } as const;
/** Batches pay by their size: the broker keeps a fetch for 300 ms while there is little; single messages come at once. */
const FETCH: Readonly<Record<ConsumerStyle, Partial<ConsumerConfig>>> = {
  eachMessage: { minBytes: 1, maxWaitTimeInMs: 500 },
  eachBatch: { minBytes: 65_536, maxWaitTimeInMs: 300 },
};

export async function startKafkaConsumer(kafka: ShopKafka, handler: JobHandler): Promise<JobConsumer> {
  const client = createKafkaClient(kafka, 'worker');
  const style = kafka.consumer ?? 'eachMessage';
  const queueOf = new Map<string, Queue>(QUEUES.map((queue) => [topicOf(kafka, queue), queue]));
  const progress = createProgress();
  const admin = client.kafka.admin();
  let stopping = false;

  const work = async (topic: string, partition: number, message: KafkaMessage, all = [message]): Promise<void> => {
    const queue = queueOf.get(topic);
    try {
      const payload = JSON.parse(message.value?.toString('utf8') ?? '{}') as Payload;
      if (queue !== undefined)
        await handler({ queue, payload }, { id: `${partition}-${all[0]!.offset}`, size: all.length });
    } catch {
      // Given up, as on the table; to throw would make kafkajs hand it over again and again.
    }
    progress.done(`${topic}/${partition}`, BigInt(message.offset));
  };

  const styles: Readonly<Record<ConsumerStyle, () => ConsumerRunConfig>> = {
    eachMessage: () => ({
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachMessage: ({ topic, partition, message }) => work(topic, partition, message),
    }),
    eachBatch: () => ({
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachBatchAutoResolve: false,
      async eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
        for (const message of batch.messages) {
          if (!isRunning() || isStale()) break;
          await work(batch.topic, batch.partition, message, batch.messages);
          resolveOffset(message.offset);
          await heartbeat();
        }
      },
    }),
  };

  const consumer = client.kafka.consumer({
    groupId: groupOf(kafka),
    allowAutoTopicCreation: false,
    ...GROUP,
    ...FETCH[style],
    retry: { initialRetryTime: 150, maxRetryTime: 2_000, retries: 6, restartOnFailure: async () => !stopping },
  });
  const { events } = consumer;
  consumer.on(events.FETCH, () => client.answered());
  // What kafkajs does not start again by itself, we do.
  consumer.on(events.CRASH, ({ payload }) => {
    if (!payload.restart && !stopping) setTimeout(() => void consume().catch(() => undefined), RESTART_MS);
  });
  const consume = async (): Promise<void> => {
    await consumer.connect();
    await consumer.subscribe({ topics: [...queueOf.keys()], fromBeginning: true });
    await consumer.run(styles[style]());
  };

  await admin.connect();
  await createTopics(admin, kafka);
  const joined = joins(consumer, JOIN_WITHIN_MS);
  await consume();
  await joined;
  client.started();
  return {
    async stop() {
      client.quiet();
      stopping = true;
      try {
        await progress.reaches(await endsOf(admin, kafka), DRAIN_MS);
      } finally {
        await consumer.disconnect();
        await removeTopics(admin, kafka);
        await admin.disconnect();
      }
    },
  };
}

function joins(consumer: Consumer, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the worker could not join its consumer group')), withinMs);
    consumer.on(consumer.events.GROUP_JOIN, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
