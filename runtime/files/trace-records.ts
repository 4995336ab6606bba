/**
 * Files of OTLP/JSON lines (as the Collector's file exporter writes them) as the records a collector would have logged: one
 * TracesData body a trace and line, with stream time in place of log-append time.
 */

import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { ResourceSpansField, ScopeSpansField, TracesDataField } from '../../schemas/otlp/fields.ts';
import { jsonToTracesData } from '../../schemas/otlp/json.ts';
import { createSpanHead, pairToMs, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { type LineOptions, readLines } from './lines.ts';
import { createStreamClock, STARTING_SPANS, type StreamClock, startOf } from './stream-clock.ts';

export interface TraceRecord {
  readonly offset: number;
  readonly streamMs: number;
  readonly value: Uint8Array;
}

export interface FileCounts {
  lines: number;
  /** Lines that are no TracesData, and the first few problems in words. */
  malformedLines: number;
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

/** Records of all inputs in order, line by line. `counts` is kept up to date. */
export async function* readTraceRecords(
  inputs: readonly string[],
  counts: FileCounts,
  options: LineOptions = {},
): AsyncGenerator<readonly TraceRecord[]> {
  const cutter = createTraceCutter(LIMITS, SEED);
  const endsOf = createEndReader();
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

  for await (const { input, number, text } of readLines(inputs, options)) {
    if (text.trim() === '') continue;
    counts.lines++;
    const read = jsonToTracesData(text);
    if (read.outcome === 'malformed') {
      counts.malformedLines++;
      if (counts.problems.length < MOST_PROBLEMS)
        counts.problems.push(`${input}:${number}: ${read.problem ?? 'malformed'}`);
      continue;
    }
    counts.rejectedSpans += read.rejected;
    const before = waiting.length;
    const result = cutter.cut(read.bytes, (_traceId, value) => {
      const ends = endsOf(value);
      waitingSpans += ends.length;
      waiting.push({ value, ends });
    });
    counts.spans += result.spans;
    counts.rejectedSpans += result.rejected;
    counts.records += waiting.length - before;
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

/** Ends of the spans of a record, milliseconds since the epoch. */
function createEndReader(): (value: Uint8Array) => number[] {
  const outer = createCursor(new Uint8Array(0));
  const resource = createCursor(new Uint8Array(0));
  const scope = createCursor(new Uint8Array(0));
  const head = createSpanHead();
  return (value) => {
    const ends: number[] = [];
    resetCursor(outer, value, 0, value.length);
    for (let at = nextField(outer, TracesDataField.resourceSpans); at >= 0; ) {
      resetCursor(resource, value, at, outer.position);
      for (let inner = nextField(resource, ResourceSpansField.scopeSpans); inner >= 0; ) {
        resetCursor(scope, value, inner, resource.position);
        for (let span = nextField(scope, ScopeSpansField.spans); span >= 0; ) {
          if (readSpanHead(value, span, scope.position, head)) ends.push(pairToMs(head.endHigh, head.endLow));
          span = nextField(scope, ScopeSpansField.spans);
        }
        inner = nextField(resource, ResourceSpansField.scopeSpans);
      }
      at = nextField(outer, TracesDataField.resourceSpans);
    }
    return ends;
  };
}
