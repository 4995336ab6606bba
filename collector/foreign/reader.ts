/**
 * Reads one foreign topic as a member of a group and hands its batches to the forwarder. Offsets are committed only below
 * what our log has. A consumer that fails is replaced after a while: the receivers beside it go on.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Service } from '../../runtime/lifecycle/service.ts';
import type { ForeignHandler, ForeignTopics } from '../../runtime/log/foreign.ts';
import type { Consumer } from '../../runtime/log/port.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';
import { type Commits, createCommits } from './commits.ts';
import type { Forwarder } from './forward.ts';

export interface ReaderConfig {
  readonly topic: string;
  /** Whole name. */
  readonly group: string;
  readonly from: 'earliest' | 'latest';
}

export interface ReaderDeps {
  readonly foreign: ForeignTopics;
  readonly forwarder: Forwarder;
  readonly logger: Logger;
}

export interface ForeignReader extends Service {
  /** Records between the read position and the end, by partition read here. */
  lag(): Promise<ReadonlyMap<number, number>>;
}

const MAX_BATCH_BYTES = 4 * 1_048_576;
/** Of one span each, if it must be: records are joined within a batch. */
const MAX_BATCH_RECORDS = 10_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 10_000;

interface Tenure {
  readonly commits: Commits;
  readonly taken: AbortController;
}

export function createForeignReader(config: ReaderConfig, deps: ReaderDeps): ForeignReader {
  const { topic, group, from } = config;
  const { foreign, forwarder } = deps;
  const logger = deps.logger.child({ topic, group });
  const stopping = new AbortController();
  let consumer: Consumer | undefined;
  let tenures = new Map<number, Tenure>();
  let running: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  function endTenures(): void {
    for (const { commits, taken } of tenures.values()) {
      commits.close();
      taken.abort();
    }
    tenures = new Map();
  }

  const handler: ForeignHandler = {
    async assigned({ partition, generation }) {
      const reading = consumer;
      const commits = createCommits(
        async (offset) => (await reading?.commit({ partition, generation }, offset)) ?? false,
        logger,
      );
      tenures.set(partition, { commits, taken: new AbortController() });
      return undefined;
    },
    revoked(partition) {
      const tenure = tenures.get(partition);
      tenures.delete(partition);
      tenure?.commits.close();
      tenure?.taken.abort();
    },
    async batch(partition, records) {
      const tenure = tenures.get(partition);
      const last = records.at(-1);
      if (tenure === undefined || last === undefined || stopping.signal.aborted) return;
      const signal = AbortSignal.any([stopping.signal, tenure.taken.signal]);
      try {
        await forwarder.forward(topic, records, signal);
      } catch (error) {
        if (signal.aborted) return; // not claimed: whoever reads the partition next gets these again
        throw error;
      }
      tenure.commits.durable(last.offset + 1);
      if (stopping.signal.aborted) await tenure.commits.settled(); // the consumer leaves after this
    },
  };

  async function run(): Promise<void> {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const startedAt = performance.now();
      try {
        consumer = foreign.consumer({
          topic,
          group,
          handler,
          from,
          maxBatchBytes: MAX_BATCH_BYTES,
          maxBatchRecords: MAX_BATCH_RECORDS,
        });
        await consumer.start();
        await consumer.ended;
        if (stopping.signal.aborted) return;
        logger.error('reading a foreign topic ended; starting again');
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.error({ err: error }, 'reading a foreign topic failed; starting again');
        await consumer?.stop(LAST_RETRY_MS).catch(() => {});
      }
      endTenures();
      if (performance.now() - startedAt > 6 * LAST_RETRY_MS) attempt = 0;
      const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
      await wait(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  async function stop(deadlineMs: number): Promise<void> {
    const endAt = performance.now() + deadlineMs;
    const settled = Promise.all([...tenures.values()].map(({ commits }) => commits.settled()));
    stopping.abort();
    await Promise.race([settled, wait(deadlineMs / 2, undefined, { ref: false })]);
    const leftMs = Math.max(0, endAt - performance.now());
    await consumer?.stop(leftMs);
    endTenures();
    await Promise.race([running, wait(leftMs, undefined, { ref: false })]);
  }

  return {
    name: `foreign topic ${topic}`,
    async start() {
      running = run();
    },
    lag: async () => (await consumer?.lag()) ?? new Map<number, number>(),
    stop(deadlineMs) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}
