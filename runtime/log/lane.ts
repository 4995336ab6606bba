/**
 * A lane: writes waiting for their transaction. One transaction is under way at a time; what comes meanwhile shares the
 * next one (group commit), and small appends to one partition share a frame. Bounded in bytes: LOG_FULL beyond.
 */
import type { TopicName } from '../../schemas/log/topics.ts';
import { SpanwardenError } from '../errors.ts';
import { encodeFrame, FRAME_BYTES, recordSize } from './frame.ts';
import type { NewRecord } from './port.ts';
import type { AppendOp, WriteOp, WriteResult } from './store.ts';

/** A transaction's appends stop here, so that one commit stays short. */
const TRANSACTION_BYTES = 8 * 1_048_576;

interface PendingAppend {
  readonly type: 'records';
  readonly topic: TopicName;
  readonly records: readonly NewRecord[];
  /** Partition of each record. */
  readonly partitions: Int32Array;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

interface PendingOp {
  readonly type: 'op';
  readonly op: WriteOp;
  resolve(result: WriteResult): void;
  reject(error: unknown): void;
}

export interface LaneConfig {
  readonly queueBytes: number;
}

export interface LaneDeps {
  write(ops: readonly WriteOp[]): Promise<WriteResult[]>;
  /** Told after every durable append: the partition's next offset. */
  appended(topic: TopicName, partition: number, end: number): void;
}

export interface Lane {
  append(topic: TopicName, records: readonly NewRecord[], partitions: Int32Array): Promise<void>;
  submit(op: WriteOp): Promise<WriteResult>;
  /** Bytes waiting or under way. */
  readonly queuedBytes: number;
  /** Resolves when nothing is waiting or under way. */
  drained(): Promise<void>;
  /** Rejects what waits and whatever comes with `error`; what is under way ends by itself. */
  close(error: unknown): void;
}

/** Records of one partition gathered from the pending appends of a transaction, in order. */
interface Gathered {
  readonly topic: TopicName;
  readonly partition: number;
  readonly records: NewRecord[];
}

function gather(appends: readonly PendingAppend[]): Gathered[] {
  const all: Gathered[] = [];
  const byTopic = new Map<TopicName, (Gathered | undefined)[]>();
  for (const { topic, records, partitions } of appends) {
    let own = byTopic.get(topic);
    if (!own) {
      own = [];
      byTopic.set(topic, own);
    }
    for (let i = 0; i < records.length; i++) {
      const partition = partitions[i]!;
      let gathered = own[partition];
      if (!gathered) {
        gathered = { topic, partition, records: [] };
        own[partition] = gathered;
        all.push(gathered);
      }
      gathered.records.push(records[i]!);
    }
  }
  return all;
}

/** Cuts gathered records into frames of at most FRAME_BYTES; a larger record stands alone. */
function framesOf({ topic, partition, records }: Gathered, out: AppendOp[]): void {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const size = recordSize(records[i]!);
    if (i > from && bytes + size > FRAME_BYTES) {
      out.push({ type: 'append', topic, partition, count: i - from, bytes: encodeFrame(records, from, i) });
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  out.push({
    type: 'append',
    topic,
    partition,
    count: records.length - from,
    bytes: encodeFrame(records, from, records.length),
  });
}

export function createLane(config: LaneConfig, deps: LaneDeps): Lane {
  let pending: (PendingAppend | PendingOp)[] = [];
  let queuedBytes = 0;
  let busy = false;
  let closed: unknown;
  let quiet: (() => void)[] = [];

  function take(): (PendingAppend | PendingOp)[] {
    let bytes = 0;
    let count = 0;
    while (count < pending.length) {
      const next = pending[count]!;
      if (next.type === 'records') {
        if (bytes > 0 && bytes + next.bytes > TRANSACTION_BYTES) break;
        bytes += next.bytes;
      }
      count++;
    }
    const taken = pending.slice(0, count);
    pending = pending.slice(count);
    return taken;
  }

  async function transact(taken: (PendingAppend | PendingOp)[]): Promise<void> {
    const appends = taken.filter((one) => one.type === 'records');
    const others = taken.filter((one) => one.type === 'op');
    try {
      const frames: AppendOp[] = [];
      for (const gathered of gather(appends)) framesOf(gathered, frames);
      const results = await deps.write([...frames, ...others.map(({ op }) => op)]);
      for (let i = 0; i < frames.length; i++) {
        const result = results[i]!;
        if (result.type === 'appended') deps.appended(frames[i]!.topic, frames[i]!.partition, result.end);
      }
      for (const one of appends) one.resolve();
      for (let i = 0; i < others.length; i++) others[i]!.resolve(results[frames.length + i]!);
    } catch (error) {
      for (const one of taken) one.reject(error);
    } finally {
      for (const one of appends) queuedBytes -= one.bytes;
    }
  }

  async function run(): Promise<void> {
    while (pending.length > 0) await transact(take());
    busy = false;
    const resolves = quiet;
    quiet = [];
    for (const resolve of resolves) resolve();
  }

  function wake(): void {
    if (busy) return;
    busy = true;
    // a microtask later: produce calls of the same turn share the transaction
    queueMicrotask(run);
  }

  return {
    append(topic, records, partitions) {
      if (closed) return Promise.reject(closed);
      let bytes = 0;
      for (let i = 0; i < records.length; i++) bytes += recordSize(records[i]!);
      // one call larger than the whole queue is taken when nothing waits: it could never be taken otherwise
      if (queuedBytes > 0 && queuedBytes + bytes > config.queueBytes)
        return Promise.reject(
          new SpanwardenError('LOG_FULL', `${queuedBytes} bytes already wait to be written (log.queueBytes)`),
        );
      queuedBytes += bytes;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      pending.push({ type: 'records', topic, records, partitions, bytes, resolve, reject });
      wake();
      return promise;
    },
    submit(op) {
      if (closed) return Promise.reject(closed);
      const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
      pending.push({ type: 'op', op, resolve, reject });
      wake();
      return promise;
    },
    get queuedBytes() {
      return queuedBytes;
    },
    drained() {
      if (!busy) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      quiet.push(resolve);
      return promise;
    },
    close(error) {
      closed = error;
      const rejected = pending;
      pending = [];
      for (const one of rejected) {
        if (one.type === 'records') queuedBytes -= one.bytes;
        one.reject(error);
      }
    },
  };
}
