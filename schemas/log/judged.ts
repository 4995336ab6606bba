/**
 * How many segments a partition judged in a window of log time, and how many of them came out how unlikely: what the
 * realised rate is counted from (DETECTION §6, budget). Taken once by (partition, version, window). JSON.
 */

/** Nominal shares of p that are counted. */
export const JUDGED_LEVELS = [1e-2, 1e-3, 1e-4] as const;

export interface JudgedCounts {
  readonly partition: number;
  /** floor(log-append ms of a segment's first record / windowMs); one that was judged late counts in a later window. */
  readonly window: number;
  readonly windowMs: number;
  readonly version: string;
  /** Segments a day in the version's learning window; 0 = unknown. */
  readonly segmentsPerDay: number;
  /** Segments judged, each once: when its absence grace was over. */
  readonly segments: number;
  /** Of these, with p ≤ each of JUDGED_LEVELS. */
  readonly below: readonly number[];
  /** Of `below`, those with a hard finding: told by themselves, whatever p is. */
  readonly hard: readonly number[];
}
