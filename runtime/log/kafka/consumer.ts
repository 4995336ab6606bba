/**
 * A consumer on Kafka: a member of its group, a fetcher for the partitions it holds, and one loop that makes all calls of
 * the handler, so that they never overlap. The same for topics of ours and of others: `decode` makes the records.
 */
import { SpanwardenError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type Sleep, sleepFor } from '../clock.ts';
import type { LogMetrics } from '../metrics.ts';
import type { Assignment, Consumer } from '../port.ts';
import { backoffMs } from './backoff.ts';
import type { Cluster } from './cluster.ts';
import { createCoordinator } from './coordinator.ts';
import { KafkaError } from './failures.ts';
import { createFetcher, type Fetcher, MAX_WAIT_MS, type PartitionFeed } from './fetcher.ts';
import type { Library } from './library.ts';
import { createMembership, type Membership } from './membership.ts';
import { allOffsets, LATEST } from './offsets.ts';
import type { RawRecord } from './record-reader.ts';
import { startOffsets } from './start-offsets.ts';

export interface KafkaConsumerConfig {
  /** As the brokers know them. */
  readonly topic: string;
  readonly group: string;
  readonly exclusive: boolean;
  readonly from: 'earliest' | 'latest';
  readonly maxBatchRecords: number;
  readonly maxBatchBytes: number;
  readonly idleMs: number;
  readonly sessionTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

export interface KafkaHandler<R> {
  assigned(assignment: Assignment): Promise<number | undefined>;
  revoked(partition: number): void;
  batch(partition: number, records: readonly R[]): Promise<void>;
  idle?(partition: number, nowMs: number): Promise<void>;
  /** Makes a record that is safe to keep of one in place. Called once a record. */
  decode(partition: number, raw: RawRecord): R;
}

export interface KafkaConsumerDeps {
  readonly cluster: Cluster;
  /** Resolves when the cluster is reached. */
  readonly ready: Promise<Library>;
  readonly meters: LogMetrics | undefined;
  readonly logger: Logger | undefined;
  /** Topic name in metrics. */
  readonly topicLabel: string;
  readonly groupLabel: string;
  /** Makes the topic again when it is ours and gone. */
  heal(): Promise<void>;
}

interface Held {
  readonly partition: number;
  readonly generation: number;
  /** `new`: the handler knows nothing of it yet. `telling`: assigned() is under way. */
  phase: 'new' | 'telling' | 'live';
  /** Taken away while the handler was being told that it has it. */
  lost: boolean;
  feed: PartitionFeed | undefined;
  paused: boolean;
  /** Where a seek() that came before there was a feed wants to be. */
  sought: number | undefined;
  /** Highest append time handed over: a broker's clock may be behind its predecessor's. */
  appendMs: number;
  /** When the handler last heard of this partition. */
  heardMs: number;
}

/** Past this without word from the broker, a partition is not called idle. */
const DRY_FOR_MS = MAX_WAIT_MS + 500;
const LAG_MS = 2_000;

let lanes = 0;

export function createKafkaConsumer<R>(
  config: KafkaConsumerConfig,
  deps: KafkaConsumerDeps,
  handler: KafkaHandler<R>,
): Consumer {
  const { topic, group, maxBatchRecords, maxBatchBytes, idleMs } = config;
  const { cluster, logger, meters } = deps;
  const lane = `consumer ${++lanes}`;
  const ended = Promise.withResolvers<void>();
  // nobody has to look at `ended`: stop() and the logs tell the same
  ended.promise.catch(() => {});
  const held = new Map<number, Held>();
  const coordinator = createCoordinator(
    { group, topic, lane, sessionTimeoutMs: config.sessionTimeoutMs, requestTimeoutMs: config.requestTimeoutMs },
    cluster,
  );
  let membership: Membership | undefined;
  let fetcher: Fetcher | undefined;
  let started = false;
  let stopping = false;
  /** Set when the deadline of stop() passed: no further call of the handler. */
  let abandoned = false;
  let sleeping: Sleep | undefined;
  /** News came while the loop was busy: do not sleep on it. */
  let news = false;
  let failure: unknown;

  function wake(): void {
    news = true;
    sleeping?.wake();
  }

  async function sleep(ms: number): Promise<void> {
    if (!news && !stopping) {
      sleeping = sleepFor(ms);
      await sleeping.over;
      sleeping = undefined;
    }
    news = false;
  }

  // ——— what is ours ———

  /** All that is ours from now on. Synchronous: whoever holds something of a lost partition drops it here. */
  function share(generation: number, partitions: readonly number[]): void {
    const kept = new Set(partitions);
    for (const [partition, own] of held) if (!kept.has(partition)) drop(own);
    for (const partition of partitions) {
      if (held.has(partition)) continue;
      held.set(partition, {
        partition,
        generation,
        phase: 'new',
        lost: false,
        feed: undefined,
        paused: false,
        sought: undefined,
        appendMs: 0,
        heardMs: performance.now(),
      });
    }
    wake();
  }

  function drop(own: Held): void {
    held.delete(own.partition);
    fetcher?.remove(own.partition);
    own.lost = true;
    // assigned() under way would make again what revoked() dropped: it is told when that ended
    if (own.phase === 'live' && !abandoned) handler.revoked(own.partition);
  }

  const isHeld = (own: Held): boolean => held.get(own.partition) === own && !own.lost;

  // ——— beginning to read ———

  /** Tells the handler of partitions that are new, and begins to fetch them. */
  async function begin(fresh: readonly Held[]): Promise<void> {
    const starts = await startsOf(fresh.map(({ partition }) => partition));
    for (const own of fresh) {
      if (stopping || !isHeld(own)) continue;
      const { partition, generation } = own;
      const committed = starts.get(partition)!;
      own.phase = 'telling';
      const wanted = await handler.assigned({ partition, generation, committed });
      own.phase = 'live';
      if (own.lost || !isHeld(own)) {
        if (!abandoned) handler.revoked(partition);
        continue;
      }
      // a seek() inside assigned() is a start too, but what assigned() returns wins
      own.feed = fetcher!.add(partition, wanted ?? own.sought ?? committed);
      own.feed.paused = own.paused;
      own.heardMs = performance.now();
    }
    fetcher!.poll();
  }

  /** Where each partition is to be read from by its commit; waits until brokers tell. */
  async function startsOf(partitions: readonly number[]): Promise<Map<number, number>> {
    for (let attempt = 1; ; attempt++) {
      if (stopping) throw new SpanwardenError('STOPPED', 'the consumer is stopping');
      try {
        const starts = await startOffsets(config, partitions, {
          cluster,
          coordinator,
          logger,
          async settle(partition, offset) {
            const own = membership?.own;
            if (own) await coordinator.commit(own, partition, offset);
          },
        });
        if (starts) return starts;
      } catch (error) {
        if (cluster.stopped) throw error;
      }
      if (partitions.every((partition) => !held.has(partition))) return new Map();
      sleeping = sleepFor(backoffMs(attempt));
      await sleeping.over;
      sleeping = undefined;
    }
  }

  // ——— records ———

  function take(own: Held, feed: PartitionFeed): R[] {
    const { partition } = own;
    const { reader } = feed;
    const { record } = reader;
    const batch: R[] = [];
    let bytes = 0;
    while (batch.length < maxBatchRecords && reader.next()) {
      bytes += record.valueStart < 0 ? 0 : record.valueEnd - record.valueStart;
      if (batch.length > 0 && bytes > maxBatchBytes) {
        reader.putBack();
        break;
      }
      if (record.timestampMs < own.appendMs) record.timestampMs = own.appendMs;
      else own.appendMs = record.timestampMs;
      batch.push(handler.decode(partition, record));
    }
    return batch;
  }

  /** One round over all partitions. True when something was handed over. */
  async function round(): Promise<boolean> {
    let delivered = false;
    for (const own of [...held.values()]) {
      const { feed } = own;
      if (stopping) return delivered;
      if (!feed || own.paused || !isHeld(own)) continue;
      const records = take(own, feed);
      fetcher!.poll();
      if (records.length === 0) continue;
      delivered = true;
      await handler.batch(own.partition, records);
      own.heardMs = performance.now();
    }
    return delivered;
  }

  /** Tells the handler of partitions with nothing to read; returns milliseconds until the next is due. */
  async function idle(): Promise<number> {
    let nextMs = idleMs;
    for (const own of [...held.values()]) {
      const { feed } = own;
      if (stopping || news) return 0;
      if (!feed || own.paused || !isHeld(own)) continue;
      const nowMs = performance.now();
      // silence of a broker that is away says nothing about its partitions
      if (nowMs - feed.dryMs > DRY_FOR_MS || feed.reader.pendingBytes > 0) continue;
      const dueMs = own.heardMs + idleMs;
      if (nowMs >= dueMs) {
        await handler.idle?.(own.partition, Date.now());
        own.heardMs = nowMs;
      } else nextMs = Math.min(nextMs, dueMs - nowMs);
    }
    return nextMs;
  }

  async function work(): Promise<void> {
    while (!stopping) {
      const fresh = [...held.values()].filter(({ phase }) => phase === 'new');
      if (fresh.length > 0) await begin(fresh);
      if (await round()) {
        news = false;
        continue;
      }
      if (stopping) break;
      const idleInMs = await idle();
      await sleep(Math.max(1, idleInMs));
    }
  }

  // ——— commits ———

  async function commit(
    { partition, generation }: Pick<Assignment, 'partition' | 'generation'>,
    offset: number,
  ): Promise<boolean> {
    const endMs = performance.now() + config.requestTimeoutMs;
    for (let attempt = 1; ; attempt++) {
      const own = held.get(partition);
      const identity = membership?.own;
      if (!own || own.generation !== generation || own.phase === 'new' || abandoned || !identity) return false;
      let code: number | undefined;
      let problem: unknown;
      try {
        code = await coordinator.commit(identity, partition, offset);
      } catch (error) {
        if (cluster.stopped) return false;
        problem = error;
      }
      if (code === KafkaError.none) return true;
      if (code === KafkaError.unknownMember) return false;
      if (performance.now() > endMs)
        throw new SpanwardenError(
          'LOG_UNAVAILABLE',
          `cannot commit to group ${group}: ${problem instanceof Error ? problem.message : `error ${code}`}`,
        );
      // the group is being shared out again: whether it is still ours is known when that is over
      if (code === KafkaError.rebalanceInProgress || code === KafkaError.illegalGeneration)
        await Promise.race([membership!.settled(), sleepFor(100).over]);
      else await sleepFor(backoffMs(attempt)).over;
    }
  }

  // ——— life ———

  async function run(): Promise<void> {
    let hideLag: (() => void) | undefined;
    let lagTimer: NodeJS.Timeout | undefined;
    let joining: Promise<void> | undefined;
    try {
      const library = await deps.ready;
      if (stopping) return;
      fetcher = createFetcher(
        { topic, group, aheadBytes: maxBatchBytes, requestTimeoutMs: config.requestTimeoutMs },
        {
          cluster,
          library,
          logger,
          lanes: [`${lane} fetch 0`, `${lane} fetch 1`],
          wake,
          skipped: (_partition, records) => meters?.skipped.add(records, { topic: deps.topicLabel }),
          diverged: () => membership?.restart('the partition ends before the position'),
          missing: () => membership?.restart('the topic is gone'),
        },
      );
      membership = createMembership(
        { topic, group, exclusive: config.exclusive, sessionTimeoutMs: config.sessionTimeoutMs },
        {
          cluster,
          library,
          coordinator,
          logger,
          assigned: share,
          held: () => [...held.keys()],
          missing: () => deps.heal(),
        },
      );
      hideLag = meters?.lag(deps.topicLabel, deps.groupLabel, lags);
      lagTimer = setInterval(() => void fetcher?.hearEnds().catch(() => {}), LAG_MS);
      lagTimer.unref();
      joining = membership.run();
      joining.catch((error: unknown) => {
        failure ??= error;
        stopping = true;
        wake();
      });
      await work();
    } catch (error) {
      failure ??= error;
    } finally {
      clearInterval(lagTimer);
      hideLag?.();
    }
    // a handler that says it was stopped has not failed
    const failed = failure !== undefined && !(failure instanceof SpanwardenError && failure.code === 'STOPPED');
    stopping = true;
    for (const own of [...held.values()]) drop(own);
    if (!abandoned) await leave(LEAVE_MS);
    if (failed) {
      logger?.error({ topic, group, err: failure }, 'consumer failed; nothing more is read or committed');
      ended.reject(failure);
    } else ended.resolve();
  }

  async function leave(deadlineMs: number): Promise<void> {
    fetcher?.stop();
    await membership?.stop(deadlineMs);
    coordinator.stop();
  }

  function lags(): Map<number, number> {
    const behind = new Map<number, number>();
    for (const { partition, feed } of held.values())
      if (feed) behind.set(partition, Math.max(0, feed.end - feed.position));
    return behind;
  }

  return {
    async start() {
      if (started) throw new SpanwardenError('STOPPED', `consumer of ${group} was started before`);
      started = true;
      void run();
    },
    commit,
    confirmed: () => membership?.confirmed ?? false,
    seek(partition, offset) {
      const own = held.get(partition);
      if (!own) return;
      own.appendMs = 0; // what comes again has the times that it had
      if (own.feed) own.feed.seek(offset);
      else own.sought = offset;
      wake();
    },
    pause(partition) {
      const own = held.get(partition);
      if (!own) return;
      own.paused = true;
      if (own.feed) own.feed.paused = true;
    },
    resume(partition) {
      const own = held.get(partition);
      if (!own?.paused) return;
      own.paused = false;
      if (own.feed) own.feed.paused = false;
      fetcher?.poll();
      wake();
    },
    async lag() {
      const partitions = [...held.values()].flatMap(({ partition, feed }) => (feed ? [partition] : []));
      if (partitions.length === 0) return new Map();
      const ends = await allOffsets(cluster, topic, partitions, LATEST, performance.now() + config.requestTimeoutMs);
      const behind = new Map<number, number>();
      for (const { partition, feed } of held.values())
        if (feed && ends.has(partition)) behind.set(partition, Math.max(0, ends.get(partition)! - feed.position));
      return behind;
    },
    async stop(deadlineMs) {
      if (!started) {
        started = true;
        stopping = true;
        ended.resolve();
      }
      stopping = true;
      wake();
      const deadline = sleepFor(deadlineMs);
      const overran = await Promise.race([
        ended.promise.then(
          () => false,
          () => false,
        ),
        deadline.over.then(() => true),
      ]);
      deadline.wake();
      if (!overran || abandoned) return;
      // a batch that does not end: leave it behind, without letting it commit
      abandoned = true;
      held.clear();
      await leave(0);
    },
    ended: ended.promise,
  };
}

/** The group shares out our partitions when this has passed at the latest; else when the session ends. */
const LEAVE_MS = 2_000;
