/** Span times as far as they can be believed: out of range becomes the record's append time, so that a replay gives the same row. */

/** Upper halves of 2000-01-01 and 2100-01-01 in nanoseconds since the epoch. */
const EARLIEST_HIGH = 220_417_385;
const LATEST_HIGH = 955_174_740;

/** Whether a 64-bit nanosecond time lies in 2000…2099. */
export const isPlausible = (high: number): boolean => high >= EARLIEST_HIGH && high <= LATEST_HIGH;

/** A duration longer than this between two times of which one is out of range is not believed. */
export const MAX_ODD_DURATION_NS = 3_600e9;
