/** Records on their way: by topic and partition, with the calls that wait for them. Bounded in bytes. */
import type { TopicName } from '../../../schemas/log/topics.ts';
import { SpanwardenError } from '../../errors.ts';
import type { NewRecord } from '../port.ts';
import type { ProducerId } from './producer-id.ts';
import { BATCH_HEAD_BYTES, recordBound } from './record-batch.ts';

export interface AppendCall {
  /** Records not acknowledged yet. */
  left: number;
  failed: boolean;
  readonly bytes: number;
  readonly deadlineMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

export interface Batch {
  readonly partition: PartitionQueue;
  readonly records: readonly NewRecord[];
  readonly calls: readonly AppendCall[];
  readonly bytes: Buffer;
  producer: ProducerId;
}

export interface PartitionQueue {
  readonly topic: TopicQueue;
  readonly partition: number;
  records: NewRecord[];
  calls: AppendCall[];
  /** Those before it are taken. */
  head: number;
  /** A batch that is encoded: under way, or to be sent again. */
  batch: Batch | undefined;
  sending: boolean;
  producer: ProducerId | undefined;
  /** Its numbers here may have been used: never again. */
  burnt: ProducerId | undefined;
  sequence: number;
}

export interface Rest {
  attempt: number;
  timer: NodeJS.Timeout | undefined;
}

export interface TopicQueue {
  readonly topic: TopicName;
  /** As the brokers know it. */
  readonly name: string;
  readonly partitions: PartitionQueue[];
  /** Nodes with a request under way. */
  readonly busy: Set<number>;
  /** Nodes that failed, until they are asked again. */
  readonly resting: Map<number, Rest>;
  /** Batches stop here; smaller after the broker found one too large. */
  batchBytes: number;
  scheduled: boolean;
  turn: number;
}

/** What makes one batch. */
export interface Taken {
  readonly records: readonly NewRecord[];
  readonly calls: readonly AppendCall[];
  /** Bytes that they take at most. */
  readonly bound: number;
}

const MAX_RECORDS = 20_000;
/** Taken records are forgotten in steps of this. */
const COMPACT = 4_096;

export const createTopicQueue = (topic: TopicName, name: string, batchBytes: number): TopicQueue => ({
  topic,
  name,
  partitions: [],
  busy: new Set(),
  resting: new Map(),
  batchBytes,
  scheduled: false,
  turn: 0,
});

export function partitionOf(topic: TopicQueue, partition: number): PartitionQueue {
  for (let p = topic.partitions.length; p <= partition; p++)
    topic.partitions.push({
      topic,
      partition: p,
      records: [],
      calls: [],
      head: 0,
      batch: undefined,
      sending: false,
      producer: undefined,
      burnt: undefined,
      sequence: 0,
    });
  return topic.partitions[partition]!;
}

export function empty(own: PartitionQueue): void {
  own.records = [];
  own.calls = [];
  own.head = 0;
}

export const waits = (own: PartitionQueue): boolean =>
  !own.sending && (own.batch !== undefined || own.head < own.records.length);

/** Takes records off the queue, as many as make a batch; those of calls that were refused are left out. */
export function takeBatch(own: PartitionQueue): Taken | undefined {
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
  else if (until > COMPACT && until * 2 > records.length) {
    own.records = records.slice(until);
    own.calls = calls.slice(until);
    own.head = 0;
  }
  return { records: taken, calls: takenCalls, bound };
}

/** Puts the records of a batch back, to be taken in smaller ones. */
export function putBack(own: PartitionQueue, { records, calls }: Batch): void {
  own.records = [...records, ...own.records.slice(own.head)];
  own.calls = [...calls, ...own.calls.slice(own.head)];
  own.head = 0;
}

/** Calls that wait, and the bytes they hold. */
export interface Waiting {
  /** Throws LOG_FULL when there is no room. */
  admit(bytes: number): void;
  fail(call: AppendCall, error: unknown): void;
  acknowledge(batch: Batch): void;
  readonly bytes: number;
  /** Resolves when nothing waits. */
  drained(): Promise<void>;
}

export function createWaiting(queueBytes: number, onEmpty: () => void): Waiting {
  let bytes = 0;
  let quiet: (() => void)[] = [];

  function settled(call: AppendCall): void {
    bytes -= call.bytes;
    if (bytes > 0) return;
    onEmpty();
    const resolves = quiet;
    quiet = [];
    for (const resolve of resolves) resolve();
  }

  return {
    admit(more) {
      // one call larger than the whole queue is taken when nothing waits: it could never be taken otherwise
      if (bytes > 0 && bytes + more > queueBytes)
        throw new SpanwardenError('LOG_FULL', `${bytes} bytes already wait for Kafka (log.queueBytes)`);
      bytes += more;
    },
    fail(call, error) {
      if (call.failed) return;
      call.failed = true;
      settled(call);
      call.reject(error);
    },
    acknowledge({ calls }) {
      for (const call of calls) {
        if (--call.left > 0 || call.failed) continue;
        settled(call);
        call.resolve();
      }
    },
    get bytes() {
      return bytes;
    },
    drained() {
      if (bytes === 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      quiet.push(resolve);
      return promise;
    },
  };
}
