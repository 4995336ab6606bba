/**
 * Writes records: idempotent, acknowledged by all replicas in sync. Calls under way at the same time share batches. One
 * batch of a partition is under way at a time, so that order holds through every repetition.
 */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import type { TopicName } from '../../../schemas/log/topics.ts';
import { SpanwardenError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LogMetrics } from '../metrics.ts';
import type { NewRecord } from '../port.ts';
import { backoffMs } from './backoff.ts';
import { createBatchEncoder } from './batch-encoder.ts';
import type { Cluster } from './cluster.ts';
import { KafkaError } from './failures.ts';
import { type GatheredRequest, sendGathered } from './gathered-write.ts';
import type { Library } from './library.ts';
import { createProducerIds, type ProducerId } from './producer-id.ts';
import {
  type AppendCall,
  type Batch,
  createTopicQueue,
  createWaiting,
  empty,
  type PartitionQueue,
  partitionOf,
  putBack,
  type TopicQueue,
  takeBatch,
  waits,
} from './producer-queue.ts';

export interface ProducerConfig {
  readonly kafka: KafkaConfig;
  readonly queueBytes: number;
}

export interface ProducerDeps {
  readonly cluster: Cluster;
  readonly library: Library;
  readonly meters: LogMetrics | undefined;
  readonly logger: Logger | undefined;
  /** A topic of ours is gone: makes it again when we made it. */
  heal(topic: TopicName): Promise<void>;
}

export interface Producer {
  /** `partitions[i]` is the partition of record i; `bound` the sum of their sizes in batches. */
  append(
    topic: TopicName,
    name: string,
    records: readonly NewRecord[],
    partitions: Int32Array,
    bound: number,
  ): Promise<void>;
  drained(): Promise<void>;
  /** Rejects all that waits. */
  close(error: unknown): void;
}

interface Outcome {
  /** Something must be sent again. */
  readonly again: boolean;
  /** Batches whose producer the broker does not know. */
  readonly forgotten: readonly Batch[];
}

const PRODUCE = 0;
const PRODUCE_VERSION = 7;
/** "Node" of partitions without a leader. */
const NOBODY = -1;
/** Kafka's own default of `max.message.bytes` is 1,048,588: a batch of ours fits everywhere. */
const BATCH_BYTES = 1_000_000;
/** Batches of several partitions share a request up to this. */
const REQUEST_BYTES = 8 * 1_048_576;
const EXPIRY_MS = 250;

const identityErrors: ReadonlySet<number> = new Set([
  KafkaError.outOfOrderSequence,
  KafkaError.invalidProducerEpoch,
  KafkaError.unknownProducer,
]);

export function createProducer(config: ProducerConfig, deps: ProducerDeps): Producer {
  const { cluster, library, meters, logger } = deps;
  const { kafka } = config;
  const encoder = createBatchEncoder(kafka.compression, library);
  const ids = createProducerIds(kafka, cluster);
  const topics = new Map<TopicName, TopicQueue>();
  let closed: unknown;
  let expiry: NodeJS.Timeout | undefined;
  const waiting = createWaiting(config.queueBytes, () => {
    clearInterval(expiry);
    expiry = undefined;
  });

  function queueOf(topic: TopicName, name: string): TopicQueue {
    let queue = topics.get(topic);
    if (!queue) {
      queue = createTopicQueue(topic, name, BATCH_BYTES);
      topics.set(topic, queue);
    }
    return queue;
  }

  /** Calls that waited too long are refused, wherever their records are; what is under way ends by itself. */
  function expire(): void {
    const nowMs = performance.now();
    const error = new SpanwardenError(
      'LOG_UNAVAILABLE',
      `Kafka did not take records within ${kafka.requestTimeoutMs} ms (kafka.requestTimeoutMs)`,
    );
    for (const topic of topics.values())
      for (const own of topic.partitions) {
        if (own.batch && !own.sending && own.batch.calls[0]!.deadlineMs <= nowMs) giveUp(own.batch, error);
        while (own.head < own.calls.length && own.calls[own.head]!.deadlineMs <= nowMs)
          waiting.fail(own.calls[own.head++]!, error);
        if (own.head === own.calls.length) empty(own);
      }
  }

  /** Nobody knows whether it was written, so its sequence numbers must not be used for anything else. */
  function giveUp(batch: Batch, error: unknown): void {
    const own = batch.partition;
    own.batch = undefined;
    own.burnt = own.producer;
    own.producer = undefined;
    ids.retire(batch.producer);
    for (const call of batch.calls) waiting.fail(call, error);
  }

  /** The next batch of a partition; undefined when there is none, or not yet. */
  function encode(own: PartitionQueue, present: ProducerId | undefined): Batch | undefined {
    if (own.producer === undefined) {
      if (present === undefined || present === own.burnt) return undefined;
      own.producer = present;
      own.sequence = 0;
    }
    const taken = takeBatch(own);
    if (!taken) return undefined;
    const { records, calls, bound } = taken;
    const { producer } = own;
    return { partition: own, records, calls, producer, bytes: encoder.encode(records, bound, producer, own.sequence) };
  }

  // ——— sending ———

  function schedule(topic: TopicQueue): void {
    if (topic.scheduled || closed) return;
    topic.scheduled = true;
    // after the I/O of this turn: calls that came with it share a request
    setImmediate(() => {
      topic.scheduled = false;
      pump(topic);
    });
  }

  function rest(topic: TopicQueue, node: number): void {
    if (closed) return;
    const own = topic.resting.get(node) ?? { attempt: 0, timer: undefined };
    if (own.timer) return;
    topic.resting.set(node, own);
    own.attempt++;
    own.timer = setTimeout(() => {
      own.timer = undefined;
      pump(topic);
    }, backoffMs(own.attempt));
  }

  /** Sends one request to each node that leads partitions with something to send and has none under way. */
  function pump(topic: TopicQueue): void {
    if (closed) return;
    const leaders = cluster.topic(topic.name)?.leaders ?? [];
    const byNode = new Map<number, PartitionQueue[]>();
    for (const own of topic.partitions) {
      if (!waits(own)) continue;
      const node = leaders[own.partition] ?? NOBODY;
      if (topic.busy.has(node) || topic.resting.get(node)?.timer) continue;
      const others = byNode.get(node);
      if (others) others.push(own);
      else byNode.set(node, [own]);
    }
    for (const [node, ready] of byNode) {
      if (node === NOBODY) void seek(topic).then(() => rest(topic, node));
      else void send(topic, node, ready);
    }
  }

  /** Somebody else leads now, or the topic is gone. */
  async function seek(topic: TopicQueue): Promise<void> {
    try {
      if ((await cluster.refresh(topic.name)) === null) await deps.heal(topic.topic);
    } catch {
      // the cluster tells what is wrong with it; we try again
    }
  }

  async function send(topic: TopicQueue, node: number, ready: readonly PartitionQueue[]): Promise<void> {
    topic.busy.add(node);
    const sent: Batch[] = [];
    let outcome: Outcome = { again: true, forgotten: [] };
    try {
      const present = ready.some(({ producer }) => producer === undefined) ? await ids.current() : undefined;
      let bytes = 0;
      // another partition begins each time, so that none waits for ever behind the bound of the request
      const first = topic.turn++;
      for (let i = 0; i < ready.length && bytes < REQUEST_BYTES; i++) {
        const own = ready[(first + i) % ready.length]!;
        own.batch ??= encode(own, present);
        if (!own.batch) continue;
        own.sending = true;
        bytes += own.batch.bytes.length;
        sent.push(own.batch);
      }
      outcome = sent.length === 0 ? { again: false, forgotten: [] } : await exchange(topic, node, sent);
      for (const batch of outcome.forgotten) await renew(batch);
    } catch (error) {
      outcome = { again: true, forgotten: [] };
      if (!(error instanceof SpanwardenError)) logger?.error({ err: error }, 'cannot produce');
    } finally {
      for (const { partition } of sent) partition.sending = false;
    }
    if (outcome.again) {
      await seek(topic);
      rest(topic, node);
    } else topic.resting.delete(node);
    topic.busy.delete(node);
    pump(topic);
  }

  async function exchange(topic: TopicQueue, node: number, sent: readonly Batch[]): Promise<Outcome> {
    const startedAt = performance.now();
    const answer = await cluster.request(node, `produce ${topic.topic}`, (connection) =>
      sendGathered(connection, library, produceRequest(topic, sent), library.produceV7.parseResponse),
    );
    const codes = new Map(answer.responses[0]?.partitionResponses.map(({ index, errorCode }) => [index, errorCode]));
    const forgotten: Batch[] = [];
    let again = false;
    for (const batch of sent) {
      const code = codes.get(batch.partition.partition);
      if (code !== undefined && identityErrors.has(code)) forgotten.push(batch);
      else again = finish(topic, batch, code) || again;
    }
    meters?.commit.add((performance.now() - startedAt) / 1_000, { lane: topic.topic });
    return { again: again || forgotten.length > 0, forgotten };
  }

  function produceRequest(topic: TopicQueue, sent: readonly Batch[]): GatheredRequest {
    const small = sent.map(({ partition, bytes }, i) => {
      const writer = library.Writer.create();
      if (i === 0)
        writer
          .appendString(null, false) // no transaction
          .appendInt16(-1) // all replicas in sync
          .appendInt32(kafka.requestTimeoutMs)
          .appendInt32(1)
          .appendString(topic.name, false)
          .appendInt32(sent.length);
      return writer.appendInt32(partition.partition).appendInt32(bytes.length).buffer;
    });
    return { apiKey: PRODUCE, apiVersion: PRODUCE_VERSION, small, large: sent.map(({ bytes }) => bytes) };
  }

  /** True when the batch must be sent again. */
  function finish(topic: TopicQueue, batch: Batch, code: number | undefined): boolean {
    const own = batch.partition;
    if (code === KafkaError.none || code === KafkaError.duplicateSequence) {
      own.batch = undefined;
      encoder.release(batch.bytes);
      own.sequence = (own.sequence + batch.records.length) & 0x7fffffff;
      waiting.acknowledge(batch);
      return false;
    }
    if (code === KafkaError.messageTooLarge || code === KafkaError.recordListTooLarge) {
      tooLarge(topic, own, batch);
      return false;
    }
    if (code === KafkaError.topicAuthorizationFailed) {
      giveUp(
        batch,
        new SpanwardenError(
          'LOG_UNAVAILABLE',
          `Kafka does not let ${kafka.sasl.username || 'anonymous clients'} write to topic ${topic.name}: its ACL needs Write`,
        ),
      );
      return true;
    }
    return true;
  }

  /** The broker has forgotten the producer, or the topic is a new one: the batch is numbered anew. */
  async function renew(batch: Batch): Promise<void> {
    const own = batch.partition;
    ids.retire(batch.producer);
    const next = await ids.current();
    if (own.batch !== batch) return;
    own.producer = next;
    own.sequence = 0;
    batch.producer = next;
    encoder.renumber(batch.bytes, next, 0);
  }

  /** Several records: smaller batches from now on. One: it cannot be kept at all. */
  function tooLarge(topic: TopicQueue, own: PartitionQueue, batch: Batch): void {
    own.batch = undefined;
    if (batch.records.length === 1) {
      const record = batch.records[0]!;
      logger?.error(
        { topic: topic.name, bytes: record.value.length },
        'a record is larger than the topic takes and was refused: raise its max.message.bytes, or lower collector.maxRecordBytes',
      );
      waiting.fail(
        batch.calls[0]!,
        new SpanwardenError(
          'RECORD_TOO_LARGE',
          `a record of ${record.value.length} bytes is larger than topic ${topic.name} takes (max.message.bytes)`,
        ),
      );
      return;
    }
    topic.batchBytes = Math.max(1_024, Math.floor(batch.bytes.length / 2));
    putBack(own, batch);
  }

  return {
    append(topic, name, records, partitions, bound) {
      if (closed) return Promise.reject(closed);
      try {
        waiting.admit(bound);
      } catch (error) {
        return Promise.reject(error);
      }
      const queue = queueOf(topic, name);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const call: AppendCall = {
        left: records.length,
        failed: false,
        bytes: bound,
        deadlineMs: performance.now() + kafka.requestTimeoutMs,
        resolve,
        reject,
      };
      for (let i = 0; i < records.length; i++) {
        const own = partitionOf(queue, partitions[i]!);
        own.records.push(records[i]!);
        own.calls.push(call);
      }
      expiry ??= setInterval(expire, EXPIRY_MS);
      schedule(queue);
      return promise;
    },
    drained: waiting.drained,
    close(error) {
      closed = error;
      clearInterval(expiry);
      for (const topic of topics.values()) {
        for (const { timer } of topic.resting.values()) clearTimeout(timer);
        for (const own of topic.partitions) {
          for (const call of own.batch?.calls ?? []) waiting.fail(call, error);
          for (let i = own.head; i < own.calls.length; i++) waiting.fail(own.calls[i]!, error);
          empty(own);
        }
      }
    },
  };
}
