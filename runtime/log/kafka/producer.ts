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
import { createBufferPool } from './buffer-pool.ts';
import type { Cluster } from './cluster.ts';
import { type Compressor, createCompressor } from './compression.ts';
import { KafkaError } from './failures.ts';
import { type GatheredRequest, sendGathered } from './gathered-write.ts';
import type { Library } from './library.ts';
import { BATCH_HEAD_BYTES, recordBound, writeBatchHead, writeProducer, writeRecords } from './record-batch.ts';

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
  readonly queuedBytes: number;
  drained(): Promise<void>;
  /** Rejects all that waits. */
  close(error: unknown): void;
}

/** Broker ids of a sequence of batches: the broker drops what it has seen before. */
interface Identity {
  readonly id: bigint;
  readonly epoch: number;
}

interface AppendCall {
  /** Records not acknowledged yet. */
  left: number;
  failed: boolean;
  readonly bytes: number;
  readonly deadlineMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

interface Batch {
  readonly partition: PartitionQueue;
  readonly records: readonly NewRecord[];
  readonly calls: readonly AppendCall[];
  readonly bytes: Buffer;
  identity: Identity;
}

interface PartitionQueue {
  readonly topic: TopicQueue;
  readonly partition: number;
  records: NewRecord[];
  calls: AppendCall[];
  /** Those before it are taken. */
  head: number;
  /** A batch that is encoded: under way, or to be sent again. */
  batch: Batch | undefined;
  sending: boolean;
  identity: Identity | undefined;
  sequence: number;
}

interface Rest {
  attempt: number;
  timer: NodeJS.Timeout | undefined;
}

interface TopicQueue {
  readonly topic: TopicName;
  readonly name: string;
  readonly partitions: PartitionQueue[];
  /** Nodes with a request under way. */
  readonly busy: Set<number>;
  /** Batches stop here; smaller after the broker found one too large. */
  batchBytes: number;
  /** Nodes that failed (NOBODY: partitions without a leader), until they are asked again. */
  readonly resting: Map<number, Rest>;
  scheduled: boolean;
  turn: number;
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
const POOL_BYTES = 32 * 1_048_576;
const MAX_RECORDS = 20_000;
const EXPIRY_MS = 250;

const identityErrors: ReadonlySet<number> = new Set([
  KafkaError.outOfOrderSequence,
  KafkaError.invalidProducerEpoch,
  KafkaError.unknownProducer,
]);

export function createProducer(config: ProducerConfig, deps: ProducerDeps): Producer {
  const { cluster, library, meters, logger } = deps;
  const { kafka } = config;
  const compressor: Compressor = createCompressor(kafka.compression, library);
  const topics = new Map<TopicName, TopicQueue>();
  const pool = createBufferPool(POOL_BYTES);
  let queuedBytes = 0;
  let closed: unknown;
  let fresh: Promise<Identity> | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let quiet: (() => void)[] = [];
  /** Encoding happens here when the result is compressed, that is, copied. */
  let scratch = Buffer.allocUnsafe(0);

  function queueOf(topic: TopicName, name: string): TopicQueue {
    let queue = topics.get(topic);
    if (!queue) {
      queue = {
        topic,
        name,
        partitions: [],
        busy: new Set(),
        batchBytes: BATCH_BYTES,
        resting: new Map(),
        scheduled: false,
        turn: 0,
      };
      topics.set(topic, queue);
    }
    return queue;
  }

  function partitionOf(queue: TopicQueue, partition: number): PartitionQueue {
    let own = queue.partitions[partition];
    if (!own) {
      for (let p = queue.partitions.length; p <= partition; p++)
        queue.partitions.push({
          topic: queue,
          partition: p,
          records: [],
          calls: [],
          head: 0,
          batch: undefined,
          sending: false,
          identity: undefined,
          sequence: 0,
        });
      own = queue.partitions[partition]!;
    }
    return own;
  }

  // ——— ends of calls ———

  function settled(call: AppendCall): void {
    queuedBytes -= call.bytes;
    if (queuedBytes > 0) return;
    clearInterval(expiry);
    expiry = undefined;
    const resolves = quiet;
    quiet = [];
    for (const resolve of resolves) resolve();
  }

  function fail(call: AppendCall, error: unknown): void {
    if (call.failed) return;
    call.failed = true;
    settled(call);
    call.reject(error);
  }

  function acknowledge(batch: Batch): void {
    for (const call of batch.calls) {
      if (--call.left > 0 || call.failed) continue;
      settled(call);
      call.resolve();
    }
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
        if (own.batch && !own.sending && own.batch.calls[0]!.deadlineMs <= nowMs) give(own, own.batch, error);
        while (own.head < own.calls.length && own.calls[own.head]!.deadlineMs <= nowMs)
          fail(own.calls[own.head++]!, error);
        if (own.head === own.calls.length) empty(own);
      }
  }

  /** Gives a batch up. Nobody knows whether it was written, so its sequence numbers must not be used again. */
  function give(own: PartitionQueue, batch: Batch, error: unknown): void {
    own.batch = undefined;
    own.identity = undefined;
    fresh = undefined;
    for (const call of batch.calls) fail(call, error);
  }

  // ——— batches ———

  function empty(own: PartitionQueue): void {
    own.records = [];
    own.calls = [];
    own.head = 0;
  }

  function identity(): Promise<Identity> {
    fresh ??= cluster
      .anywhere((connection, { initProducerIdV1 }) => initProducerIdV1.api.async(connection, null, 60_000))
      .then((answer) => {
        if (answer.errorCode === KafkaError.clusterAuthorizationFailed)
          throw new SpanwardenError(
            'LOG_UNAVAILABLE',
            `Kafka does not let ${kafka.sasl.username || 'anonymous clients'} write: the ACL needs IdempotentWrite on the cluster`,
          );
        if (answer.errorCode !== 0)
          throw new SpanwardenError('LOG_UNAVAILABLE', `Kafka gives no producer id (error ${answer.errorCode})`);
        return { id: answer.producerId, epoch: answer.producerEpoch };
      });
    const pending = fresh;
    pending.catch(() => {
      if (fresh === pending) fresh = undefined;
    });
    return pending;
  }

  /** Takes records off the queue, as many as make a batch, and encodes them. */
  function encode(own: PartitionQueue, current: Identity): Batch | undefined {
    const { records, calls, topic } = own;
    while (own.head < calls.length && calls[own.head]!.failed) own.head++;
    const from = own.head;
    let until = from;
    let bound = BATCH_HEAD_BYTES;
    let skips = false;
    while (until < records.length && until - from < MAX_RECORDS) {
      const size = recordBound(records[until]!);
      if (until > from && bound + size > topic.batchBytes) break;
      bound += size;
      if (calls[until]!.failed) skips = true;
      until++;
    }
    if (until === from) {
      empty(own);
      return undefined;
    }
    let taken = records.slice(from, until);
    let takenCalls = calls.slice(from, until);
    if (skips) {
      taken = taken.filter((_, i) => !takenCalls[i]!.failed);
      takenCalls = takenCalls.filter((call) => !call.failed);
    }
    own.head = until;
    if (until === records.length) empty(own);
    else if (own.head > 4_096 && own.head * 2 > records.length) {
      own.records = records.slice(own.head);
      own.calls = calls.slice(own.head);
      own.head = 0;
    }
    if (own.identity === undefined) {
      own.identity = current;
      own.sequence = 0;
    }
    const bytes = encodeBatch(taken, bound);
    const batch: Batch = { partition: own, records: taken, calls: takenCalls, bytes, identity: own.identity };
    writeBatchHead(
      bytes,
      {
        count: taken.length,
        timestampMs: Date.now(),
        compression: compressor.bits,
        producerId: own.identity.id,
        producerEpoch: own.identity.epoch,
        sequence: own.sequence,
      },
      library.crc32c,
    );
    return batch;
  }

  function encodeBatch(records: readonly NewRecord[], bound: number): Buffer {
    if (compressor.bits === 0) {
      const bytes = pool.take(bound);
      return bytes.subarray(0, writeRecords(bytes, BATCH_HEAD_BYTES, records, 0, records.length));
    }
    let plain = scratch;
    if (plain.length < bound) {
      plain = Buffer.allocUnsafe(Math.max(bound, 2 * BATCH_BYTES));
      if (plain.length <= 4 * BATCH_BYTES) scratch = plain;
    }
    const compressed = compressor.compress(plain.subarray(0, writeRecords(plain, 0, records, 0, records.length)));
    const bytes = pool.take(BATCH_HEAD_BYTES + compressed.length);
    bytes.set(compressed, BATCH_HEAD_BYTES);
    return bytes;
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

  const waits = (own: PartitionQueue): boolean =>
    !own.sending && (own.batch !== undefined || own.head < own.records.length);

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
      const current = ready.some(({ identity: own }) => own === undefined) ? await identity() : undefined;
      let bytes = 0;
      // another partition begins each time, so that none waits for ever behind the bound of the request
      const first = topic.turn++;
      for (let i = 0; i < ready.length && bytes < REQUEST_BYTES; i++) {
        const own = ready[(first + i) % ready.length]!;
        own.batch ??= encode(own, own.identity ?? current!);
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
      pool.give(batch.bytes);
      own.sequence = (own.sequence + batch.records.length) & 0x7fffffff;
      acknowledge(batch);
      return false;
    }
    if (code === KafkaError.messageTooLarge || code === KafkaError.recordListTooLarge) {
      tooLarge(topic, own, batch);
      return false;
    }
    if (code === KafkaError.topicAuthorizationFailed) {
      give(
        own,
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
    if (fresh && (await fresh.catch(() => undefined)) === batch.identity) fresh = undefined;
    const next = await identity();
    if (own.batch !== batch) return;
    own.identity = next;
    own.sequence = 0;
    batch.identity = next;
    writeProducer(batch.bytes, { producerId: next.id, producerEpoch: next.epoch, sequence: 0 }, library.crc32c);
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
      fail(
        batch.calls[0]!,
        new SpanwardenError(
          'RECORD_TOO_LARGE',
          `a record of ${record.value.length} bytes is larger than topic ${topic.name} takes (max.message.bytes)`,
        ),
      );
      return;
    }
    topic.batchBytes = Math.max(1_024, Math.floor(batch.bytes.length / 2));
    own.records = [...batch.records, ...own.records.slice(own.head)];
    own.calls = [...batch.calls, ...own.calls.slice(own.head)];
    own.head = 0;
  }

  return {
    append(topic, name, records, partitions, bound) {
      if (closed) return Promise.reject(closed);
      // one call larger than the whole queue is taken when nothing waits: it could never be taken otherwise
      if (queuedBytes > 0 && queuedBytes + bound > config.queueBytes)
        return Promise.reject(
          new SpanwardenError('LOG_FULL', `${queuedBytes} bytes already wait for Kafka (log.queueBytes)`),
        );
      queuedBytes += bound;
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
    get queuedBytes() {
      return queuedBytes;
    },
    drained() {
      if (queuedBytes === 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      quiet.push(resolve);
      return promise;
    },
    close(error) {
      closed = error;
      clearInterval(expiry);
      for (const topic of topics.values()) {
        for (const { timer } of topic.resting.values()) clearTimeout(timer);
        for (const own of topic.partitions) {
          for (const call of own.batch?.calls ?? []) fail(call, error);
          for (let i = own.head; i < own.calls.length; i++) fail(own.calls[i]!, error);
          empty(own);
        }
      }
    },
  };
}
