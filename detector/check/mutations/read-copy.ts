/** From the bytes of records, or of an assembled segment, to a copy of the trace as plain objects. */
import { type Cursor, createCursor, nextField } from '../../../schemas/otlp/cursor.ts';
import { AnyValueField, EventField, ResourceField, SpanField } from '../../../schemas/otlp/fields.ts';
import {
  attributeKey,
  createKeyValueView,
  type KeyValueView,
  readAnyValue,
  readKeyValue,
} from '../../../schemas/otlp/read-attributes.ts';
import {
  createEventView,
  createLinkView,
  createSpanHead,
  pairDifference,
  readEvent,
  readLink,
  readSpanHead,
  type SpanHead,
} from '../../../schemas/otlp/read-span.ts';
import { base64Of, hexOf, hexOfPair, textOf } from '../../../schemas/otlp/text.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';
import { placesOf } from './places.ts';
import {
  attributeOf,
  type CopiedAttribute,
  type CopiedEvent,
  type CopiedLink,
  type CopiedResource,
  type CopiedSpan,
  type CopiedValue,
  labelOf,
  type TraceCopy,
} from './trace-copy.ts';

/** Label of the span whose resource and span messages lie there: a reader's `labelAt` with the text of what it says. */
export type LabelAt = (
  bytes: Uint8Array,
  resourceStart: number,
  resourceEnd: number,
  spanStart: number,
  spanEnd: number,
) => string;

/** The spans of these TracesData records that share the first one's trace id; undefined when none can be read. */
export function copyOfRecords(records: readonly Uint8Array[], labelAt?: LabelAt): TraceCopy | undefined {
  const places = records.flatMap((bytes, i) => placesOf(bytes, i));
  const copy = readCopy(records, places, labelAt);
  if (copy === undefined) return undefined;
  // the entry first: the span whose parent is not there, the earliest of several
  const ids = new Set(copy.spans.map(({ spanId }) => spanId));
  const entry = copy.spans
    .filter(({ parentId }) => !ids.has(parentId))
    .reduce<CopiedSpan | undefined>((a, b) => (a === undefined || b.startNs < a.startNs ? b : a), undefined);
  if (entry === undefined) return copy;
  return { ...copy, spans: [entry, ...copy.spans.filter((span) => span !== entry)] };
}

/** An assembled segment; undefined when not even its entry can be read. */
export const copyOfSegment = (spans: SegmentSpans, labelAt?: LabelAt): TraceCopy | undefined =>
  readCopy(spans.records, spans.places.subarray(0, spans.spanCount * PLACE_STRIDE), labelAt);

function readCopy(
  records: readonly Uint8Array[],
  places: ArrayLike<number>,
  labelAt: LabelAt | undefined,
): TraceCopy | undefined {
  const head = createSpanHead();
  const resources = new Map<string, CopiedResource>();
  const seen = new Set<string>();
  const spans: CopiedSpan[] = [];
  let traceId = '';
  let baseHigh = 0;
  let baseLow = 0;
  for (let at = 0; at < places.length; at += PLACE_STRIDE) {
    const bytes = records[places[at]!]!;
    const resourceStart = places[at + 1]!;
    const resourceEnd = places[at + 2]!;
    if (!readSpanHead(bytes, places[at + 5]!, places[at + 6]!, head)) {
      if (at === 0) return undefined;
      continue;
    }
    const trace = hexOf(bytes, head.traceIdStart, 16);
    if (spans.length === 0) {
      traceId = trace;
      baseHigh = head.startHigh;
      baseLow = head.startLow;
    } else if (trace !== traceId) continue;
    const spanId = hexOfPair(head.spanIdHigh, head.spanIdLow);
    if (seen.has(spanId)) continue;
    seen.add(spanId);
    const resource = resourceAt(bytes, resourceStart, resourceEnd);
    const span = spanOf(head, spanId, resource, baseHigh, baseLow);
    span.label = labelAt?.(bytes, resourceStart, resourceEnd, places[at + 5]!, places[at + 6]!) ?? labelOf(span);
    spans.push(span);
  }
  if (spans.length === 0) return undefined;
  return { traceId, baseNs: (BigInt(baseHigh) << 32n) | BigInt(baseLow), spans };

  /** Equal resources are one object, so that the copy groups its spans as its process did. */
  function resourceAt(bytes: Uint8Array, start: number, end: number): CopiedResource {
    const key = base64Of(bytes, start, end);
    let known = resources.get(key);
    if (known === undefined) {
      const attributes = attributesOf(createCursor(bytes, start, end), ResourceField.attributes);
      known = { service: attributeOf(attributes, 'service.name') ?? '', attributes };
      resources.set(key, known);
    }
    return known;
  }
}

function spanOf(
  head: SpanHead,
  spanId: string,
  resource: CopiedResource,
  baseHigh: number,
  baseLow: number,
): CopiedSpan {
  const { bytes } = head;
  const from = (first: number): Cursor => createCursor(bytes, first, head.end);
  const startNs = pairDifference(baseHigh, baseLow, head.startHigh, head.startLow);
  return {
    spanId,
    parentId: head.parentHigh === 0 && head.parentLow === 0 ? '' : hexOfPair(head.parentHigh, head.parentLow),
    resource,
    label: '',
    name: textOf(bytes, head.nameStart, head.nameEnd),
    kind: head.kind,
    startNs,
    endNs: startNs + Math.max(0, pairDifference(head.startHigh, head.startLow, head.endHigh, head.endLow)),
    attributes: head.attributeCount === 0 ? [] : attributesOf(from(head.firstAttribute), SpanField.attributes),
    events: head.eventCount === 0 ? [] : eventsOf(from(head.firstEvent)),
    links: head.linkCount === 0 ? [] : linksOf(from(head.firstLink)),
    statusCode: head.statusCode,
    statusMessage: textOf(bytes, head.statusMessageStart, head.statusMessageEnd),
    traceState: textOf(bytes, head.traceStateStart, head.traceStateEnd),
    flags: head.hasFlags ? head.flags : undefined,
  };
}

function attributesOf(cursor: Cursor, field: number): CopiedAttribute[] {
  const found: CopiedAttribute[] = [];
  const view = createKeyValueView();
  for (let at = nextField(cursor, field); at >= 0; at = nextField(cursor, field)) {
    if (readKeyValue(cursor.bytes, at, cursor.position, view))
      found.push({ key: attributeKey(view), value: plainValue(view, 0) });
  }
  return found;
}

function eventsOf(cursor: Cursor): CopiedEvent[] {
  const found: CopiedEvent[] = [];
  const view = createEventView();
  for (let at = nextField(cursor, SpanField.events); at >= 0; at = nextField(cursor, SpanField.events)) {
    if (!readEvent(cursor.bytes, at, cursor.position, view)) continue;
    found.push({
      name: textOf(cursor.bytes, view.nameStart, view.nameEnd),
      timeUnixNano: String((BigInt(view.timeHigh) << 32n) | BigInt(view.timeLow)),
      attributes: attributesOf(createCursor(cursor.bytes, at, cursor.position), EventField.attributes),
    });
  }
  return found;
}

function linksOf(cursor: Cursor): CopiedLink[] {
  const found: CopiedLink[] = [];
  const view = createLinkView();
  for (let at = nextField(cursor, SpanField.links); at >= 0; at = nextField(cursor, SpanField.links)) {
    if (readLink(cursor.bytes, at, cursor.position, view))
      found.push({
        traceId: hexOf(cursor.bytes, view.traceIdStart, 16),
        spanId: hexOfPair(view.spanIdHigh, view.spanIdLow),
      });
  }
  return found;
}

/** Nesting beyond this is left out: recursion must not be the sender's to choose. */
const MAX_DEPTH = 16;

function plainValue(view: KeyValueView, depth: number): CopiedValue {
  const { bytes, valueStart, valueEnd } = view;
  switch (view.type) {
    case AnyValueField.string:
      return { stringValue: textOf(bytes, valueStart, valueEnd) };
    case AnyValueField.bool:
      return { boolValue: view.number !== 0 };
    case AnyValueField.int:
      return { intValue: String((BigInt(view.intHigh | 0) << 32n) | BigInt(view.intLow)) };
    case AnyValueField.double:
      return { doubleValue: Number.isFinite(view.number) ? view.number : String(view.number) };
    case AnyValueField.bytes:
      return { bytesValue: base64Of(bytes, valueStart, valueEnd) };
    case AnyValueField.array: {
      const values: CopiedValue[] = [];
      const cursor = createCursor(bytes, valueStart, valueEnd);
      const element = createKeyValueView();
      for (let at = nextField(cursor, 1); at >= 0 && depth < MAX_DEPTH; at = nextField(cursor, 1))
        if (readAnyValue(bytes, at, cursor.position, element)) values.push(plainValue(element, depth + 1));
      return { arrayValue: { values } };
    }
    case AnyValueField.kvlist: {
      const values = depth < MAX_DEPTH ? entriesOf(createCursor(bytes, valueStart, valueEnd), depth + 1) : [];
      return { kvlistValue: { values } };
    }
    default:
      return {};
  }
}

function entriesOf(cursor: Cursor, depth: number): CopiedAttribute[] {
  const found: CopiedAttribute[] = [];
  const view = createKeyValueView();
  for (let at = nextField(cursor, 1); at >= 0; at = nextField(cursor, 1))
    if (readKeyValue(cursor.bytes, at, cursor.position, view))
      found.push({ key: attributeKey(view), value: plainValue(view, depth) });
  return found;
}
