/**
 * Topics of others: read as they are, under the same rules of assignment, commit and stopping as our own topics
 * (`ConsumerHandler`), but with whatever record their producers wrote.
 */
import type { Assignment, Consumer } from './port.ts';

export interface ForeignRecord {
  readonly partition: number;
  readonly offset: number;
  /** Timestamp of the record: log-append or create time, as the topic is configured. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  /** Null: a tombstone. Safe to keep. */
  readonly value: Uint8Array | null;
  readonly headers: ReadonlyMap<string, Uint8Array>;
}

export interface ForeignHandler {
  /** As ConsumerHandler. */
  assigned(assignment: Assignment): Promise<number | undefined>;
  revoked(partition: number): void;
  batch(partition: number, records: readonly ForeignRecord[]): Promise<void>;
}

export interface ForeignOptions {
  /** The topic's own name, without our prefix. */
  readonly topic: string;
  /** The whole name of the group, without our prefix. */
  readonly group: string;
  readonly handler: ForeignHandler;
  readonly from?: 'earliest' | 'latest';
  readonly maxBatchRecords?: number;
  readonly maxBatchBytes?: number;
}

/** Reads foreign topics of one cluster. A topic that does not exist yet is waited for, with one warning. */
export interface ForeignTopics {
  consumer(options: ForeignOptions): Consumer;
  stop(deadlineMs: number): Promise<void>;
}
