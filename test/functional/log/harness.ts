/** What the conformance suite needs of a log, and handlers that record what they were told. */
import { setTimeout as pause } from 'node:timers/promises';
import type {
  Assignment,
  Consumer,
  ConsumerHandler,
  ConsumerOptions,
  Log,
  LogRecord,
} from '../../../runtime/log/port.ts';
import type { TopicName } from '../../../schemas/log/topics.ts';

export interface LogOverrides {
  readonly queueBytes?: number;
  readonly leaseMs?: number;
}

/** One log's data; every open() is another process on it. */
export interface LogHarness {
  open(overrides?: LogOverrides): Promise<Log>;
  /** As kill -9; absent where only a child process can show it. */
  crash?(log: Log): void;
  /** Lets a little time pass. */
  turn(): Promise<void>;
  now(): number;
  close(): Promise<void>;
  /** Members of a group share the partitions unless they ask for all (Kafka); else one is active (on this machine). */
  readonly shares?: boolean;
  /** Old records go when whole files of the broker do, and some time later. */
  readonly slowRetention?: boolean;
}

/** Lets time pass until the condition holds. */
export async function until(harness: LogHarness, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endAt = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > endAt) throw new Error(`never came: ${condition.toString()}`);
    await harness.turn();
  }
}

export const realTurn = (): Promise<void> => pause(5);

export interface Told {
  readonly what: 'assigned' | 'revoked' | 'batch' | 'idle';
  readonly partition: number;
  readonly offsets?: readonly number[];
  readonly generation?: number;
}

export interface Recorder extends ConsumerHandler {
  readonly told: Told[];
  readonly records: LogRecord[];
  readonly assignments: Map<number, Assignment>;
  /** Calls under way; more than one would be an overlap. */
  readonly overlaps: () => number;
  readonly idleTimes: number[];
  values(): string[];
}

const decoder = new TextDecoder();
export const text = (value: Uint8Array): string => decoder.decode(value);
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

export interface RecorderOptions {
  readonly start?: (assignment: Assignment) => number | undefined;
  readonly onBatch?: (partition: number, records: readonly LogRecord[]) => Promise<void> | void;
}

export function createRecorder(options: RecorderOptions = {}): Recorder {
  const told: Told[] = [];
  const records: LogRecord[] = [];
  const assignments = new Map<number, Assignment>();
  const idleTimes: number[] = [];
  let inside = 0;
  let overlaps = 0;
  const alone = async <T>(work: () => Promise<T> | T): Promise<T> => {
    if (inside++ > 0) overlaps++;
    try {
      await Promise.resolve();
      return await work();
    } finally {
      inside--;
    }
  };
  return {
    told,
    records,
    assignments,
    idleTimes,
    overlaps: () => overlaps,
    values: () => records.map((record) => text(record.value)),
    assigned: (assignment) =>
      alone(() => {
        told.push({ what: 'assigned', partition: assignment.partition, generation: assignment.generation });
        assignments.set(assignment.partition, assignment);
        return options.start?.(assignment);
      }),
    revoked(partition) {
      told.push({ what: 'revoked', partition });
      assignments.delete(partition);
    },
    batch: (partition, batch) =>
      alone(async () => {
        told.push({ what: 'batch', partition, offsets: batch.map((record) => record.offset) });
        records.push(...batch);
        await options.onBatch?.(partition, batch);
      }),
    idle: (partition, nowMs) =>
      alone(() => {
        told.push({ what: 'idle', partition });
        idleTimes.push(nowMs);
      }),
  };
}

/** Starts a consumer of `topic`; idle calls come every 20 ms. */
export async function consume(
  log: Log,
  group: string,
  handler: ConsumerHandler,
  options: Partial<ConsumerOptions> & { readonly topic?: TopicName } = {},
): Promise<Consumer> {
  const consumer = log.consumer({ topic: 'spans', group, handler, idleMs: 20, ...options });
  await consumer.start();
  return consumer;
}
