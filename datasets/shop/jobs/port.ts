/** The two ends of the shop's queues, whatever jobs travel through. */
import type { Queue } from './settings.ts';

export type Payload = Readonly<Record<string, unknown>>;

export interface Job {
  readonly queue: Queue;
  readonly payload: Payload;
}

export interface JobPublisher {
  /** Resolves with the job's number once the queue has it for good. `key`: jobs of one key keep their order. */
  publish(queue: Queue, key: number, payload: Payload): Promise<number>;
  stop(): Promise<void>;
}

export interface JobConsumer {
  /** Works off what was published, then stops. */
  stop(): Promise<void>;
}

/** Jobs that were taken together. */
export interface Batch {
  readonly id: string;
  readonly size: number;
}

/** Does a job; one that rejects was tried once and is given up. */
export type JobHandler = (job: Job, batch: Batch) => Promise<void>;
