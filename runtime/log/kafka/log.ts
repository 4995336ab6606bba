/** The log on Kafka: topics, a producer, consumers and reads over one cluster. */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import type { TopicName } from '../../../schemas/log/topics.ts';
import { SpanwardenError } from '../../errors.ts';
import { counted, createLogMetrics } from '../metrics.ts';
import { partitionOf } from '../partitioner.ts';
import type { Consumer, ConsumerOptions, Log, LogRecord, NewRecord, TopicOptions } from '../port.ts';
import { type ClusterDeps, createCluster } from './cluster.ts';
import { createKafkaConsumer } from './consumer.ts';
import { createRecordDecoder } from './decode.ts';
import { type Library, loadLibrary } from './library.ts';
import { allOffsets, EARLIEST, LATEST } from './offsets.ts';
import { createProducer, type Producer } from './producer.ts';
import { readPartition } from './read.ts';
import { recordBound } from './record-batch.ts';
import { createTopics } from './topics.ts';

export interface KafkaLogConfig {
  readonly kafka: KafkaConfig;
  /** Bytes of records that may wait to be written. */
  readonly queueBytes: number;
}

export type KafkaLogDeps = ClusterDeps;

const DEFAULTS = { from: 'earliest', maxBatchRecords: 1_000, maxBatchBytes: 1_048_576, idleMs: 100 } as const;

export function createKafkaLog(config: KafkaLogConfig, deps: KafkaLogDeps = {}): Log {
  const { kafka } = config;
  const { logger } = deps;
  const meters = createLogMetrics(deps.metrics);
  const cluster = createCluster(kafka, deps);
  const topics = createTopics(kafka, { cluster, logger });
  const consumers = new Set<Consumer>();
  const partitionCounts = new Map<TopicName, number>();
  const wanted = new Map<TopicName, TopicOptions>();
  const healing = new Map<TopicName, Promise<void>>();
  const ready = Promise.withResolvers<Library>();
  ready.promise.catch(() => {}); // told by start()
  let producer: Producer | undefined;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let stopped: SpanwardenError | undefined;

  const nameOf = (topic: TopicName): string => kafka.topicPrefix + topic;

  async function begin(): Promise<void> {
    try {
      await cluster.start();
      const library = await loadLibrary();
      producer = createProducer(config, { cluster, library, meters, logger, heal });
      ready.resolve(library);
    } catch (error) {
      cluster.stop();
      ready.reject(error);
      throw error;
    }
  }

  const reached = (): Promise<Library> => {
    if (stopped) throw stopped;
    return ready.promise;
  };

  /** A topic that this process saw to is gone: whoever deleted it, records have nowhere to go until it is there again. */
  async function heal(topic: TopicName): Promise<void> {
    const options = wanted.get(topic);
    if (!options || stopped) return;
    let pending = healing.get(topic);
    if (!pending) {
      logger?.error({ topic: nameOf(topic) }, 'the Kafka topic was deleted with what it held; it is created again');
      pending = topics.ensure(nameOf(topic), options).then(
        () => {},
        (error: unknown) => logger?.error({ topic: nameOf(topic), err: error }, 'cannot create the topic again'),
      );
      healing.set(topic, pending);
      void pending.finally(() => healing.delete(topic));
    }
    await pending;
  }

  async function countPartitions(topic: TopicName): Promise<number> {
    const known = partitionCounts.get(topic);
    if (known !== undefined) return known;
    await reached();
    const info = await cluster.refresh(nameOf(topic));
    if (info === null) throw new SpanwardenError('LOG_UNAVAILABLE', `topic ${nameOf(topic)} does not exist yet`);
    partitionCounts.set(topic, info.leaders.length);
    return info.leaders.length;
  }

  function append(topic: TopicName, records: readonly NewRecord[], count: number): Promise<void> {
    const partitions = new Int32Array(records.length);
    let bytes = 0;
    let bound = 0;
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      const { key, value, partition = partitionOf(key, count) } = record;
      if (partition < 0 || partition >= count || !Number.isInteger(partition))
        throw new RangeError(`topic ${topic} has no partition ${partition}`);
      partitions[i] = partition;
      bytes += value.length;
      bound += recordBound(record);
    }
    const durable = producer!.append(topic, nameOf(topic), records, partitions, bound);
    return meters === undefined ? durable : counted(meters, topic, records.length, bytes, durable);
  }

  function consumer(options: ConsumerOptions): Consumer {
    if (stopped) throw stopped;
    const { topic, group, handler } = options;
    const created = createKafkaConsumer<LogRecord>(
      {
        topic: nameOf(topic),
        group: kafka.topicPrefix + group,
        exclusive: options.exclusive ?? false,
        from: options.from ?? DEFAULTS.from,
        maxBatchRecords: options.maxBatchRecords ?? DEFAULTS.maxBatchRecords,
        maxBatchBytes: options.maxBatchBytes ?? DEFAULTS.maxBatchBytes,
        idleMs: options.idleMs ?? DEFAULTS.idleMs,
        sessionTimeoutMs: kafka.sessionTimeoutMs,
        requestTimeoutMs: kafka.requestTimeoutMs,
      },
      { cluster, ready: ready.promise, meters, logger, topicLabel: topic, groupLabel: group, heal: () => heal(topic) },
      {
        assigned: (assignment) => handler.assigned(assignment),
        revoked: (partition) => handler.revoked(partition),
        batch: (partition, records) => handler.batch(partition, records),
        idle: (partition, nowMs) => handler.idle(partition, nowMs),
        decode: createRecordDecoder(),
      },
    );
    consumers.add(created);
    const forget = () => {
      consumers.delete(created);
    };
    created.ended.then(forget, forget);
    return created;
  }

  async function stop(deadlineMs: number): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    const leftMs = (): number => Math.max(0, endMs - performance.now());
    await Promise.all([...consumers].map((one) => one.stop(leftMs())));
    stopped = new SpanwardenError('STOPPED', 'the log is stopped');
    if (producer) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, leftMs());
      });
      await Promise.race([producer.drained(), late]);
      clearTimeout(timer);
      producer.close(stopped);
    }
    cluster.stop();
    ready.reject(stopped);
  }

  return {
    start() {
      starting ??= begin();
      return starting;
    },
    async ensureTopic(topic, options) {
      await reached();
      const info = await topics.ensure(nameOf(topic), options);
      partitionCounts.set(topic, info.leaders.length);
      wanted.set(topic, options);
    },
    partitions: countPartitions,
    async produce(topic, records) {
      if (stopped) throw stopped;
      if (records.length === 0) return;
      const count = partitionCounts.get(topic) ?? (await countPartitions(topic));
      if (!producer || stopped) throw stopped ?? new SpanwardenError('LOG_UNAVAILABLE', 'the log is not started');
      await append(topic, records, count);
    },
    consumer,
    async offsets(topic) {
      const count = await countPartitions(topic);
      const partitions = Array.from({ length: count }, (_, p) => p);
      const deadlineMs = performance.now() + kafka.requestTimeoutMs;
      const [earliest, latest] = await Promise.all([
        allOffsets(cluster, nameOf(topic), partitions, EARLIEST, deadlineMs),
        allOffsets(cluster, nameOf(topic), partitions, LATEST, deadlineMs),
      ]);
      return { earliest: partitions.map((p) => earliest.get(p)!), latest: partitions.map((p) => latest.get(p)!) };
    },
    async read(topic, partition, offset, maxRecords) {
      const library = await reached();
      return readPartition(
        { topic: nameOf(topic), partition, offset, maxRecords, requestTimeoutMs: kafka.requestTimeoutMs },
        { cluster, library },
        createRecordDecoder(),
      );
    },
    stop(deadlineMs) {
      stopping ??= stop(deadlineMs);
      return stopping;
    },
  };
}
