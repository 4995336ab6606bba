/**
 * Rows of `otel_traces` (001_otel_traces.sql) in RowBinary, straight from OTLP bytes, with the values that the OTel
 * Collector's ClickHouse exporter writes. Hot path: no object a span or attribute.
 */
import { createCursor, nextField, resetCursor } from '../otlp/cursor.ts';
import { EventField, LinkField, ScopeField, SpanField } from '../otlp/fields.ts';
import {
  createEventView,
  createLinkView,
  createSpanHead,
  pairDifference,
  pairToMs,
  readEvent,
  readLink,
  readSpanHead,
  type SpanHead,
} from '../otlp/read-span.ts';
import { hexOfPair, textOf } from '../otlp/text.ts';
import { writeAttributes } from './attribute-row.ts';
import {
  type ByteSink,
  writeBytes,
  writeHex,
  writeHexPair,
  writePair,
  writeRaw,
  writeText,
  writeUint8,
  writeUint64,
  writeVarUint,
} from './byte-sink.ts';
import type { Redactor } from './redactor.ts';
import { createResourceRows, type ResourceRows } from './resource-row.ts';
import { isSpanTimeBelieved, SPAN_FUTURE_MS } from './span-time.ts';

/** The part of traces/segment.ts SegmentSpans that rows are made of. */
export interface SpanPlaces {
  readonly records: readonly Uint8Array[];
  readonly spanCount: number;
  /** SPAN_PLACE_STRIDE integers a span: record index, then ranges of resource, scope and span message. */
  readonly places: Int32Array;
  /** Log-append time of the first record, milliseconds. */
  readonly appendMs: number;
}

/** traces/segment.ts PLACE_STRIDE. */
export const SPAN_PLACE_STRIDE = 7;

/** Columns in the order they are written. */
export const SPAN_COLUMNS = [
  'Timestamp',
  'TraceId',
  'SpanId',
  'ParentSpanId',
  'TraceState',
  'SpanName',
  'SpanKind',
  'ServiceName',
  'ResourceAttributes',
  'ScopeName',
  'ScopeVersion',
  'SpanAttributes',
  'Duration',
  'StatusCode',
  'StatusMessage',
  'Events.Timestamp',
  'Events.Name',
  'Events.Attributes',
  'Links.TraceId',
  'Links.SpanId',
  'Links.TraceState',
  'Links.Attributes',
] as const;

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'].map(prefixed);
const STATUSES = ['Unset', 'Ok', 'Error'].map(prefixed);

/** A short text with its length in front, ready to copy. */
function prefixed(text: string): Uint8Array {
  return Buffer.from([text.length, ...Buffer.from(text)]);
}

/** What was odd in the spans written so far. */
export interface SpanRowCounts {
  rows: number;
  /** Start out of range: the append time stands. */
  clamped: number;
  /** End before start, or out of range: duration 0. */
  durationless: number;
  /** Spans that cannot be read: no row. */
  malformed: number;
  /** Attributes, events and links that cannot be read. */
  malformedParts: number;
  /** Rows left out because they are stored already. */
  skipped: number;
}

export interface SpanRowWriter {
  readonly counts: SpanRowCounts;
  /**
   * Appends the row of span `index`; false when there is none to write. Same bytes for the same segment, always. A span whose
   * id (16 hex digits) is in `knownSpanIds` is left out; any other is added to it.
   */
  writeSpan(sink: ByteSink, segment: SpanPlaces, index: number, knownSpanIds?: Set<string>): boolean;
}

export function createSpanRowWriter(redactor: Redactor): SpanRowWriter {
  const counts: SpanRowCounts = { rows: 0, clamped: 0, durationless: 0, malformed: 0, malformedParts: 0, skipped: 0 };
  const resources: ResourceRows = createResourceRows(redactor);
  const head = createSpanHead();
  return {
    counts,
    writeSpan(sink, segment, index, knownSpanIds) {
      const { places } = segment;
      const at = index * SPAN_PLACE_STRIDE;
      const bytes = segment.records[places[at]!]!;
      if (!readSpanHead(bytes, places[at + 5]!, places[at + 6]!, head)) {
        counts.malformed++;
        return false;
      }
      if (knownSpanIds !== undefined) {
        const spanId = hexOfPair(head.spanIdHigh, head.spanIdLow);
        if (knownSpanIds.has(spanId)) {
          counts.skipped++;
          return false;
        }
        knownSpanIds.add(spanId);
      }
      writeStart(sink, head, segment.appendMs, counts);
      writeHex(sink, bytes, head.traceIdStart, 16);
      writeHexPair(sink, head.spanIdHigh, head.spanIdLow);
      if (head.parentHigh === 0 && head.parentLow === 0) writeUint8(sink, 0);
      else writeHexPair(sink, head.parentHigh, head.parentLow);
      writeBytes(sink, bytes, head.traceStateStart, head.traceStateEnd);
      writeLooked(sink, redactor, bytes, head.nameStart, head.nameEnd);
      const kind = KINDS[head.kind]!;
      writeRaw(sink, kind, 0, kind.length);
      resources.write(sink, bytes, places[at + 1]!, places[at + 2]!);
      writeScope(sink, bytes, places[at + 3]!, places[at + 4]!);
      counts.malformedParts += writeAttributes(
        sink,
        redactor,
        cursor,
        bytes,
        head.firstAttribute,
        head.end,
        SpanField.attributes,
        head.attributeCount,
      );
      writeDuration(sink, head, segment.appendMs, counts);
      const status = STATUSES[head.statusCode]!;
      writeRaw(sink, status, 0, status.length);
      writeLooked(sink, redactor, bytes, head.statusMessageStart, head.statusMessageEnd);
      counts.malformedParts += writeEvents(sink, redactor, bytes);
      counts.malformedParts += writeLinks(sink, redactor, bytes);
      counts.rows++;
      return true;
    },
  };

  function writeEvents(out: ByteSink, redact: Redactor, bytes: Uint8Array): number {
    if (head.eventCount === 0) return writeEmptyArrays(out, 3);
    let good = 0;
    resetCursor(outer, bytes, head.firstEvent, head.end);
    for (let at = nextField(outer, SpanField.events); at >= 0; at = nextField(outer, SpanField.events))
      if (readEvent(bytes, at, outer.position, event)) good++;
    let malformed = head.eventCount - good;
    for (let column = 0; column < 3; column++) {
      writeVarUint(out, good);
      resetCursor(outer, bytes, head.firstEvent, head.end);
      for (let at = nextField(outer, SpanField.events); at >= 0; at = nextField(outer, SpanField.events)) {
        if (!readEvent(bytes, at, outer.position, event)) continue;
        if (column === 0) writePair(out, event.timeHigh < 0x80000000 ? event.timeHigh : 0, event.timeLow);
        else if (column === 1) writeLooked(out, redact, bytes, event.nameStart, event.nameEnd);
        else
          malformed += writeAttributes(
            out,
            redact,
            cursor,
            bytes,
            event.firstAttribute,
            event.end,
            EventField.attributes,
            event.attributeCount,
          );
      }
    }
    return malformed;
  }

  function writeLinks(out: ByteSink, redact: Redactor, bytes: Uint8Array): number {
    if (head.linkCount === 0) return writeEmptyArrays(out, 4);
    let good = 0;
    resetCursor(outer, bytes, head.firstLink, head.end);
    for (let at = nextField(outer, SpanField.links); at >= 0; at = nextField(outer, SpanField.links))
      if (readLink(bytes, at, outer.position, link)) good++;
    let malformed = head.linkCount - good;
    for (let column = 0; column < 4; column++) {
      writeVarUint(out, good);
      resetCursor(outer, bytes, head.firstLink, head.end);
      for (let at = nextField(outer, SpanField.links); at >= 0; at = nextField(outer, SpanField.links)) {
        if (!readLink(bytes, at, outer.position, link)) continue;
        if (column === 0) writeHex(out, bytes, link.traceIdStart, 16);
        else if (column === 1) writeHexPair(out, link.spanIdHigh, link.spanIdLow);
        else if (column === 2) writeBytes(out, bytes, link.traceStateStart, link.traceStateEnd);
        else
          malformed += writeAttributes(
            out,
            redact,
            cursor,
            bytes,
            link.firstAttribute,
            link.end,
            LinkField.attributes,
            link.attributeCount,
          );
      }
    }
    return malformed;
  }
}

/** Appends the rows of all spans of a segment. */
export function writeSpanRows(
  writer: SpanRowWriter,
  sink: ByteSink,
  segment: SpanPlaces,
  knownSpanIds?: Set<string>,
): void {
  for (let i = 0; i < segment.spanCount; i++) writer.writeSpan(sink, segment, i, knownSpanIds);
}

const cursor = createCursor(new Uint8Array(0));
const outer = createCursor(new Uint8Array(0));
const event = createEventView();
const link = createLinkView();

function writeEmptyArrays(sink: ByteSink, count: number): number {
  for (let i = 0; i < count; i++) writeUint8(sink, 0);
  return 0;
}

/** A text of no attribute of its own (span name, status message): secrets inside it are replaced. */
function writeLooked(sink: ByteSink, redactor: Redactor, bytes: Uint8Array, start: number, end: number): void {
  if (end > start && redactor.suspects(bytes, start, end)) writeText(sink, redactor.look(textOf(bytes, start, end)));
  else writeBytes(sink, bytes, start, end);
}

function writeStart(sink: ByteSink, head: SpanHead, appendMs: number, counts: SpanRowCounts): void {
  if (isSpanTimeBelieved(pairToMs(head.startHigh, head.startLow), appendMs)) {
    writePair(sink, head.startHigh, head.startLow);
    return;
  }
  counts.clamped++;
  // appendMs · 10⁶ does not fit a float's 53 bits exactly: the product is made in halves of the multiplicand.
  const upper = Math.floor(appendMs / 65_536) * 1e6;
  const lower = (appendMs % 65_536) * 1e6;
  const low = (upper % 65_536) * 65_536 + lower;
  writePair(sink, Math.floor(upper / 65_536) + Math.floor(low / 4294967296), low % 4294967296);
}

function writeDuration(sink: ByteSink, head: SpanHead, appendMs: number, counts: SpanRowCounts): void {
  const ns = pairDifference(head.startHigh, head.startLow, head.endHigh, head.endLow);
  if (ns >= 0 && pairToMs(head.endHigh, head.endLow) <= appendMs + SPAN_FUTURE_MS) writeUint64(sink, ns);
  else {
    counts.durationless++;
    writeUint64(sink, 0);
  }
}

/** ScopeName and ScopeVersion of the InstrumentationScope message in [start, end). */
function writeScope(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void {
  for (let column = 0; column < 2; column++) {
    resetCursor(cursor, bytes, start, end);
    const at = end > start ? nextField(cursor, column === 0 ? ScopeField.name : ScopeField.version) : -1;
    if (at < 0) writeUint8(sink, 0);
    else writeBytes(sink, bytes, at, cursor.position);
  }
}
