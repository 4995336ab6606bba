/** Counts of one time window of one partition, taken once by (partition, window): input of collective timing and of the load test. */

export interface CollectiveKey {
  readonly service: string;
  /** Label text of the timing key. */
  readonly label: string;
  readonly feature: 'self' | 'total';
  /** Observations in the window. */
  readonly count: number;
  /** Observations with p ≤ 0.01. */
  readonly exceedances: number;
  /** Expected exceedances under the version, from its own calibration. */
  readonly expected: number;
  /** Variance over mean of the exceedances of a window in learning; 1 (the default) = Poisson. */
  readonly dispersion?: number;
  /** Observations with p ≤ 0.1, expected ones, and their dispersion: what learning took for the last per cent hides no shift here. */
  readonly wide?: number;
  readonly wideExpected?: number;
  readonly wideDispersion?: number;
  /** Observations above the key's learned maximum. */
  readonly aboveMaximum: number;
  /** By how much, summed over them, milliseconds. Absent in counts of an earlier release. */
  readonly aboveMs?: number;
  /** Expected ones, from the version's calibration. */
  readonly aboveExpected?: number;
  /** Median of log2(observed / learned median): the shift in octaves. */
  readonly shift: number;
  /** Mean time at which the exceedances ended, milliseconds since the epoch; 0 without any. */
  readonly exceedanceMs?: number;
  /** The same for p ≤ 0.1. */
  readonly wideMs?: number;
  /** Calling service when the self time is the way to `service` and back (a client span around its server span). */
  readonly caller?: string;
}

export interface CollectiveCounts {
  readonly partition: number;
  /** Window number: floor(stream ms / windowMs). */
  readonly window: number;
  /** 20,000 for collective shifts, 1,000 for the load test beside a slow node. */
  readonly windowMs: number;
  readonly version: string;
  readonly keys: readonly CollectiveKey[];
  /** Up to a few trace ids that show the shift, by label. */
  readonly traces: Readonly<Record<string, readonly string[]>>;
}
