/**
 * Stream time of a file: the running 99th percentile of span ends, which moves at most an hour per 1,000 spans, so that one
 * span from the year 2100 does not close everything (ARCHITECTURE decision 5). It never goes back; so where it starts is
 * decided by many spans: the first one alone, with a wrong clock, would decide for the whole file.
 */

export interface StreamClock {
  /** A span ended at `endMs`. */
  see(endMs: number): void;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Spans that decide where the clock starts. */
export const STARTING_SPANS = 256;

const RING = 1_000;
const PERCENTILE = 0.99;
/** Below so many spans the median stands in: the percentile would be the largest. */
const FEW = 100;
const EVERY = 64;
const STEP_MS = 3_600_000 / 1_000;
const DAY_MS = 86_400_000;

/** Where a clock starts, from the ends of the first spans: the smallest one within a day of their median. */
export function startOf(endsMs: readonly number[]): number {
  const ends = Float64Array.from(endsMs).sort();
  const median = ends[Math.ceil(ends.length / 2) - 1]!;
  return ends.find((endMs) => endMs >= median - DAY_MS)!;
}

export function createStreamClock(startMs: number): StreamClock {
  const ring = new Float64Array(RING);
  let seen = 0;
  let since = 0;
  let nowMs = startMs;

  function move(): void {
    const held = ring.slice(0, Math.min(seen, RING)).sort();
    const percentile = held[Math.ceil((held.length < FEW ? 0.5 : PERCENTILE) * held.length) - 1]!;
    if (percentile > nowMs) nowMs = Math.min(percentile, nowMs + STEP_MS * since);
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
