/**
 * Commits of one partition: what is durable in our log is claimed, one commit at a time, the newest offset each. A commit
 * that fails is tried again; one that the group has no use for any more ends it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../runtime/telemetry/logger.ts';

export interface Commits {
  /** Everything below `offset` is durable in our log. */
  durable(offset: number): void;
  /** Resolves when all that is durable is committed, or nothing more will be. */
  settled(): Promise<void>;
  /** Nothing more is committed. */
  close(): void;
}

const RETRY_MS = 500;

/** `commit` as Consumer.commit: false = the partition is somebody else's. */
export function createCommits(commit: (offset: number) => Promise<boolean>, logger: Logger): Commits {
  let wanted = -1;
  let committed = -1;
  let closed = false;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (let failed = false; !closed && committed < wanted; ) {
      const offset = wanted;
      try {
        closed = !(await commit(offset)) || closed;
        committed = offset;
        failed = false;
      } catch (error) {
        if (!failed && !closed) logger.warn({ err: error }, 'could not commit; trying again');
        failed = true;
        if (!closed) await wait(RETRY_MS, undefined, { ref: false });
      }
    }
    running = undefined;
  }

  return {
    durable(offset) {
      wanted = Math.max(wanted, offset);
      if (!closed) running ??= run();
    },
    settled: () => running ?? Promise.resolve(),
    close() {
      closed = true;
    },
  };
}
