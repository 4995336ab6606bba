/**
 * Which span times are believed. A row's partition is the day of its span's start, so a clock that is wrong by years would
 * make a partition of its own, and one insert into more than 100 partitions fails as a whole (ARCHITECTURE decision 8).
 */

/** An exporter may hold spans back while its collector is away. */
export const SPAN_PAST_MS = 7 * 86_400_000;
/** Clocks that run ahead. */
export const SPAN_FUTURE_MS = 3_600_000;

/** Whether a span's time fits the log-append time of the record that brought it; else it is taken to be that time. */
export const isSpanTimeBelieved = (timeMs: number, appendMs: number): boolean =>
  timeMs >= appendMs - SPAN_PAST_MS && timeMs <= appendMs + SPAN_FUTURE_MS;
