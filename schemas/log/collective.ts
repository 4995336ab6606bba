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
  /** Observations above the key's learned maximum. */
  readonly aboveMaximum: number;
  /** Median of log2(observed / learned median): the shift in octaves. */
  readonly shift: number;
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
