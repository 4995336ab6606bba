/**
 * What stands under a log on one machine: a store of frames, topics and groups. Two stores implement it: SQLite files
 * shared by processes (embedded/), and memory (memory-store.ts). Everything above it is the same for both.
 */
import type { TopicName } from '../../schemas/log/topics.ts';
import type { StoredFrame } from './frame.ts';
import type { TopicOffsets } from './port.ts';

export interface AppendOp {
  readonly type: 'append';
  readonly topic: TopicName;
  readonly partition: number;
  readonly count: number;
  /** A frame (frame.ts). The store owns its buffer from now on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface TopicOp {
  readonly type: 'topic';
  readonly topic: TopicName;
  readonly partitions: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/** Takes the lease of a group when it is free, expired or already this member's. */
export interface JoinOp {
  readonly type: 'join';
  readonly topic: TopicName;
  readonly group: string;
  readonly member: string;
  readonly leaseMs: number;
  readonly from: 'earliest' | 'latest';
}

export interface RenewOp {
  readonly type: 'renew';
  readonly topic: TopicName;
  readonly group: string;
  readonly member: string;
  readonly generation: number;
  readonly leaseMs: number;
}

export interface ReleaseOp {
  readonly type: 'release';
  readonly topic: TopicName;
  readonly group: string;
  readonly member: string;
}

export interface CommitOp {
  readonly type: 'commit';
  readonly topic: TopicName;
  readonly group: string;
  readonly member: string;
  readonly generation: number;
  readonly partition: number;
  readonly offset: number;
}

export type WriteOp = AppendOp | TopicOp | JoinOp | RenewOp | ReleaseOp | CommitOp;

export type WriteResult =
  /** Next offset of the partition after the append. */
  | { readonly type: 'appended'; readonly end: number }
  | { readonly type: 'topic'; readonly partitions: number }
  | { readonly type: 'joined'; readonly generation: number; readonly committed: readonly number[] }
  /** The lease is another's, the generation stale, or the topic missing: nothing was changed. */
  | { readonly type: 'refused' }
  | { readonly type: 'done' };

export interface LogStore {
  start(): Promise<void>;
  /** Topics of one lane are written one transaction after the other; lanes are independent. */
  laneOf(topic: TopicName): string;
  /** All operations (of one lane) in one durable transaction; rejects with LOG_UNAVAILABLE or LOG_FULL: none was done. */
  write(lane: string, ops: readonly WriteOp[]): Promise<WriteResult[]>;
  /** Null when the topic does not exist. */
  offsets(topic: TopicName): Promise<TopicOffsets | null>;
  /** Frames from the one that holds `offset` on (or the first above it), at least one when there is any, about `maxBytes`. */
  read(topic: TopicName, partition: number, offset: number, maxBytes: number): Promise<StoredFrame[]>;
  stop(): Promise<void>;
}
