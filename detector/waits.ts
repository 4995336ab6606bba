/** Waiting for a promise, but not for ever. */
import { SpanwardenError } from '../runtime/errors.ts';

/** Reading stops for rows on their way into ClickHouse, and for a version, no longer than this: alerts cannot wait. */
export const STORE_WAIT_MS = 5_000;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** False when the promise takes longer; rejects as it does. */
export async function settles(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's outcome, or a retryable failure when it takes longer. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  if (await settles(ms, promise)) return promise;
  throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', `no answer within ${ms} ms`);
}
