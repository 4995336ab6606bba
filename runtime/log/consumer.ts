/**
 * A consumer over a store: holds the lease of its group or stands by for it, reads its partitions and hands records to
 * the handler. One loop makes all calls of the handler, so that they never overlap; a second renews the lease, so that
 * a long batch does not lose it.
 */
import { isRetryable, SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LogClock, Sleep } from './clock.ts';
import { decodeFrame } from './frame.ts';
import type { Assignment, Consumer, ConsumerOptions, LogRecord, TopicOffsets } from './port.ts';
import type { LogStore, WriteOp, WriteResult } from './store.ts';

export interface ConsumerConfig {
  /** A member that says nothing for so long is replaced. */
  readonly leaseMs: number;
  /** Longest wait before looking for records of other processes. */
  readonly pollMs: number;
}

export interface ConsumerDeps {
  readonly store: LogStore;
  readonly clock: LogClock;
  /** One operation in a transaction of the topic's lane. */
  submit(op: WriteOp): Promise<WriteResult>;
  /** Calls back when this process appended to the topic, or a group of it was released; returns how to end it. */
  watch(wake: () => void): () => void;
  /** A group of this topic was released here: stand-bys of this process need not wait. */
  released(): void;
  /** Records that retention removed before they were read. */
  skipped(partition: number, records: number): void;
  /** Shows how many records of each partition were not handed over yet; returns how to end it. */
  showLag(lags: () => ReadonlyMap<number, number>): () => void;
  readonly member: string;
  readonly logger: Logger | undefined;
}

interface Reading {
  readonly from: number;
  readonly frames: ReturnType<LogStore['read']>;
}

interface PartitionState {
  readonly partition: number;
  /** Offset of the next record to hand over. */
  position: number;
  paused: boolean;
  /** Decoded records from `position` on, and how many of them are handed over. */
  buffered: LogRecord[];
  taken: number;
  /** A read that was begun while the handler worked. */
  ahead: Reading | undefined;
  /** When the handler last heard of this partition. */
  heardMs: number;
}

interface Tenure {
  readonly generation: number;
  readonly partitions: PartitionState[];
  /** When the last request was sent that the store answered as to the owner of the lease. */
  confirmedMs: number;
}

const MIN_POLL_MS = 10;

export function createStoreConsumer(config: ConsumerConfig, deps: ConsumerDeps, options: ConsumerOptions): Consumer {
  const { store, clock, member, logger } = deps;
  const { topic, group, handler, from = 'earliest', maxBatchRecords = 1_000 } = options;
  const maxBatchBytes = options.maxBatchBytes ?? 1_048_576;
  const idleMs = options.idleMs ?? 100;
  const standbyMs = Math.min(250, Math.max(MIN_POLL_MS, config.leaseMs / 4));
  const ended = Promise.withResolvers<void>();
  // nobody has to look at `ended`: stop() and the logs tell the same
  ended.promise.catch(() => {});
  let started = false;
  let stopping = false;
  /** Set when the deadline of stop() passed: no further call of the handler. */
  let abandoned = false;
  let tenure: Tenure | undefined;
  let ends: TopicOffsets = { earliest: [], latest: [] };
  let sleeping: Sleep | undefined;
  let resting: Sleep | undefined;
  /** News came while the loop was busy: do not sleep on it. */
  let news = false;
  let pollMs = MIN_POLL_MS;
  /** The last attempt to join met an error: say it once an episode. */
  let refusedBefore = false;

  const wake = () => {
    news = true;
    sleeping?.wake();
  };

  async function sleep(ms: number): Promise<void> {
    if (news || stopping) {
      news = false;
      return;
    }
    sleeping = clock.sleep(ms);
    await sleeping.over;
    sleeping = undefined;
    news = false;
  }

  /** The partitions are another's now: the handler drops what it holds, nothing more is read or committed. */
  function lose(reason: string): void {
    const lost = tenure;
    if (!lost) return;
    tenure = undefined;
    if (!stopping) logger?.warn({ topic, group, generation: lost.generation, reason }, 'partitions revoked');
    if (abandoned) return;
    for (const { partition } of lost.partitions) handler.revoked(partition);
  }

  /** Asks for the lease. A log that is busy or full for now is asked again: whoever stands by has nothing to lose. */
  async function askLease(): Promise<WriteResult> {
    try {
      const result = await deps.submit({ type: 'join', topic, group, member, leaseMs: config.leaseMs, from });
      refusedBefore = false;
      return result;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      if (!refusedBefore) logger?.warn({ topic, group, err: error }, 'cannot ask for the lease; trying again');
      refusedBefore = true;
      return { type: 'refused' };
    }
  }

  async function join(): Promise<boolean> {
    const askedMs = clock.now();
    const result = await askLease();
    if (result.type !== 'joined') return false;
    const { generation, committed } = result;
    ends = (await store.offsets(topic)) ?? ends;
    const joined: Tenure = {
      generation,
      confirmedMs: askedMs,
      partitions: committed.map((position, partition) => ({
        partition,
        position,
        paused: false,
        buffered: [],
        taken: 0,
        ahead: undefined,
        heardMs: clock.now(),
      })),
    };
    tenure = joined;
    logger?.debug({ topic, group, generation, partitions: committed.length }, 'partitions assigned');
    for (const state of joined.partitions) {
      const { partition } = state;
      const assignment: Assignment = { partition, generation, committed: state.position };
      const start = await handler.assigned(assignment);
      if (tenure !== joined || abandoned) return false;
      // a seek() inside assigned() is a start too, but what assigned() returns wins
      if (start !== undefined) move(state, start);
      state.heardMs = clock.now();
    }
    return true;
  }

  function move(state: PartitionState, offset: number): void {
    state.position = offset;
    state.buffered = [];
    state.taken = 0;
    state.ahead = undefined;
  }

  function readAhead(state: PartitionState, offset: number): void {
    if (state.ahead?.from === offset || offset >= (ends.latest[state.partition] ?? 0)) return;
    const frames = store.read(topic, state.partition, offset, maxBatchBytes);
    frames.catch(() => {}); // told to whoever takes it
    state.ahead = { from: offset, frames };
  }

  /** The next records of a partition, at most a batch of them; empty when there is nothing to read. */
  async function take(state: PartitionState): Promise<readonly LogRecord[]> {
    if (state.taken >= state.buffered.length) {
      const offset = state.position;
      readAhead(state, offset);
      const reading = state.ahead;
      if (!reading) return [];
      state.ahead = undefined;
      const frames = await reading.frames;
      if (state.position !== offset) return []; // a seek came in between
      const decoded: LogRecord[] = [];
      for (const frame of frames) decodeFrame(frame, state.partition, offset, decoded);
      state.buffered = decoded;
      state.taken = 0;
      const first = decoded[0];
      if (!first) {
        // retention took everything that was left to read
        const earliest = ends.earliest[state.partition] ?? 0;
        if (earliest > offset) {
          deps.skipped(state.partition, earliest - offset);
          state.position = earliest;
        }
        return [];
      }
      if (first.offset > offset) {
        // retention was faster than we are
        deps.skipped(state.partition, first.offset - offset);
        logger?.error(
          { topic, group, partition: state.partition, offset, next: first.offset },
          'records were removed by retention before they were read',
        );
      }
    }
    const { buffered, taken } = state;
    let until = taken;
    let bytes = 0;
    while (until < buffered.length && until - taken < maxBatchRecords) {
      bytes += buffered[until]!.value.length;
      if (until > taken && bytes > maxBatchBytes) break;
      until++;
    }
    const batch = taken === 0 && until === buffered.length ? buffered : buffered.slice(taken, until);
    state.taken = until;
    state.position = buffered[until - 1]!.offset + 1;
    if (until === buffered.length) {
      state.buffered = [];
      state.taken = 0;
      readAhead(state, state.position);
    }
    return batch;
  }

  /** One round over all partitions. True when something was handed over. */
  async function round(own: Tenure): Promise<boolean> {
    let delivered = false;
    for (const state of own.partitions) {
      if (stopping || tenure !== own) return delivered;
      if (state.paused || state.position >= (ends.latest[state.partition] ?? 0)) continue;
      const records = await take(state);
      if (stopping || tenure !== own) return delivered;
      if (records.length === 0) continue;
      if (state.paused) {
        move(state, records[0]!.offset); // paused while its records were being read
        continue;
      }
      delivered = true;
      await handler.batch(state.partition, records);
      state.heardMs = clock.now();
    }
    return delivered;
  }

  /** Tells the handler of partitions with nothing to read; returns milliseconds until the next is due. */
  async function idle(own: Tenure): Promise<number> {
    let next = idleMs;
    for (const state of own.partitions) {
      if (stopping || tenure !== own) return 0;
      if (state.paused || state.position < (ends.latest[state.partition] ?? 0)) continue;
      const nowMs = clock.now();
      const dueMs = state.heardMs + idleMs;
      if (nowMs >= dueMs) {
        await handler.idle(state.partition, nowMs);
        state.heardMs = nowMs;
      } else next = Math.min(next, dueMs - nowMs);
    }
    return next;
  }

  async function work(): Promise<void> {
    while (!stopping) {
      const own = tenure;
      if (!own) {
        if (!(await join()) && !tenure) await sleep(standbyMs);
        continue;
      }
      if (await round(own)) {
        pollMs = MIN_POLL_MS;
        continue;
      }
      if (stopping || tenure !== own) continue;
      const before = ends;
      ends = (await store.offsets(topic)) ?? ends;
      if (ends.latest.some((end, p) => end !== before.latest[p] && !own.partitions[p]?.paused)) continue;
      const idleInMs = await idle(own);
      if (stopping || tenure !== own) continue;
      await sleep(Math.max(1, Math.min(pollMs, idleInMs)));
      pollMs = Math.min(config.pollMs, pollMs * 2);
    }
  }

  async function keepLease(): Promise<void> {
    const leave = clock.enter();
    try {
      while (!stopping) {
        resting = clock.sleep(config.leaseMs / 3);
        await resting.over;
        resting = undefined;
        const own = tenure;
        if (!own || stopping) continue;
        const askedMs = clock.now();
        const result = await deps.submit({
          type: 'renew',
          topic,
          group,
          member,
          generation: own.generation,
          leaseMs: config.leaseMs,
        });
        if (result.type !== 'refused') own.confirmedMs = askedMs;
        else if (tenure === own) {
          lose('the lease ran out');
          wake();
        }
      }
    } catch (error) {
      if (error instanceof SpanwardenError && error.code === 'STOPPED') return;
      // the lease runs out by itself; the work loop meets the same error, or goes on when the log is back
      logger?.warn({ topic, group, err: error }, 'cannot renew the lease');
      if (!stopping) queueMicrotask(() => void keepLease());
    } finally {
      leave();
    }
  }

  async function release(): Promise<void> {
    try {
      await deps.submit({ type: 'release', topic, group, member });
      deps.released();
    } catch (error) {
      logger?.warn({ topic, group, err: error }, 'cannot release the lease; it runs out by itself');
    }
  }

  function lagsTo(latest: readonly number[]): Map<number, number> {
    const lags = new Map<number, number>();
    for (const { partition, position } of tenure?.partitions ?? [])
      lags.set(partition, Math.max(0, (latest[partition] ?? 0) - position));
    return lags;
  }

  async function run(): Promise<void> {
    const leave = clock.enter();
    const unwatch = deps.watch(wake);
    const hideLag = deps.showLag(() => lagsTo(ends.latest));
    void keepLease();
    let failure: unknown;
    try {
      await work();
    } catch (error) {
      failure = error;
    }
    // a handler that says it was stopped has not failed
    const failed = failure !== undefined && !(failure instanceof SpanwardenError && failure.code === 'STOPPED');
    stopping = true;
    resting?.wake();
    unwatch();
    hideLag();
    lose(failed ? 'the consumer failed' : 'stopped');
    if (!abandoned) await release();
    leave();
    if (failed) {
      logger?.error({ topic, group, err: failure }, 'consumer failed; nothing more is read or committed');
      ended.reject(failure);
    } else ended.resolve();
  }

  const stateOf = (partition: number): PartitionState | undefined => tenure?.partitions[partition];

  return {
    async start() {
      if (started) throw new SpanwardenError('STOPPED', `consumer of ${group} was started before`);
      started = true;
      void run();
    },
    async commit(assignment, offset) {
      const own = tenure;
      if (!own || own.generation !== assignment.generation) return false;
      const { partition, generation } = assignment;
      const result = await deps.submit({ type: 'commit', topic, group, member, generation, partition, offset });
      if (result.type === 'done') return true;
      if (tenure === own) {
        lose('another member holds the lease');
        wake();
      }
      return false;
    },
    confirmed() {
      if (!tenure) return false;
      const sinceMs = clock.now() - tenure.confirmedMs;
      // a clock that was set back tells nothing about how much of the lease is left
      return sinceMs >= 0 && sinceMs < config.leaseMs;
    },
    seek(partition, offset) {
      const state = stateOf(partition);
      if (!state) return;
      move(state, offset);
      wake();
    },
    pause(partition) {
      const state = stateOf(partition);
      if (state) state.paused = true;
    },
    resume(partition) {
      const state = stateOf(partition);
      if (!state?.paused) return;
      state.paused = false;
      wake();
    },
    async lag() {
      return tenure === undefined ? new Map() : lagsTo(((await store.offsets(topic)) ?? ends).latest);
    },
    async stop(deadlineMs) {
      if (!started) {
        started = true;
        stopping = true;
        ended.resolve();
      }
      if (!stopping) {
        stopping = true;
        sleeping?.wake();
        resting?.wake();
      }
      const deadline = clock.timeout(deadlineMs);
      const late = deadline.over.then(() => true);
      const overran = await Promise.race([
        ended.promise.then(
          () => false,
          () => false,
        ),
        late,
      ]);
      deadline.wake();
      if (!overran || abandoned) return;
      // a batch that does not end: leave it behind, without letting it commit
      abandoned = true;
      tenure = undefined;
      await release();
    },
    ended: ended.promise,
  };
}
