/** What `train` and `score` need of files of traces, whatever their format; and OTLP/JSON lines as the first of them. */

import type { ReadOptions } from './bytes.ts';
import { timeRange } from './time-range.ts';
import { type FileCounts, readTraceRecords, type TraceRecord } from './trace-records.ts';

export interface TraceFiles {
  /** Records of all inputs in order; `counts` is kept up to date. Throws INPUT_UNREADABLE, STOPPED. */
  records(inputs: readonly string[], counts: FileCounts, options?: ReadOptions): AsyncGenerator<readonly TraceRecord[]>;
  /** Milliseconds since the epoch of the earliest and latest span start, odd clocks aside; undefined without any. */
  timeRange(inputs: readonly string[], options?: ReadOptions): Promise<TimeRange | undefined>;
}

export interface TimeRange {
  readonly firstMs: number;
  readonly lastMs: number;
}

export const otlpLineFiles: TraceFiles = { records: readTraceRecords, timeRange };
