/**
 * The log port: everything that crosses a process boundary crosses it. Two logs stand behind it (the embedded one and
 * Kafka); nothing outside `runtime/log` knows which. A topic has partitions; a record has a place (partition, offset)
 * and the log-append time that the log gave it. Delivery is at least once; order holds inside a partition.
 */
import type { RecordKind, TopicName } from '../../schemas/log/topics.ts';

export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  /** Log-append time, milliseconds since the epoch, given by the log, never by a producer. Monotonic in a partition. */
  readonly appendMs: number;
  readonly kind: RecordKind;
  readonly key: string;
  /** Safe to keep: it is a copy or a slice of a buffer that nobody writes again. */
  readonly value: Uint8Array;
}

export interface NewRecord {
  readonly kind: RecordKind;
  /** Decides the partition (murmur2 of the UTF-8 bytes modulo partitions, as Java's client does), unless `partition` does. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly partition?: number;
}

/** A partition handed to this consumer; `generation` grows with every hand-over and fences stale commits. */
export interface Assignment {
  readonly partition: number;
  readonly generation: number;
  /** Offset of the next record after the last commit; the earliest offset when nothing was committed. */
  readonly committed: number;
}

export interface ConsumerHandler {
  /** A partition was handed over. The returned offset is where reading starts (default: `committed`). */
  assigned(assignment: Assignment): Promise<number | undefined>;
  /** It was taken away: synchronous, drop everything held for it. No commit for it will be taken any more. */
  revoked(partition: number): void;
  /** Records of one partition, in order. Resolved: the next batch may come. Rejected: the consumer fails. */
  batch(partition: number, records: readonly LogRecord[]): Promise<void>;
  /** Called at least every `idleMs` for an assigned partition that has nothing new to read. `nowMs` = wall clock. */
  idle(partition: number, nowMs: number): Promise<void>;
}

export interface ConsumerOptions {
  readonly topic: TopicName;
  readonly group: string;
  readonly handler: ConsumerHandler;
  /**
   * One member of the group has all partitions, the others stand by until it is gone. The embedded log always does so; on
   * Kafka members share the partitions unless this is set (it must be the same for all members of a group).
   */
  readonly exclusive?: boolean;
  /** Where a group without a commit starts. Default `earliest`. */
  readonly from?: 'earliest' | 'latest';
  readonly maxBatchRecords?: number;
  readonly maxBatchBytes?: number;
  readonly idleMs?: number;
}

export interface Consumer {
  /** Resolves once the group is joined (partitions may be assigned later). */
  start(): Promise<void>;
  /** Claims that everything below `offset` is durable. False when the generation is stale: nothing was committed. */
  commit(assignment: Pick<Assignment, 'partition' | 'generation'>, offset: number): Promise<boolean>;
  /**
   * Whether the log has confirmed within the session (Kafka) or lease (embedded log) that our partitions are ours. While it is
   * false another member may have them already: what only their owner may write must wait.
   */
  confirmed(): boolean;
  /** Reads on from `offset` at the next batch. */
  seek(partition: number, offset: number): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Records between the read position and the end, by assigned partition. */
  lag(): Promise<ReadonlyMap<number, number>>;
  stop(deadlineMs: number): Promise<void>;
  /** Settles when the consumer ended: resolved after stop(), rejected with what made it fail. */
  readonly ended: Promise<void>;
}

export interface TopicOptions {
  readonly partitions: number;
  /** Records older than this may be removed. */
  readonly retentionMs: number;
  /** The log may also remove the oldest records beyond this size; 0 = no bound. */
  readonly retentionBytes?: number;
}

export interface TopicOffsets {
  /** First offset still held, by partition. */
  readonly earliest: readonly number[];
  /** Offset the next record will get, by partition. */
  readonly latest: readonly number[];
}

export interface Log {
  start(): Promise<void>;
  /** Creates the topic when missing. Throws SCHEMA_MISMATCH when it exists with other partitions. */
  ensureTopic(topic: TopicName, options: TopicOptions): Promise<void>;
  partitions(topic: TopicName): Promise<number>;
  /**
   * Appends; resolves when all records are durable, with nothing acknowledged before. Rejects with LOG_UNAVAILABLE or
   * LOG_FULL (both retryable): then some of the records may have been written, none is claimed.
   */
  produce(topic: TopicName, records: readonly NewRecord[]): Promise<void>;
  consumer(options: ConsumerOptions): Consumer;
  offsets(topic: TopicName): Promise<TopicOffsets>;
  /** One bounded read outside any group: records from `offset` on, at most `maxRecords`; empty at the end. */
  read(topic: TopicName, partition: number, offset: number, maxRecords: number): Promise<LogRecord[]>;
  stop(deadlineMs: number): Promise<void>;
}
