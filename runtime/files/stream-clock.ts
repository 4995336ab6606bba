/**
 * Stream time of a file: the running 99th percentile of span ends, which moves at most an hour per 1,000 spans, so that one
 * span from the year 2100 does not close everything (ARCHITECTURE decision 5). It never goes back.
 */

export interface StreamClock {
  /** A span ended at `endMs`. */
  see(endMs: number): void;
  /** Milliseconds since the epoch; NaN before the first span. */
  readonly nowMs: number;
}

const RING = 1_000;
const PERCENTILE = 0.99;
const EVERY = 64;
const STEP_MS = 3_600_000 / 1_000;

export function createStreamClock(): StreamClock {
  const ring = new Float64Array(RING);
  let seen = 0;
  let since = 0;
  let nowMs = Number.NaN;

  function move(): void {
    const held = ring.slice(0, Math.min(seen, RING)).sort();
    const percentile = held[Math.ceil(PERCENTILE * held.length) - 1]!;
    if (Number.isNaN(nowMs)) nowMs = percentile;
    else if (percentile > nowMs) nowMs = Math.min(percentile, nowMs + STEP_MS * since);
    since = 0;
  }

  return {
    see(endMs) {
      ring[seen % RING] = endMs;
      seen++;
      since++;
      if (since >= EVERY || seen < EVERY) move();
    },
    get nowMs() {
      return nowMs;
    },
  };
}
