/** Waiting for what may be away, the log or ClickHouse: a role without its state can do nothing right. */
import { isRetryable, SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface UntilReachedDeps {
  readonly role: string;
  readonly logger: Logger;
  isStopping(): boolean;
}

const RETRY_MS = 1_000;

/**
 * Gives a function that calls again, once a second and however long, while a call fails with a retryable error; that is told
 * once a call. It rejects with STOPPED when the role stops meanwhile.
 */
export function createUntilReached({ role, logger, isStopping }: UntilReachedDeps) {
  return async function untilReached<T>(call: () => Promise<T>): Promise<T> {
    for (let told = false; ; ) {
      try {
        return await call();
      } catch (error) {
        if (isStopping()) throw new SpanwardenError('STOPPED', `the ${role} is stopping`, { cause: error });
        if (!isRetryable(error)) throw error;
        if (!told) logger.warn({ err: error }, `waiting for ${awayPart(error)}`);
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  };
}

const awayPart = (error: unknown): string =>
  error instanceof SpanwardenError && error.code.startsWith('LOG_') ? 'the log' : 'ClickHouse';
