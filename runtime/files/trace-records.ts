/**
 * Parts of files as the records a collector would have logged: one TracesData body a trace and part, with stream time in
 * place of log-append time.
 */

import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import type { ReadOptions } from './bytes.ts';
import { otlpLines } from './otlp-lines.ts';
import { createTimeReader } from './span-times.ts';
import { createStreamClock, STARTING_SPANS, type StreamClock, startOf } from './stream-clock.ts';

export interface TraceRecord {
  readonly offset: number;
  readonly streamMs: number;
  readonly value: Uint8Array;
}

/** What a format's reader gives for one line, document, message or element of an input. */
export interface TracesPart {
  /** Where it is, for people: the input and the line or element. */
  readonly where: string;
  /** TracesData; undefined = nothing of it could be used. */
  readonly bytes?: Uint8Array;
  /** Spans that were left out. */
  readonly rejected?: number;
  /** What is wrong with it, in words. */
  readonly problems?: readonly string[];
}

export interface FileCounts {
  /** Lines; in formats without lines, elements. */
  lines: number;
  /** Lines or elements of which nothing could be used. */
  malformedLines: number;
  /** The first few problems in words, each with its place. */
  readonly problems: string[];
  spans: number;
  rejectedSpans: number;
  /** Records given out. */
  records: number;
}

export const createFileCounts = (): FileCounts => ({
  lines: 0,
  malformedLines: 0,
  problems: [],
  spans: 0,
  rejectedSpans: 0,
  records: 0,
});

const LIMITS = { maxRecordBytes: 64 * 1024 * 1024, maxOutputBytes: 4 * 1024 * 1024 * 1024 };
const SEED = 1; // files come from their owner: a fixed seed, so that the same input is cut the same way
const MOST_PROBLEMS = 5;

/** Records of OTLP/JSON lines in order. `counts` is kept up to date. */
export const readTraceRecords = (
  inputs: readonly string[],
  counts: FileCounts,
  options: ReadOptions = {},
): AsyncGenerator<readonly TraceRecord[]> => toTraceRecords(otlpLines(inputs, options), counts);

/** Records of all parts in order, part by part. `counts` is kept up to date. */
export async function* toTraceRecords(
  parts: AsyncIterable<TracesPart>,
  counts: FileCounts,
): AsyncGenerator<readonly TraceRecord[]> {
  const cutter = createTraceCutter(LIMITS, SEED);
  const timesOf = createTimeReader();
  let clock: StreamClock | undefined;
  let offset = 0;
  /** The first ones wait for others until it is known what time it is. */
  let waiting: Timeless[] = [];
  let waitingSpans = 0;

  function timed(records: readonly Timeless[]): TraceRecord[] {
    clock ??= createStreamClock(startOf(records.flatMap(({ ends }) => ends)));
    return records.map(({ value, ends }) => {
      for (const endMs of ends) clock!.see(endMs);
      return { offset: offset++, streamMs: clock!.nowMs, value };
    });
  }

  function tell(where: string, problems: readonly string[]): void {
    for (const problem of problems) {
      if (counts.problems.length < MOST_PROBLEMS) counts.problems.push(`${where}: ${problem}`);
    }
  }

  /** Cuts the body into `waiting`; the spans left out. */
  function cut({ where, bytes }: TracesPart): void {
    const before = waiting.length;
    const result = cutter.cut(bytes!, (_traceId, value) => {
      const { ends } = timesOf(value);
      waitingSpans += ends.length;
      waiting.push({ value, ends });
    });
    if (result.outcome !== 'cut') {
      counts.malformedLines++;
      tell(where, [result.outcome === 'malformed' ? 'not OTLP' : 'too large']);
    }
    if (result.rejected > 0) tell(where, [`${result.rejected} spans cannot be read`]);
    counts.spans += result.spans;
    counts.rejectedSpans += result.rejected;
    counts.records += waiting.length - before;
  }

  for await (const part of parts) {
    counts.lines++;
    counts.rejectedSpans += part.rejected ?? 0;
    tell(part.where, part.problems ?? []);
    if (part.bytes === undefined) {
      counts.malformedLines++;
      continue;
    }
    cut(part);
    if (waitingSpans === 0 || (clock === undefined && waitingSpans < STARTING_SPANS)) continue;
    const records = waiting;
    waiting = [];
    waitingSpans = 0;
    yield timed(records);
  }
  if (waitingSpans > 0) yield timed(waiting);
}

interface Timeless {
  readonly value: Uint8Array;
  /** Ends of its spans, milliseconds since the epoch. */
  readonly ends: readonly number[];
}
