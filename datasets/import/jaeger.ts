/**
 * Jaeger JSON, as its UI and `/api/traces` give it, to OTLP: a trace `{traceID, spans, processes}`, or a single span that
 * carries its `process`. By the specification's "OpenTelemetry to Jaeger Transformation" read backwards
 * (specification/trace/sdk_exporters/jaeger.md) and its OpenTracing compatibility (compatibility/opentracing.md, logs and
 * references); where both are silent, as the Collector's pkg/translator/jaeger does.
 */
import { addKnownNames } from './known-names.ts';
import {
  type AnyValue,
  type ImportedSpan,
  type KeyValue,
  Kind,
  type OtlpEvent,
  type OtlpLink,
  Status,
  text,
  toKeyValues,
} from './otlp-shape.ts';
import {
  endOf,
  hexId,
  integerText,
  isObject,
  type JsonObject,
  listOf,
  microsToNanos,
  microsToTime,
  textOf,
} from './values.ts';

export interface ReadSpans {
  readonly spans: ImportedSpan[];
  /** Spans that could not be read. */
  readonly rejected: number;
  /** What is wrong with spans, or with parts of spans that were left out. */
  readonly problems: readonly string[];
}

/** The spans of one element of `data`; undefined when it is neither a trace nor a span of Jaeger's. */
export function readJaegerTrace(value: unknown): ReadSpans | undefined {
  if (!isObject(value)) return undefined;
  const isSpan = 'spanID' in value;
  const list = isSpan ? [value] : Array.isArray(value.spans) ? value.spans : undefined;
  if (list === undefined) return undefined;
  const problems: string[] = [];
  const processes = readProcesses(value.processes, (problem) => problems.push(problem));
  const spans: ImportedSpan[] = [];
  for (let i = 0; i < list.length; i++) {
    const tell = (problem: string): unknown => problems.push(isSpan ? problem : `span ${i + 1}: ${problem}`);
    const span = readSpan(list[i], processes, value.traceID, tell);
    if (span !== undefined) spans.push(span);
  }
  return { spans, rejected: list.length - spans.length, problems };
}

type Tell = (problem: string) => unknown;

interface Process {
  readonly service: string;
  readonly resource: readonly KeyValue[];
}

const NO_PROCESS: Process = { service: '', resource: [] };

function readProcesses(value: unknown, tell: Tell): ReadonlyMap<string, Process> {
  const processes = new Map<string, Process>();
  if (!isObject(value)) return processes;
  for (const [id, process] of Object.entries(value)) {
    processes.set(
      id,
      readProcess(process, (problem) => tell(`process ${id}: ${problem}`)),
    );
  }
  return processes;
}

function readProcess(value: unknown, tell: Tell): Process {
  if (!isObject(value)) return NO_PROCESS;
  const service = textOf(value.serviceName);
  const attributes = readTags(value.tags, 'tags', tell);
  const hostname = attributes.get('hostname');
  if (hostname !== undefined && !attributes.has('host.name')) {
    attributes.set('host.name', hostname);
    attributes.delete('hostname');
  }
  const named = new Map<string, AnyValue>();
  if (service !== '') named.set('service.name', text(service));
  for (const [key, tag] of attributes) if (!named.has(key)) named.set(key, tag);
  return { service, resource: toKeyValues(named) };
}

/** Undefined when it has no ids; what else is wrong with it is told and left out. */
function readSpan(
  value: unknown,
  processes: ReadonlyMap<string, Process>,
  traceOfAll: unknown,
  tell: Tell,
): ImportedSpan | undefined {
  const given: JsonObject = isObject(value) ? value : {};
  const traceId = hexId(given.traceID ?? traceOfAll, 32);
  const spanId = hexId(given.spanID, 16);
  if (traceId === undefined || spanId === undefined) {
    tell(given === value ? `no valid ${traceId === undefined ? 'traceID' : 'spanID'}` : 'not an object');
    return undefined;
  }
  const attributes = readTags(given.tags, 'tags', tell);
  const events = readLogs(given.logs, tell);
  const references = readReferences(given.references, tell);
  const processId = textOf(given.processID);
  const process = isObject(given.process) ? readProcess(given.process, tell) : (processes.get(processId) ?? NO_PROCESS);
  const parent = parentOf(references, traceId) ?? hexId(given.parentSpanID, 16);
  const start = microsToTime(given.startTime);
  const end = endOf(start, microsToNanos(given.duration));
  const kind = takeKind(attributes);
  const traceState = takeText(attributes, 'w3c.tracestate');
  const scope = {
    name: takeText(attributes, 'otel.scope.name') || takeText(attributes, 'otel.library.name'),
    version: takeText(attributes, 'otel.scope.version') || takeText(attributes, 'otel.library.version'),
  };
  const status = takeStatus(attributes);
  addKnownNames(attributes, kind);
  return {
    span: {
      traceId,
      spanId,
      ...(parent !== undefined && parent !== spanId && { parentSpanId: parent }),
      ...(traceState !== '' && { traceState }),
      name: textOf(given.operationName),
      kind,
      ...(start !== undefined && { startTimeUnixNano: String(start) }),
      ...(end !== undefined && { endTimeUnixNano: String(end) }),
      attributes: toKeyValues(attributes),
      events,
      links: linksOf(references, parent, traceId),
      status,
    },
    resource: process.resource,
    scope,
    place: `${process.service}\n${processId}`,
  };
}

/** The objects of a list; what is no list or no object is told as part of `what`. */
function objectsOf(value: unknown, what: string, tell: Tell): JsonObject[] {
  const list = listOf(value);
  if (list === undefined) tell(`${what} is no list`);
  const objects = (list ?? []).filter(isObject);
  if (objects.length < (list ?? []).length) tell(`${what} holds what is no object`);
  return objects;
}

/** Tags by key; the last of a key counts. */
function readTags(value: unknown, what: string, tell: Tell): Map<string, AnyValue> {
  const tags = new Map<string, AnyValue>();
  for (const tag of objectsOf(value, what, tell)) {
    if (typeof tag.key !== 'string') {
      tell(`${what}: a tag without key`);
      continue;
    }
    const read = tagValue(textOf(tag.type).toLowerCase(), tag.value);
    if (read !== undefined) tags.set(tag.key, read);
  }
  return tags;
}

/** A value that is not of the type it claims keeps its text; one that is null is none. */
function tagValue(type: string, value: unknown): AnyValue | undefined {
  if (value === null || value === undefined) return undefined;
  switch (type === '' ? typeof value : type) {
    case 'bool':
    case 'boolean': {
      if (typeof value === 'boolean') return { boolValue: value };
      if (value === 'true' || value === 'false') return { boolValue: value === 'true' };
      break;
    }
    case 'number': // no type was given
    case 'int64': {
      const digits = integerText(value);
      if (digits !== undefined) return { intValue: digits };
      if (type !== '' || typeof value !== 'number') break;
      return { doubleValue: value };
    }
    case 'float64': {
      const number =
        typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
      if (!Number.isNaN(number)) return { doubleValue: number };
      break;
    }
    case 'binary':
      if (typeof value === 'string') return { bytesValue: value };
      break;
  }
  return text(typeof value === 'string' ? value : JSON.stringify(value));
}

interface Reference {
  readonly childOf: boolean;
  readonly traceId: string;
  readonly spanId: string;
}

/** References with valid ids; those without lead nowhere. */
function readReferences(value: unknown, tell: Tell): Reference[] {
  const references: Reference[] = [];
  for (const reference of objectsOf(value, 'references', tell)) {
    const traceId = hexId(reference.traceID, 32);
    const spanId = hexId(reference.spanID, 16);
    if (traceId === undefined || spanId === undefined) continue;
    references.push({ childOf: textOf(reference.refType) !== 'FOLLOWS_FROM', traceId, spanId });
  }
  return references;
}

/** The first CHILD_OF of the same trace, else the first FOLLOWS_FROM of it: Jaeger's Span.ParentSpanID. */
function parentOf(references: readonly Reference[], traceId: string): string | undefined {
  let follows: string | undefined;
  for (const reference of references) {
    if (reference.traceId !== traceId) continue;
    if (reference.childOf) return reference.spanId;
    follows ??= reference.spanId;
  }
  return follows;
}

/** Every reference but the parent's CHILD_OF is a link, with `opentracing.ref_type` as the conventions have it. */
function linksOf(references: readonly Reference[], parent: string | undefined, traceId: string): OtlpLink[] {
  return references
    .filter(({ childOf, ...of }) => !(childOf && of.spanId === parent && of.traceId === traceId))
    .map(({ childOf, ...of }) => ({
      traceId: of.traceId,
      spanId: of.spanId,
      attributes: [{ key: 'opentracing.ref_type', value: text(childOf ? 'child_of' : 'follows_from') }],
    }));
}

const readLogs = (value: unknown, tell: Tell): OtlpEvent[] =>
  objectsOf(value, 'logs', tell).map((log) => eventOf(log, readTags(log.fields, 'log fields', tell)));

/** OpenTracing's names of an exception (semantic_conventions.md, "Log fields table"). */
const EXCEPTION: readonly (readonly [string, string])[] = [
  ['error.kind', 'exception.type'],
  ['message', 'exception.message'],
  ['stack', 'exception.stacktrace'],
];

function eventOf(log: JsonObject, fields: Map<string, AnyValue>): OtlpEvent {
  const time = microsToTime(log.timestamp);
  const dropped = Number(takeText(fields, 'otel.event.dropped_attributes_count'));
  let name = takeText(fields, 'event') || 'log';
  if (name === 'error') {
    name = 'exception';
    for (const [from, to] of EXCEPTION) {
      const field = fields.get(from);
      if (field === undefined || fields.has(to)) continue;
      fields.set(to, field);
      fields.delete(from);
    }
  }
  return {
    ...(time !== undefined && { timeUnixNano: String(time) }),
    name,
    attributes: toKeyValues(fields),
    ...(dropped > 0 && { droppedAttributesCount: dropped }),
  };
}

const KINDS: Readonly<Record<string, number>> = {
  client: Kind.client,
  server: Kind.server,
  producer: Kind.producer,
  consumer: Kind.consumer,
  internal: Kind.internal,
};

function takeKind(attributes: Map<string, AnyValue>): number {
  return KINDS[takeText(attributes, 'span.kind').toLowerCase()] ?? Kind.unknown;
}

/** `error` = true decides; else `otel.status_code`. A false `error` says nothing: Jaeger's clients write it for no reason. */
function takeStatus(attributes: Map<string, AnyValue>): { readonly code?: number; readonly message?: string } {
  const failed = attributes.get('error');
  const isError =
    failed !== undefined &&
    (('boolValue' in failed && failed.boolValue) || ('stringValue' in failed && failed.stringValue === 'true'));
  if (isError) attributes.delete('error');
  const code = takeText(attributes, 'otel.status_code').toUpperCase();
  if (!isError && code !== 'OK' && code !== 'ERROR') return {};
  const message = takeText(attributes, 'otel.status_description');
  return {
    code: isError || code === 'ERROR' ? Status.error : Status.ok,
    ...(message !== '' && { message }),
  };
}

/** Removes the tag; its text, or its number's. */
function takeText(attributes: Map<string, AnyValue>, key: string): string {
  const value = attributes.get(key);
  if (value === undefined) return '';
  attributes.delete(key);
  return 'stringValue' in value ? value.stringValue : 'intValue' in value ? value.intValue : '';
}
