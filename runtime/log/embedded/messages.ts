/** What the log's threads and the thread that uses the log say to each other. */

import type { TopicName } from '../../../schemas/log/topics.ts';
import type { ErrorCode } from '../../errors.ts';
import type { WriteOp } from '../store.ts';

export interface ThreadConfig {
  readonly role: 'writer' | 'reader';
  /** The file is only looked at: it is neither created nor looked after. */
  readonly readOnly?: boolean;
  readonly file: string;
  /** Shown in errors. */
  readonly directory: string;
  readonly busyMs: number;
  readonly maxPages: number;
  /** Between looks for what retention may remove; writers only. */
  readonly retentionEveryMs: number;
}

export type ThreadCall =
  | { readonly type: 'write'; readonly ops: readonly WriteOp[] }
  | { readonly type: 'offsets'; readonly topic: TopicName }
  | {
      readonly type: 'read';
      readonly topic: TopicName;
      readonly partition: number;
      readonly offset: number;
      readonly maxBytes: number;
    }
  | { readonly type: 'close' };

export interface ThreadRequest {
  readonly id: number;
  readonly call: ThreadCall;
}

export interface ThreadFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** `id` 0 tells that the database is open, or why it is not. */
export type ThreadReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: ThreadFailure };
