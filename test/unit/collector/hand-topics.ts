/** Foreign topics that a test holds in its hand: it assigns partitions, brings records, and sees what is committed. */
import type { ForeignOptions, ForeignRecord, ForeignTopics } from '../../../runtime/log/foreign.ts';
import type { Consumer } from '../../../runtime/log/port.ts';

export interface HandConsumer {
  readonly options: ForeignOptions;
  readonly started: boolean;
  readonly stopped: boolean;
  /** [partition, generation, offset] in the order in which they were taken. */
  readonly commits: readonly (readonly [number, number, number])[];
  assign(partition: number, generation?: number): Promise<void>;
  revoke(partition: number): void;
  /** Gives a batch; the offsets follow those given before. */
  bring(partition: number, ...values: (Uint8Array | null)[]): Promise<void>;
  /** The consumer fails by itself. */
  fail(error: Error): void;
  /** From now on commits are answered so. */
  answerCommits(answer: () => Promise<boolean>): void;
}

export interface HandTopics extends ForeignTopics {
  readonly consumers: readonly HandConsumer[];
  /** Resolves with consumer number `index` once it was started. */
  consumerStarted(index: number): Promise<HandConsumer>;
}

export function createHandTopics(): HandTopics {
  const consumers: HandConsumer[] = [];
  const starts: PromiseWithResolvers<HandConsumer>[] = [];
  const startOf = (index: number): PromiseWithResolvers<HandConsumer> => (starts[index] ??= Promise.withResolvers());

  function createConsumer(options: ForeignOptions, index: number): Consumer {
    const { handler } = options;
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => {});
    const commits: (readonly [number, number, number])[] = [];
    const offsets = new Map<number, number>();
    let running: Promise<unknown> = Promise.resolve();
    let started = false;
    let stopped = false;
    let answer = async (): Promise<boolean> => true;
    const hand: HandConsumer = {
      options,
      get started() {
        return started;
      },
      get stopped() {
        return stopped;
      },
      commits,
      async assign(partition, generation = 1) {
        await handler.assigned({ partition, generation, committed: offsets.get(partition) ?? 0 });
      },
      revoke: (partition) => handler.revoked(partition),
      bring(partition, ...values) {
        const first = offsets.get(partition) ?? 0;
        offsets.set(partition, first + values.length);
        const records = values.map((value, i): ForeignRecord => {
          return { partition, offset: first + i, timestampMs: 1, key: null, value, headers: new Map() };
        });
        const batch = handler.batch(partition, records);
        running = Promise.all([running, batch]).catch(() => {});
        batch.catch((error: unknown) => ended.reject(error));
        return batch;
      },
      fail: (error) => ended.reject(error),
      answerCommits(next) {
        answer = next;
      },
    };
    consumers.push(hand);
    return {
      async start() {
        started = true;
        startOf(index).resolve(hand);
      },
      confirmed: () => true,
      async commit({ partition, generation }, offset) {
        const taken = await answer();
        if (taken) commits.push([partition, generation, offset]);
        return taken;
      },
      seek() {},
      pause() {},
      resume() {},
      lag: async () => new Map([[0, 7]]),
      async stop() {
        stopped = true;
        await running;
        ended.resolve();
      },
      ended: ended.promise,
    };
  }

  return {
    consumers,
    consumerStarted: (index) => startOf(index).promise,
    consumer: (options) => createConsumer(options, consumers.length),
    async stop() {},
  };
}
