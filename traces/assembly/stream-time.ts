/**
 * Stream time (ARCHITECTURE decision 5). Live it is the highest log-append time of the partition, wall time while the
 * partition is idle. Offline it is the running 99th percentile of span ends, so that one clock that runs ahead does not
 * close everybody's segments, and moves at most an hour per thousand spans.
 */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { createSpanHead, pairToMs, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { isPlausible } from '../reading/times.ts';

export interface StreamTime {
  /** Counts the spans of one record; the stream time after it. */
  observe(value: Uint8Array): number;
  /** −Infinity until the first hundred spans are seen: until then no time passes. */
  readonly nowMs: number;
}

const WINDOW = 1_000;
const MIN_SPANS = 100;
const QUANTILE = 0.99;
const MAX_MS_PER_SPAN = 3_600_000 / 1_000;

/** Stream time of a file, from the ends of its spans. */
export function createOfflineStreamTime(): StreamTime {
  const ends = new Float64Array(WINDOW);
  const sorted = new Float64Array(WINDOW);
  const outer = createCursor(new Uint8Array(0));
  const middle = createCursor(new Uint8Array(0));
  const inner = createCursor(new Uint8Array(0));
  const head = createSpanHead();
  let count = 0;
  let at = 0;
  let sinceMoved = 0;
  let nowMs = Number.NEGATIVE_INFINITY;

  function move(): void {
    sorted.set(ends);
    const used = sorted.subarray(0, count).sort();
    const wanted = used[Math.min(count - 1, Math.floor(count * QUANTILE))]!;
    if (nowMs === Number.NEGATIVE_INFINITY) nowMs = wanted;
    else if (wanted > nowMs) nowMs = Math.min(wanted, nowMs + sinceMoved * MAX_MS_PER_SPAN);
    sinceMoved = 0;
  }

  function observeSpan(): void {
    if (!isPlausible(head.endHigh)) return;
    ends[at] = pairToMs(head.endHigh, head.endLow);
    at = (at + 1) % WINDOW;
    if (count < WINDOW) count++;
    // Sorting a thousand numbers every fifty spans costs 0.5 µs a span.
    if (++sinceMoved >= 50 && count >= MIN_SPANS) move();
  }

  return {
    get nowMs() {
      return nowMs;
    },
    observe(value) {
      resetCursor(outer, value, 0, value.length);
      for (let a = nextField(outer, 1); a >= 0; a = nextField(outer, 1)) {
        resetCursor(middle, value, a, outer.position);
        for (let b = nextField(middle, 2); b >= 0; b = nextField(middle, 2)) {
          resetCursor(inner, value, b, middle.position);
          for (let c = nextField(inner, 2); c >= 0; c = nextField(inner, 2)) {
            if (readSpanHead(value, c, inner.position, head)) observeSpan();
          }
        }
      }
      return nowMs;
    },
  };
}

export interface LiveStreamTime {
  /** A record of the partition was read. */
  append(partition: number, appendMs: number): number;
  /** The partition has nothing to read and the wall clock says `nowMs`. */
  idle(partition: number, nowMs: number): number;
  of(partition: number): number;
  drop(partition: number): void;
}

/** Never goes back, so that a slow wall clock after a fast broker's changes nothing. */
export function createLiveStreamTime(): LiveStreamTime {
  const times = new Map<number, number>();
  const raise = (partition: number, ms: number): number => {
    const now = Math.max(times.get(partition) ?? Number.NEGATIVE_INFINITY, ms);
    times.set(partition, now);
    return now;
  };
  return {
    append: raise,
    idle: raise,
    of: (partition) => times.get(partition) ?? Number.NEGATIVE_INFINITY,
    drop: (partition) => {
      times.delete(partition);
    },
  };
}
