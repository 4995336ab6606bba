/** First and last span start of files: how wide a time bucket should be. */
import type { ReadOptions } from './bytes.ts';
import { readLines } from './lines.ts';
import { createTimeReader } from './span-times.ts';
import type { TimeRange } from './trace-files.ts';
import type { TracesPart } from './trace-records.ts';

const START = '"startTimeUnixNano"';
/** Samples of a line or part: its spans lie close together, so a few tell. */
const PER_PART = 64;
/** 1971 to 2200: what a broken clock says must not stretch the range. */
const LEAST_MS = 31_536_000_000;
const MOST_MS = 7_258_118_400_000;

/** Of OTLP/JSON lines, without parsing them. */
export async function timeRange(inputs: readonly string[], options: ReadOptions = {}): Promise<TimeRange | undefined> {
  const starts: number[] = [];
  for await (const { text } of readLines(inputs, options)) {
    const step = Math.max(1, Math.floor(text.length / PER_PART));
    let at = text.indexOf(START);
    while (at >= 0) {
      const digits = /\d{10,20}/y;
      digits.lastIndex = at + START.length;
      while (digits.lastIndex < text.length && !isDigit(text, digits.lastIndex)) digits.lastIndex++;
      const found = digits.exec(text);
      const ms = found === null ? Number.NaN : Number(found[0].slice(0, -6));
      if (ms >= LEAST_MS && ms <= MOST_MS) starts.push(ms);
      at = text.indexOf(START, at + step);
    }
  }
  return rangeOf(starts);
}

/** Of parts in whatever format. */
export async function partsTimeRange(parts: AsyncIterable<TracesPart>): Promise<TimeRange | undefined> {
  const timesOf = createTimeReader();
  const kept: number[] = [];
  for await (const { bytes } of parts) {
    if (bytes === undefined) continue;
    const { starts } = timesOf(bytes);
    const step = Math.max(1, Math.floor(starts.length / PER_PART));
    for (let i = 0; i < starts.length; i += step) {
      const ms = starts[i]!;
      if (ms >= LEAST_MS && ms <= MOST_MS) kept.push(ms);
    }
  }
  return rangeOf(kept);
}

function rangeOf(starts: number[]): TimeRange | undefined {
  if (starts.length === 0) return undefined;
  starts.sort((a, b) => a - b);
  const cut = Math.floor(starts.length / 1_000); // the odd clock
  return { firstMs: starts[cut]!, lastMs: starts[starts.length - 1 - cut]! };
}

const isDigit = (text: string, i: number): boolean => {
  const code = text.charCodeAt(i);
  return code >= 48 && code <= 57;
};
