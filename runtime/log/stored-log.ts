/** The log port over a store on this machine: partitions, group commit, local wake-ups, metrics. */
import { randomUUID } from 'node:crypto';
import type { TopicName } from '../../schemas/log/topics.ts';
import { SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { LogClock } from './clock.ts';
import { createStoreConsumer } from './consumer.ts';
import { decodeFrame, MAX_KEY_BYTES } from './frame.ts';
import { createLane, type Lane } from './lane.ts';
import { counted, createLogMetrics } from './metrics.ts';
import { partitionOf } from './partitioner.ts';
import type { Consumer, ConsumerOptions, Log, LogRecord, NewRecord, TopicOffsets } from './port.ts';
import type { LogStore, WriteOp, WriteResult } from './store.ts';

export interface StoredLogConfig {
  readonly queueBytes: number;
  readonly leaseMs: number;
  readonly pollMs: number;
}

export interface StoredLogDeps {
  readonly store: LogStore;
  readonly clock: LogClock;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Reads outside a group ask for at most this much at a time. */
const READ_BYTES = 1_048_576;

export interface StoredLog extends Log {
  /** As a killed process: every call from now on is refused, no handler is called again, leases are not released. */
  crash(): void;
}

export function createStoredLog(config: StoredLogConfig, deps: StoredLogDeps): StoredLog {
  const { store, clock, logger } = deps;
  const meters = createLogMetrics(deps.metrics);
  const lanes = new Map<string, Lane>();
  const partitionCounts = new Map<TopicName, number>();
  const watchers = new Map<TopicName, Set<() => void>>();
  const consumers = new Set<Consumer>();
  let stopped: SpanwardenError | undefined;
  let stopping: Promise<void> | undefined;
  let crashed = false;

  /** After a crash nothing comes back to whoever waits: as from a process that is gone. */
  const unlessCrashed = <T>(value: T): T | Promise<T> => (crashed ? new Promise<T>(() => {}) : value);

  const wakeWatchers = (topic: TopicName) => {
    for (const wake of watchers.get(topic) ?? []) wake();
  };

  function laneOf(topic: TopicName): Lane {
    const name = store.laneOf(topic);
    let lane = lanes.get(name);
    if (!lane) {
      lane = createLane(config, {
        async write(ops) {
          const startMs = clock.now();
          const results = await store.write(name, ops);
          meters?.commit.add((clock.now() - startMs) / 1_000, { lane: name });
          return results;
        },
        appended: (written) => wakeWatchers(written),
      });
      lanes.set(name, lane);
    }
    return lane;
  }

  const refuse = (): SpanwardenError => stopped ?? new SpanwardenError('STOPPED', 'the log is stopped');

  async function submit(topic: TopicName, op: WriteOp): Promise<WriteResult> {
    if (stopped) throw refuse();
    return unlessCrashed(await laneOf(topic).submit(op));
  }

  async function offsetsOf(topic: TopicName): Promise<TopicOffsets> {
    if (stopped) throw refuse();
    const offsets = await unlessCrashed(await store.offsets(topic));
    if (!offsets) throw new SpanwardenError('LOG_UNAVAILABLE', `topic ${topic} does not exist yet`);
    return offsets;
  }

  async function countPartitions(topic: TopicName): Promise<number> {
    const known = partitionCounts.get(topic);
    if (known !== undefined) return known;
    const { latest } = await offsetsOf(topic);
    partitionCounts.set(topic, latest.length);
    return latest.length;
  }

  function append(topic: TopicName, records: readonly NewRecord[], count: number): Promise<void> {
    const partitions = new Int32Array(records.length);
    let bytes = 0;
    for (let i = 0; i < records.length; i++) {
      const { key, value, partition = partitionOf(key, count) } = records[i]!;
      if (partition < 0 || partition >= count || !Number.isInteger(partition))
        throw new RangeError(`topic ${topic} has no partition ${partition}`);
      if (3 * key.length > MAX_KEY_BYTES) throw new RangeError('a key is longer than 21,845 characters');
      partitions[i] = partition;
      bytes += value.length;
    }
    const durable = laneOf(topic).append(topic, records, partitions);
    return meters === undefined ? durable : counted(meters, topic, records.length, bytes, durable);
  }

  function consumer(options: ConsumerOptions): Consumer {
    if (stopped) throw refuse();
    const { topic } = options;
    const guarded = crashable(options.handler);
    const created = createStoreConsumer(
      config,
      {
        store: {
          ...store,
          offsets: async (name) => unlessCrashed(await store.offsets(name)),
          read: async (...args) => unlessCrashed(await store.read(...args)),
        },
        clock,
        member: randomUUID(),
        logger,
        submit: (op) => submit(topic, op),
        watch(wake) {
          let own = watchers.get(topic);
          if (!own) {
            own = new Set();
            watchers.set(topic, own);
          }
          own.add(wake);
          return () => {
            own.delete(wake);
          };
        },
        released: () => wakeWatchers(topic),
        skipped: (_partition, records) => meters?.skipped.add(records, { topic }),
        showLag: (lags) => meters?.lag(topic, options.group, lags) ?? (() => {}),
      },
      { ...options, handler: guarded },
    );
    consumers.add(created);
    const forget = () => {
      consumers.delete(created);
    };
    created.ended.then(forget, forget);
    return created;
  }

  /** A handler that a crash cuts off: what it was doing never ends. */
  function crashable(handler: ConsumerOptions['handler']): ConsumerOptions['handler'] {
    return {
      assigned: async (assignment) => unlessCrashed(await handler.assigned(assignment)),
      revoked: (partition) => {
        if (!crashed) handler.revoked(partition);
      },
      batch: async (partition, records) => unlessCrashed(await handler.batch(partition, records)),
      idle: async (partition, nowMs) => unlessCrashed(await handler.idle(partition, nowMs)),
    };
  }

  return {
    start: () => store.start(),
    async ensureTopic(topic, options) {
      const result = await submit(topic, {
        type: 'topic',
        topic,
        partitions: options.partitions,
        retentionMs: options.retentionMs,
        retentionBytes: options.retentionBytes ?? 0,
      });
      if (result.type !== 'topic') throw new SpanwardenError('LOG_UNAVAILABLE', `cannot create topic ${topic}`);
      if (result.partitions !== options.partitions)
        throw new SpanwardenError(
          'SCHEMA_MISMATCH',
          `topic ${topic} has ${result.partitions} partitions, not ${options.partitions}; they are fixed when it is created`,
        );
      partitionCounts.set(topic, result.partitions);
      wakeWatchers(topic);
    },
    partitions: countPartitions,
    async produce(topic, records) {
      if (stopped) throw refuse();
      if (records.length === 0) return;
      const count = partitionCounts.get(topic) ?? (await countPartitions(topic));
      await append(topic, records, count);
      await unlessCrashed(undefined);
    },
    consumer,
    offsets: offsetsOf,
    async read(topic, partition, offset, maxRecords) {
      if (stopped) throw refuse();
      const out: LogRecord[] = [];
      let next = offset;
      while (out.length < maxRecords) {
        // a frame at least: few records need not cost a megabyte
        const maxBytes = Math.min(READ_BYTES, (maxRecords - out.length) * 1_024);
        const frames = await unlessCrashed(await store.read(topic, partition, next, maxBytes));
        const before = out.length;
        for (const frame of frames) decodeFrame(frame, partition, next, out);
        if (out.length === before) break;
        next = out.at(-1)!.offset + 1;
      }
      return out.length > maxRecords ? out.slice(0, maxRecords) : out;
    },
    stop(deadlineMs) {
      stopping ??= (async () => {
        if (crashed) return;
        await Promise.all([...consumers].map((one) => one.stop(deadlineMs)));
        stopped = new SpanwardenError('STOPPED', 'the log is stopped');
        const drained = Promise.all([...lanes.values()].map((lane) => lane.drained()));
        const deadline = clock.timeout(deadlineMs);
        await Promise.race([drained, deadline.over]);
        deadline.wake();
        for (const lane of lanes.values()) lane.close(stopped);
        await store.stop();
      })();
      return stopping;
    },
    crash() {
      crashed = true;
      stopped = new SpanwardenError('STOPPED', 'the process is gone');
      for (const lane of lanes.values()) lane.close(stopped);
    },
  };
}
