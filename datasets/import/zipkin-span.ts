/** A Zipkin v2 span as it was sent, checked; and one span of the parts in which it was sent. */
import { Kind } from './otlp-shape.ts';
import { hexId, isObject, listOf, microsToNanos, microsToTime, textOf } from './values.ts';

export interface ZipkinEndpoint {
  readonly service: string;
  readonly ip: string;
  /** 0 = unknown. */
  readonly port: number;
}

export interface Annotation {
  /** Nanoseconds since the epoch. */
  readonly time: bigint | undefined;
  readonly value: string;
}

export interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly kind: number;
  readonly shared: boolean;
  readonly name: string;
  /** Nanoseconds; undefined = unknown. */
  readonly start: bigint | undefined;
  readonly duration: bigint | undefined;
  readonly local: ZipkinEndpoint;
  readonly remote: ZipkinEndpoint;
  readonly tags: ReadonlyMap<string, string>;
  readonly annotations: readonly Annotation[];
  /** Service and address that reported it. */
  readonly place: string;
}

const KINDS: Readonly<Record<string, number>> = {
  CLIENT: Kind.client,
  SERVER: Kind.server,
  PRODUCER: Kind.producer,
  CONSUMER: Kind.consumer,
};

/** The span, or what is wrong with it. */
export function readZipkinSpan(value: unknown): ZipkinSpan | string {
  if (!isObject(value)) return 'not an object';
  if (Array.isArray(value.binaryAnnotations)) return 'a span of Zipkin v1: only v2 is read';
  const traceId = hexId(value.traceId, 32);
  if (traceId === undefined) return 'no valid traceId';
  const id = hexId(value.id, 16);
  if (id === undefined) return 'no valid id';
  const parentId = hexId(value.parentId, 16);
  const local = readEndpoint(value.localEndpoint);
  return {
    traceId,
    id,
    parentId: parentId === id ? undefined : parentId,
    kind: KINDS[textOf(value.kind).toUpperCase()] ?? Kind.unknown,
    shared: value.shared === true,
    name: textOf(value.name),
    start: microsToTime(value.timestamp),
    duration: microsToNanos(value.duration),
    local,
    remote: readEndpoint(value.remoteEndpoint),
    tags: readTags(value.tags),
    annotations: readAnnotations(value.annotations),
    place: `${local.service}\n${local.ip}`,
  };
}

function readEndpoint(value: unknown): ZipkinEndpoint {
  if (!isObject(value)) return { service: '', ip: '', port: 0 };
  const port = Number(value.port ?? 0);
  return {
    service: textOf(value.serviceName),
    ip: textOf(value.ipv4) || textOf(value.ipv6),
    port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0,
  };
}

/** Values are texts; what some tools write as numbers or booleans becomes one. */
function readTags(value: unknown): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  if (!isObject(value)) return tags;
  for (const [key, tag] of Object.entries(value)) {
    if (tag !== null && tag !== undefined) tags.set(key, typeof tag === 'string' ? tag : JSON.stringify(tag));
  }
  return tags;
}

const readAnnotations = (value: unknown): Annotation[] =>
  (listOf(value) ?? [])
    .filter(isObject)
    .map((annotation) => ({ time: microsToTime(annotation.timestamp), value: textOf(annotation.value) }));

/**
 * Spans of one trace, each once: tracers send a span in parts (a flush without duration, tags that come later), and Zipkin
 * itself joins what has one id and one place (zipkin2.internal.Trace). A part without kind belongs to the side that has one.
 */
export function joinParts(spans: readonly ZipkinSpan[]): ZipkinSpan[] {
  const byPlace = new Map<string, ZipkinSpan[]>();
  for (const span of spans) {
    const key = `${span.id}\n${span.place}`;
    const parts = byPlace.get(key);
    if (parts === undefined) byPlace.set(key, [span]);
    else parts.push(span);
  }
  return [...byPlace.values()].flatMap((parts) => (parts.length === 1 ? parts : joinedByKind(parts)));
}

function joinedByKind(parts: readonly ZipkinSpan[]): ZipkinSpan[] {
  const byKind = new Map<number, ZipkinSpan>();
  for (const part of parts) {
    const known = byKind.get(part.kind);
    byKind.set(part.kind, known === undefined ? part : joined(known, part));
  }
  const kindless = byKind.get(Kind.unknown);
  if (kindless === undefined || byKind.size === 1) return [...byKind.values()];
  byKind.delete(Kind.unknown);
  const [first, ...others] = [...byKind.values()];
  return [joined(first!, kindless), ...others];
}

const least = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a < b ? a : b;
const most = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a > b ? a : b;

/** What `a` does not say, from `b`. */
function joined(a: ZipkinSpan, b: ZipkinSpan): ZipkinSpan {
  const said = new Set(a.annotations.map(({ time, value }) => `${time} ${value}`));
  return {
    ...a,
    parentId: a.parentId ?? b.parentId,
    kind: a.kind === Kind.unknown ? b.kind : a.kind,
    shared: a.shared || b.shared,
    name: a.name === '' || a.name === 'unknown' ? b.name || a.name : a.name,
    start: least(a.start, b.start),
    duration: most(a.duration, b.duration),
    local: a.local.port > 0 ? a.local : b.local,
    remote: joinedEndpoint(a.remote, b.remote),
    tags: new Map([...b.tags, ...a.tags]),
    annotations: [...a.annotations, ...b.annotations.filter(({ time, value }) => !said.has(`${time} ${value}`))],
  };
}

const joinedEndpoint = (a: ZipkinEndpoint, b: ZipkinEndpoint): ZipkinEndpoint => ({
  service: a.service || b.service,
  ip: a.ip || b.ip,
  port: a.port || b.port,
});
