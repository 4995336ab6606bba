/** Topics of others, on the same machinery as our own. */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { SpanwardenError } from '../../errors.ts';
import type { ForeignRecord, ForeignTopics } from '../foreign.ts';
import { createLogMetrics } from '../metrics.ts';
import type { Consumer } from '../port.ts';
import { type ClusterDeps, createCluster } from './cluster.ts';
import { createKafkaConsumer } from './consumer.ts';
import { createForeignDecoder } from './decode.ts';
import { loadLibrary } from './library.ts';

/** Connects when the first consumer starts, and waits for the brokers as long as it takes. */
export function createForeignTopics(config: KafkaConfig, deps: ClusterDeps = {}): ForeignTopics {
  const meters = createLogMetrics(deps.metrics);
  const cluster = createCluster(config, deps);
  const consumers = new Set<Consumer>();
  let stopping: Promise<void> | undefined;

  return {
    consumer(options) {
      if (stopping) throw new SpanwardenError('STOPPED', 'the foreign topics are stopped');
      const { topic, group, handler } = options;
      const ready = Promise.withResolvers<Awaited<ReturnType<typeof loadLibrary>>>();
      ready.promise.catch(() => {}); // the consumer's `ended` tells it
      const consumer = createKafkaConsumer<ForeignRecord>(
        {
          topic,
          group,
          exclusive: false,
          from: options.from ?? 'earliest',
          maxBatchRecords: options.maxBatchRecords ?? 1_000,
          maxBatchBytes: options.maxBatchBytes ?? 1_048_576,
          idleMs: 1_000,
          sessionTimeoutMs: config.sessionTimeoutMs,
          requestTimeoutMs: config.requestTimeoutMs,
        },
        {
          cluster,
          ready: ready.promise,
          meters,
          logger: deps.logger,
          topicLabel: topic,
          groupLabel: group,
          heal: async () => {},
        },
        {
          assigned: (assignment) => handler.assigned(assignment),
          revoked: (partition) => handler.revoked(partition),
          batch: (partition, records) => handler.batch(partition, records),
          decode: createForeignDecoder(),
        },
      );
      consumers.add(consumer);
      const forget = () => void consumers.delete(consumer);
      consumer.ended.then(forget, forget);
      return {
        ...consumer,
        async start() {
          await consumer.start();
          cluster.start().then(() => loadLibrary().then(ready.resolve, ready.reject), ready.reject);
        },
      };
    },
    stop(deadlineMs) {
      stopping ??= (async () => {
        await Promise.all([...consumers].map((one) => one.stop(deadlineMs)));
        cluster.stop();
      })();
      return stopping;
    },
  };
}
