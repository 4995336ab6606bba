/**
 * Cuts a request (ExportTraceServiceRequest or TracesData: the same wire form) by trace id into one TracesData body a
 * trace, by copying byte ranges: spans are not decoded, only their ids are looked at. The resource and scope messages of
 * the spans are repeated in each body. Bad spans are left out one by one and counted.
 */
import { type CheckedSpan, checkSpan, SpanRejection } from './check-span.ts';
import { createCursor, readLength, readVarint, resetCursor, skipField } from './cursor.ts';
import { hexOf } from './text.ts';
import { createTraceTable } from './trace-table.ts';

export interface CutLimits {
  /** A record is never larger; a trace that is gets several, a span that is gets rejected. */
  readonly maxRecordBytes: number;
  /** All records of one request together: repeating large resources for many traces could multiply a request. */
  readonly maxOutputBytes: number;
}

/** Gets each record: 32-character lowercase hex trace id, TracesData bytes that nobody writes again, number of spans. */
export type CutSink = (traceId: string, value: Uint8Array, spans: number) => void;

export interface CutResult {
  /** `malformed`: the bytes around the spans are damaged. `too-large`: over maxOutputBytes. Then nothing was given to the sink. */
  readonly outcome: 'cut' | 'malformed' | 'too-large';
  /** Spans given to the sink. */
  readonly spans: number;
  readonly records: number;
  /** Bytes of all records. */
  readonly bytes: number;
  readonly rejected: number;
  /** Rejected spans by SpanRejection. */
  readonly reasons: readonly number[];
}

export interface TraceCutter {
  /** Not re-entrant: the sink must not call `cut`. */
  cut(body: Uint8Array, sink: CutSink): CutResult;
}

const RESOURCE_SPANS = 0x0a; // TracesData.resource_spans
const SCOPE_SPANS = 0x12; // ResourceSpans.scope_spans
const SPANS = 0x12; // ScopeSpans.spans
/** Tag and longest length (2²⁸ bytes) of one message around the spans. */
const FRAME = 6;
const NO_REASONS: readonly number[] = [0, 0, 0, 0, 0];

/** Int32 columns that grow together by doubling. */
const grow = (column: Int32Array): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
};

/** `seed` keeps senders from choosing trace ids that collide in the table: give a random one. */
export function createTraceCutter(limits: CutLimits, seed: number): TraceCutter {
  const { maxRecordBytes, maxOutputBytes } = limits;

  // One row a span: its field from the tag on, its scope, its trace, the span before it in the same trace.
  let spanAt = new Int32Array(1024);
  let spanEnd = new Int32Array(1024);
  let spanScope = new Int32Array(1024);
  let spanTrace = new Int32Array(1024);
  let spanBefore = new Int32Array(1024);
  let spanCount = 0;
  // One row a trace: its last span, an upper bound of its record, its spans.
  const traces = createTraceTable(seed);
  let traceLast = new Int32Array(256);
  let traceBytes = new Int32Array(256);
  let traceSpans = new Int32Array(256);
  // One row a scope or resource with spans: what of it is not spans, as pairs (start, end) in its list of ranges.
  let scopeResource = new Int32Array(64);
  let scopeHeadBytes = new Int32Array(64);
  let scopeRange = new Int32Array(65);
  let scopeRanges = new Int32Array(256);
  let scopeCount = 0;
  let resourceHeadBytes = new Int32Array(64);
  let resourceRange = new Int32Array(65);
  let resourceRanges = new Int32Array(256);
  let resourceCount = 0;

  let rejected = 0;
  let reasons: number[] = [];
  const checked: CheckedSpan = { traceIdAt: 0 };
  const outer = createCursor(new Uint8Array(0));
  const middle = createCursor(new Uint8Array(0));
  const inner = createCursor(new Uint8Array(0));

  const reject = (reason: SpanRejection): void => {
    if (rejected++ === 0) reasons = [0, 0, 0, 0, 0];
    reasons[reason] = reasons[reason]! + 1;
  };

  function addSpan(at: number, end: number, trace: number): void {
    if (spanCount === spanAt.length) {
      spanAt = grow(spanAt);
      spanEnd = grow(spanEnd);
      spanScope = grow(spanScope);
      spanTrace = grow(spanTrace);
      spanBefore = grow(spanBefore);
    }
    spanAt[spanCount] = at;
    spanEnd[spanCount] = end;
    spanScope[spanCount] = scopeCount;
    spanTrace[spanCount++] = trace;
  }

  /** Finds every span of the request; false when the bytes around them are malformed. */
  function walkRequest(body: Uint8Array): boolean {
    resetCursor(outer, body, 0, body.length);
    while (outer.position < outer.end) {
      const tag = readVarint(outer);
      if (tag === RESOURCE_SPANS) {
        const length = readLength(outer);
        if (outer.failed || !walkResource(body, outer.position, outer.position + length)) return false;
        outer.position += length;
      } else if (tag < 8) return false;
      else skipField(outer, tag & 7);
      if (outer.failed) return false;
    }
    return true;
  }

  function walkResource(body: Uint8Array, start: number, end: number): boolean {
    if (resourceCount === resourceHeadBytes.length) {
      resourceHeadBytes = grow(resourceHeadBytes);
      resourceRange = grow(resourceRange);
    }
    const firstScope = scopeCount;
    let ranges = resourceRange[resourceCount]!;
    let headBytes = 0;
    resetCursor(middle, body, start, end);
    while (middle.position < end) {
      const at = middle.position;
      const tag = readVarint(middle);
      if (tag === SCOPE_SPANS) {
        const length = readLength(middle);
        if (middle.failed || !walkScope(body, middle.position, middle.position + length)) return false;
        middle.position += length;
        continue;
      }
      if (tag < 8) return false;
      skipField(middle, tag & 7);
      if (middle.failed) return false;
      if (ranges + 2 > resourceRanges.length) resourceRanges = grow(resourceRanges);
      ranges = addRange(resourceRanges, resourceRange[resourceCount]!, ranges, at, middle.position);
      headBytes += middle.position - at;
    }
    if (scopeCount > firstScope) {
      resourceHeadBytes[resourceCount] = headBytes;
      resourceRange[++resourceCount] = ranges;
    }
    return true;
  }

  function walkScope(body: Uint8Array, start: number, end: number): boolean {
    if (scopeCount === scopeHeadBytes.length) {
      scopeResource = grow(scopeResource);
      scopeHeadBytes = grow(scopeHeadBytes);
      scopeRange = grow(scopeRange);
    }
    const firstSpan = spanCount;
    let ranges = scopeRange[scopeCount]!;
    let headBytes = 0;
    resetCursor(inner, body, start, end);
    while (inner.position < end) {
      const at = inner.position;
      const tag = readVarint(inner);
      if (tag === SPANS) {
        const length = readLength(inner);
        if (inner.failed) return false;
        const spanStart = inner.position;
        inner.position = spanStart + length;
        const reason = checkSpan(body, spanStart, inner.position, checked);
        if (reason === SpanRejection.none) addSpan(at, inner.position, traces.rowOf(body, checked.traceIdAt));
        else reject(reason);
        continue;
      }
      if (tag < 8) return false;
      skipField(inner, tag & 7);
      if (inner.failed) return false;
      if (ranges + 2 > scopeRanges.length) scopeRanges = grow(scopeRanges);
      ranges = addRange(scopeRanges, scopeRange[scopeCount]!, ranges, at, inner.position);
      headBytes += inner.position - at;
    }
    if (spanCount > firstSpan) {
      scopeResource[scopeCount] = resourceCount;
      scopeHeadBytes[scopeCount] = headBytes;
      scopeRange[++scopeCount] = ranges;
    }
    return true;
  }

  /** Bytes a span needs around it when the one after it in its record has `scope`; −1 = it is the record's last. */
  function frameBytes(span: number, scope: number): number {
    const own = spanScope[span]!;
    if (own === scope) return 0;
    const resource = scopeResource[own]!;
    const bytes = scopeHeadBytes[own]! + FRAME;
    return scope >= 0 && scopeResource[scope] === resource ? bytes : bytes + resourceHeadBytes[resource]! + FRAME;
  }

  /** Chains the spans of each trace and sums what its record will need; returns the sum of all. */
  function chainSpans(): number {
    while (traceLast.length < traces.count) {
      traceLast = grow(traceLast);
      traceBytes = grow(traceBytes);
      traceSpans = grow(traceSpans);
    }
    traceLast.fill(-1, 0, traces.count);
    traceBytes.fill(0, 0, traces.count);
    traceSpans.fill(0, 0, traces.count);
    let total = 0;
    for (let span = 0; span < spanCount; span++) {
      const length = spanEnd[span]! - spanAt[span]!;
      if (length + frameBytes(span, -1) > maxRecordBytes) {
        reject(SpanRejection.tooLarge);
        continue;
      }
      const trace = spanTrace[span]!;
      const before = traceLast[trace]!;
      const bytes = length + frameBytes(span, before < 0 ? -1 : spanScope[before]!);
      spanBefore[span] = before;
      traceLast[trace] = span;
      traceBytes[trace] = traceBytes[trace]! + bytes;
      traceSpans[trace] = traceSpans[trace]! + 1;
      total += bytes;
    }
    return total;
  }

  let output = new Uint8Array(0);
  /** Records are written from the end of `output` towards its start, so that a message's length is known when it is due. */
  let free = 0;

  function copyBack(body: Uint8Array, start: number, end: number): void {
    free -= end - start;
    output.set(body.subarray(start, end), free);
  }

  function frameBack(tag: number, length: number): void {
    const size = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
    free -= size;
    let rest = length;
    for (let i = 0; i < size - 1; i++) {
      output[free + i] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    output[free + size - 1] = rest;
    output[--free] = tag;
  }

  /** Writes the spans of one trace from `last` back to, not including, `stop`. */
  function writeRecord(body: Uint8Array, last: number, stop: number): Uint8Array {
    const recordEnd = free;
    let span = last;
    while (span !== stop) {
      const resourceEnd = free;
      const resource = scopeResource[spanScope[span]!]!;
      while (span !== stop && scopeResource[spanScope[span]!] === resource) {
        const scopeEnd = free;
        const scope = spanScope[span]!;
        while (span !== stop && spanScope[span] === scope) {
          const end = spanEnd[span]!;
          let start = spanAt[span]!;
          span = spanBefore[span]!;
          while (span !== stop && spanEnd[span] === start) {
            start = spanAt[span]!;
            span = spanBefore[span]!;
          }
          copyBack(body, start, end);
        }
        for (let i = scopeRange[scope + 1]! - 2; i >= scopeRange[scope]!; i -= 2)
          copyBack(body, scopeRanges[i]!, scopeRanges[i + 1]!);
        frameBack(SCOPE_SPANS, scopeEnd - free);
      }
      for (let i = resourceRange[resource + 1]! - 2; i >= resourceRange[resource]!; i -= 2)
        copyBack(body, resourceRanges[i]!, resourceRanges[i + 1]!);
      frameBack(RESOURCE_SPANS, resourceEnd - free);
    }
    return output.subarray(free, recordEnd);
  }

  let records = 0;
  let recordBytes = 0;

  function give(traceId: string, value: Uint8Array, spans: number, sink: CutSink): void {
    records++;
    recordBytes += value.length;
    sink(traceId, value, spans);
  }

  /** A trace beyond maxRecordBytes: as many records as it takes, each in a buffer of its own. */
  function writeSplit(body: Uint8Array, trace: number, traceId: string, sink: CutSink): void {
    let last = traceLast[trace]!;
    while (last >= 0) {
      let bytes = 0;
      let spans = 0;
      let scope = -1;
      let span = last;
      while (span >= 0) {
        const more = spanEnd[span]! - spanAt[span]! + frameBytes(span, scope);
        if (bytes + more > maxRecordBytes) break;
        bytes += more;
        spans++;
        scope = spanScope[span]!;
        span = spanBefore[span]!;
      }
      output = new Uint8Array(bytes);
      free = bytes;
      give(traceId, writeRecord(body, last, span), spans, sink);
      last = span;
    }
  }

  function reset(): void {
    spanCount = scopeCount = resourceCount = 0;
    rejected = records = recordBytes = 0;
    reasons = NO_REASONS as number[];
    traces.reset();
  }

  return {
    cut(body, sink) {
      reset();
      const failure = (outcome: CutResult['outcome']): CutResult => ({
        outcome,
        spans: 0,
        records: 0,
        bytes: 0,
        rejected,
        reasons,
      });
      if (!walkRequest(body)) return failure('malformed');
      const total = chainSpans();
      if (total > maxOutputBytes) return failure('too-large');
      let shared = 0;
      for (let trace = 0; trace < traces.count; trace++)
        if (traceBytes[trace]! <= maxRecordBytes) shared += traceBytes[trace]!;
      const sharedOutput = new Uint8Array(shared);
      let sharedFree = shared;
      let spans = 0;
      for (let trace = 0; trace < traces.count; trace++) {
        if (traceSpans[trace] === 0) continue;
        const traceId = hexOf(body, traces.idAt(trace), 16);
        spans += traceSpans[trace]!;
        if (traceBytes[trace]! > maxRecordBytes) writeSplit(body, trace, traceId, sink);
        else {
          output = sharedOutput;
          free = sharedFree;
          give(traceId, writeRecord(body, traceLast[trace]!, -1), traceSpans[trace]!, sink);
          sharedFree = free;
        }
      }
      output = new Uint8Array(0);
      return { outcome: 'cut', spans, records, bytes: recordBytes, rejected, reasons };
    },
  };
}

/** Appends a range, joined with the one before when they touch; returns the new end of the list. */
function addRange(ranges: Int32Array, first: number, count: number, start: number, end: number): number {
  if (count > first && ranges[count - 1] === start) {
    ranges[count - 1] = end;
    return count;
  }
  ranges[count] = start;
  ranges[count + 1] = end;
  return count + 2;
}
