/**
 * OTLP/JSON (an HTTP body, or one line of the Collector's file exporter) to the same TracesData bytes that protobuf
 * clients send: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding". Unknown fields are ignored.
 */
import { BackwardWriter } from './backward-writer.ts';
import { SpanRejection } from './check-span.ts';
import {
  AnyValueField,
  EventField,
  KeyValueField,
  LinkField,
  ResourceField,
  ResourceSpansField,
  ScopeField,
  ScopeSpansField,
  SpanField,
  StatusField,
  TracesDataField,
} from './fields.ts';
import { type Pair, parseJson, readInt64, readUint64 } from './json-numbers.ts';

export interface JsonResult {
  /** `malformed`: not JSON, or not a TracesData object; then `bytes` is empty and `problem` says what. */
  readonly outcome: 'read' | 'malformed';
  readonly bytes: Uint8Array;
  /** Spans in `bytes`. */
  readonly spans: number;
  readonly rejected: number;
  /** Rejected spans by SpanRejection. */
  readonly reasons: readonly number[];
  readonly problem?: string;
}

type Json = Record<string, unknown>;

/** Nesting of array and map values beyond this is dropped: recursion must not be the sender's to choose. */
const MAX_DEPTH = 64;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** A repeated field: absent and null are empty; undefined = it is something else. */
const listOf = (value: unknown): readonly unknown[] | undefined =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : undefined;

export function jsonToTracesData(text: string): JsonResult {
  let data: unknown;
  try {
    data = parseJson(text);
  } catch (error) {
    return malformed(`not JSON: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
  return objectToTracesData(data, text.length);
}

/** The same for JSON that is parsed already; `bytes` is about how many its text has. */
export const objectToTracesData = (data: unknown, bytes: number): JsonResult => new TracesDataWriter(bytes).write(data);

const malformed = (problem: string): JsonResult => ({
  outcome: 'malformed',
  bytes: new Uint8Array(0),
  spans: 0,
  rejected: 0,
  reasons: [0, 0, 0, 0, 0],
  problem,
});

/** Writes one parsed document. Lists are walked from their end, as the writer writes backwards. */
class TracesDataWriter {
  readonly #out: BackwardWriter;
  readonly #pair: Pair = { high: 0, low: 0 };
  readonly #reasons = [0, 0, 0, 0, 0];
  #spans = 0;
  #rejected = 0;

  constructor(textLength: number) {
    this.#out = new BackwardWriter(textLength + 64); // protobuf is shorter than its JSON
  }

  write(data: unknown): JsonResult {
    if (!isObject(data)) return malformed('not an object');
    const resources = listOf(data.resourceSpans);
    if (resources === undefined) return malformed('resourceSpans is not an array');
    for (let i = resources.length - 1; i >= 0; i--) {
      const from = this.#out.length;
      const problem = this.#resourceSpans(resources[i]);
      if (problem !== undefined) return malformed(problem);
      this.#out.message(TracesDataField.resourceSpans, from);
    }
    return {
      outcome: 'read',
      bytes: this.#out.finish(),
      spans: this.#spans,
      rejected: this.#rejected,
      reasons: this.#reasons,
    };
  }

  /** What is wrong, or undefined. */
  #resourceSpans(item: unknown): string | undefined {
    if (!isObject(item)) return 'resourceSpans: not an object';
    const out = this.#out;
    if (typeof item.schemaUrl === 'string') out.text(ResourceSpansField.schemaUrl, item.schemaUrl);
    const scopes = listOf(item.scopeSpans);
    if (scopes === undefined) return 'scopeSpans is not an array';
    for (let i = scopes.length - 1; i >= 0; i--) {
      const from = out.length;
      const problem = this.#scopeSpans(scopes[i]);
      if (problem !== undefined) return problem;
      out.message(ResourceSpansField.scopeSpans, from);
    }
    if (item.resource === undefined || item.resource === null) return undefined;
    if (!isObject(item.resource)) return 'resource is not an object';
    const from = out.length;
    this.#count(ResourceField.droppedAttributesCount, item.resource.droppedAttributesCount);
    if (!this.#attributes(ResourceField.attributes, item.resource.attributes, 0))
      return 'resource attributes: bad value';
    out.message(ResourceSpansField.resource, from);
    return undefined;
  }

  #scopeSpans(item: unknown): string | undefined {
    if (!isObject(item)) return 'scopeSpans: not an object';
    const out = this.#out;
    if (typeof item.schemaUrl === 'string') out.text(ScopeSpansField.schemaUrl, item.schemaUrl);
    const spans = listOf(item.spans);
    if (spans === undefined) return 'spans is not an array';
    for (let i = spans.length - 1; i >= 0; i--) {
      const from = out.length;
      const reason = this.#span(spans[i]);
      if (reason === SpanRejection.none) {
        out.message(ScopeSpansField.spans, from);
        this.#spans++;
      } else {
        out.rewind(from);
        this.#rejected++;
        this.#reasons[reason]!++;
      }
    }
    if (item.scope === undefined || item.scope === null) return undefined;
    if (!isObject(item.scope)) return 'scope is not an object';
    const from = out.length;
    if (!this.#attributes(ScopeField.attributes, item.scope.attributes, 0)) return 'scope attributes: bad value';
    if (typeof item.scope.version === 'string') out.text(ScopeField.version, item.scope.version);
    if (typeof item.scope.name === 'string') out.text(ScopeField.name, item.scope.name);
    out.message(ScopeSpansField.scope, from);
    return undefined;
  }

  #span(span: unknown): SpanRejection {
    if (!isObject(span)) return SpanRejection.malformed;
    const out = this.#out;
    if (span.flags !== undefined && span.flags !== null) {
      if (!readUint64(span.flags, this.#pair)) return SpanRejection.malformed;
      out.fixed32(SpanField.flags, this.#pair.low);
    }
    if (isObject(span.status)) {
      const from = out.length;
      const code = enumOf(span.status.code, STATUS_CODES);
      if (code > 0) out.uint32(StatusField.code, code);
      if (typeof span.status.message === 'string' && span.status.message !== '')
        out.text(StatusField.message, span.status.message);
      out.message(SpanField.status, from);
    }
    this.#count(SpanField.droppedLinksCount, span.droppedLinksCount);
    if (!this.#links(span.links)) return SpanRejection.malformed;
    this.#count(SpanField.droppedEventsCount, span.droppedEventsCount);
    if (!this.#events(span.events)) return SpanRejection.malformed;
    this.#count(SpanField.droppedAttributesCount, span.droppedAttributesCount);
    if (!this.#attributes(SpanField.attributes, span.attributes, 0)) return SpanRejection.malformed;
    if (!this.#time(SpanField.endTimeUnixNano, span.endTimeUnixNano)) return SpanRejection.malformed;
    if (!this.#time(SpanField.startTimeUnixNano, span.startTimeUnixNano)) return SpanRejection.malformed;
    const kind = enumOf(span.kind, SPAN_KINDS);
    if (kind > 0) out.uint32(SpanField.kind, kind);
    if (typeof span.name === 'string') out.text(SpanField.name, span.name);
    const parent = span.parentSpanId;
    if (typeof parent === 'string' && !/^0*$/.test(parent) && !out.hex(SpanField.parentSpanId, parent, 8))
      return SpanRejection.spanId;
    if (typeof span.traceState === 'string' && span.traceState !== '') out.text(SpanField.traceState, span.traceState);
    if (!out.hex(SpanField.spanId, span.spanId, 8)) return SpanRejection.spanId;
    return out.hex(SpanField.traceId, span.traceId, 16) ? SpanRejection.none : SpanRejection.traceId;
  }

  #time(field: number, value: unknown): boolean {
    if (value === undefined || value === null) return true;
    if (!readUint64(value, this.#pair)) return false;
    this.#out.fixed64(field, this.#pair.high, this.#pair.low);
    return true;
  }

  /** An informative counter: one that can't be read is left out. */
  #count(field: number, value: unknown): void {
    if (value !== undefined && value !== null && readUint64(value, this.#pair) && this.#pair.low > 0)
      this.#out.uint32(field, this.#pair.low);
  }

  #events(value: unknown): boolean {
    const events = listOf(value);
    if (events === undefined) return false;
    for (let i = events.length - 1; i >= 0; i--) {
      const event = events[i];
      if (!isObject(event)) return false;
      const from = this.#out.length;
      if (!this.#attributes(EventField.attributes, event.attributes, 0)) return false;
      if (typeof event.name === 'string') this.#out.text(EventField.name, event.name);
      if (!this.#time(EventField.timeUnixNano, event.timeUnixNano)) return false;
      this.#out.message(SpanField.events, from);
    }
    return true;
  }

  /** A link without valid ids leads nowhere and is left out. */
  #links(value: unknown): boolean {
    const links = listOf(value);
    if (links === undefined) return false;
    const out = this.#out;
    for (let i = links.length - 1; i >= 0; i--) {
      const link = links[i];
      if (!isObject(link)) return false;
      const from = out.length;
      if (link.flags !== undefined && readUint64(link.flags, this.#pair)) out.fixed32(LinkField.flags, this.#pair.low);
      if (!this.#attributes(LinkField.attributes, link.attributes, 0)) return false;
      if (typeof link.traceState === 'string' && link.traceState !== '')
        out.text(LinkField.traceState, link.traceState);
      if (out.hex(LinkField.spanId, link.spanId, 8) && out.hex(LinkField.traceId, link.traceId, 16))
        out.message(SpanField.links, from);
      else out.rewind(from);
    }
    return true;
  }

  #attributes(field: number, value: unknown, depth: number): boolean {
    const attributes = listOf(value);
    if (attributes === undefined) return false;
    const out = this.#out;
    for (let i = attributes.length - 1; i >= 0; i--) {
      const attribute = attributes[i];
      if (!isObject(attribute)) return false;
      const from = out.length;
      if (attribute.value !== undefined && attribute.value !== null) {
        if (!this.#anyValue(attribute.value, depth)) return false;
        out.message(KeyValueField.value, from);
      }
      if (typeof attribute.key !== 'string') return false;
      out.text(KeyValueField.key, attribute.key);
      out.message(field, from);
    }
    return true;
  }

  /** The fields of one AnyValue; false when its value is not of the type its name says. */
  #anyValue(value: unknown, depth: number): boolean {
    if (!isObject(value)) return false;
    const out = this.#out;
    if (value.stringValue !== undefined && value.stringValue !== null) {
      if (typeof value.stringValue !== 'string') return false;
      out.text(AnyValueField.string, value.stringValue);
    } else if (value.intValue !== undefined && value.intValue !== null) {
      if (!readInt64(value.intValue, this.#pair)) return false;
      out.varint64(AnyValueField.int, this.#pair.high, this.#pair.low);
    } else if (value.boolValue !== undefined && value.boolValue !== null) {
      if (typeof value.boolValue !== 'boolean') return false;
      out.uint32(AnyValueField.bool, value.boolValue ? 1 : 0);
    } else if (value.doubleValue !== undefined && value.doubleValue !== null) {
      const double = doubleOf(value.doubleValue);
      if (double === undefined) return false;
      out.double(AnyValueField.double, double);
    } else if (value.bytesValue !== undefined && value.bytesValue !== null) {
      if (typeof value.bytesValue !== 'string') return false;
      out.raw(AnyValueField.bytes, Buffer.from(value.bytesValue, 'base64'));
    } else if (isObject(value.arrayValue)) return this.#array(value.arrayValue, depth + 1);
    else if (isObject(value.kvlistValue)) {
      const from = out.length;
      if (depth < MAX_DEPTH && !this.#attributes(1, value.kvlistValue.values, depth + 1)) return false;
      out.message(AnyValueField.kvlist, from);
    }
    return true;
  }

  #array(array: Json, depth: number): boolean {
    const values = listOf(array.values);
    if (values === undefined) return false;
    const from = this.#out.length;
    for (let i = depth > MAX_DEPTH ? -1 : values.length - 1; i >= 0; i--) {
      const item = this.#out.length;
      if (values[i] !== null && !this.#anyValue(values[i], depth)) return false;
      this.#out.message(1, item);
    }
    this.#out.message(AnyValueField.array, from);
    return true;
  }
}

const SPAN_KINDS: ReadonlyMap<string, number> = new Map([
  ['SPAN_KIND_INTERNAL', 1],
  ['SPAN_KIND_SERVER', 2],
  ['SPAN_KIND_CLIENT', 3],
  ['SPAN_KIND_PRODUCER', 4],
  ['SPAN_KIND_CONSUMER', 5],
]);
const STATUS_CODES: ReadonlyMap<string, number> = new Map([
  ['STATUS_CODE_OK', 1],
  ['STATUS_CODE_ERROR', 2],
]);

/** An enum as a number, a numeric string or its name; unknown = 0. */
function enumOf(value: unknown, names: ReadonlyMap<string, number>): number {
  if (typeof value === 'string') return names.get(value) ?? enumOf(Number(value), names);
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= names.size ? value : 0;
}

/** A double as protobuf's JSON has it: a number, a numeric string, or NaN, Infinity, -Infinity as strings. */
function doubleOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value === '') return undefined;
  const number = Number(value);
  return Number.isNaN(number) && value !== 'NaN' ? undefined : number;
}
