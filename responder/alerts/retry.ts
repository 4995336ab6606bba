/** When to try again: growing waits with jitter over a day, slower when the receiver says so (Standard Webhooks 1.0). */

const WAITS_MS = [1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 18_000_000, 28_800_000];

export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly httpStatus: number }
  /** `gone`: nothing more is sent there. `refused`: the same again would be refused again. */
  | { readonly kind: 'gone' | 'refused'; readonly httpStatus: number; readonly error: string }
  | { readonly kind: 'failed'; readonly httpStatus: number; readonly error: string; readonly retryAfterMs: number };

/**
 * 2xx is success, 410 means never again, one of `refusals` that this alert is not taken as it is; everything else (3xx included) is
 * a failure worth another try.
 */
export function outcomeOf(
  status: number,
  retryAfter: string | undefined,
  nowMs: number,
  refusals: readonly number[] = [],
): AttemptOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered', httpStatus: status };
  if (status === 410) return { kind: 'gone', httpStatus: status, error: 'receiver answered 410 Gone' };
  const error = status >= 300 && status < 400 ? `redirect ${status} is not followed` : `receiver answered ${status}`;
  if (refusals.includes(status)) return { kind: 'refused', httpStatus: status, error };
  return { kind: 'failed', httpStatus: status, error, retryAfterMs: parseRetryAfter(retryAfter, nowMs) };
}

/** Milliseconds to wait by a Retry-After header (seconds or HTTP date, RFC 9110 §10.2.3); 0 without a usable one. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}

/**
 * A page that waits for a day is none: receivers ask for that by mistake, or by a clock that is a day ahead, and one answer must not
 * be what decides about an alert.
 */
const MOST_RETRY_AFTER_MS = 3_600_000;

/** Wait after failed attempt `attempt` (1 = the first). 429, 502 and 504 wait twice as long; `jitter` in [0, 1). */
export function waitAfter(attempt: number, httpStatus: number, retryAfterMs: number, jitter: number): number {
  const base = WAITS_MS[Math.min(attempt, WAITS_MS.length) - 1]!;
  const slowed = httpStatus === 429 || httpStatus === 502 || httpStatus === 504 ? base * 2 : base;
  return Math.max(Math.round(slowed * (0.8 + 0.4 * jitter)), Math.min(retryAfterMs, MOST_RETRY_AFTER_MS));
}
