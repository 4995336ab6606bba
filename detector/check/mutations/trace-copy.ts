/**
 * A trace as plain objects, to be changed: what the wire holds, with times as nanoseconds after the first span's start. A
 * copy for checking a detector; nothing of it is ever stored or logged.
 */

/** AnyValue of OTLP/JSON: one member is set. */
export type CopiedValue = Readonly<Record<string, unknown>>;

export interface CopiedAttribute {
  readonly key: string;
  readonly value: CopiedValue;
}

/** Shared by the spans of one process: told apart by identity. */
export interface CopiedResource {
  readonly service: string;
  readonly attributes: readonly CopiedAttribute[];
}

export interface CopiedEvent {
  readonly name: string;
  readonly timeUnixNano: string;
  readonly attributes: readonly CopiedAttribute[];
}

export interface CopiedLink {
  readonly traceId: string;
  readonly spanId: string;
}

export interface CopiedSpan {
  spanId: string;
  /** '' = none. */
  parentId: string;
  resource: CopiedResource;
  /** What is the same call: `checkout server POST /checkout`. */
  label: string;
  name: string;
  /** OTLP SpanKind. */
  kind: number;
  /** Nanoseconds after the trace's `baseNs`. */
  startNs: number;
  endNs: number;
  attributes: readonly CopiedAttribute[];
  events: readonly CopiedEvent[];
  links: readonly CopiedLink[];
  statusCode: number;
  statusMessage: string;
  traceState: string;
  /** Undefined when the span has none. */
  flags: number | undefined;
}

export interface TraceCopy {
  readonly traceId: string;
  readonly baseNs: bigint;
  /** The entry first. */
  readonly spans: readonly CopiedSpan[];
}

/** A copy whose spans may be changed without touching the original's; what hangs below a span is replaced, never changed. */
export const cloneTrace = (trace: TraceCopy): TraceCopy => ({ ...trace, spans: trace.spans.map((s) => ({ ...s })) });

/** Text of an attribute that is a string or a number, undefined when it is absent or something else. */
export function attributeOf(attributes: readonly CopiedAttribute[], ...keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = attributes.find((one) => one.key === key)?.value;
    const text = value?.stringValue ?? value?.intValue;
    if (typeof text === 'string' || typeof text === 'number') return String(text);
  }
  return undefined;
}

/** The attributes with this one set, in place of the one that was there. */
export function withAttribute(
  attributes: readonly CopiedAttribute[],
  key: string,
  value: CopiedValue,
): readonly CopiedAttribute[] {
  const at = attributes.findIndex((one) => one.key === key);
  return at < 0 ? [...attributes, { key, value }] : attributes.with(at, { key, value });
}

const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

/** Label of a span by its own attributes, where no reader gives one (DETECTION §1). */
export function labelOf(span: Pick<CopiedSpan, 'resource' | 'kind' | 'name' | 'attributes'>): string {
  const { attributes } = span;
  const of = (...keys: string[]): string => attributeOf(attributes, ...keys) ?? '';
  const method = of('http.request.method', 'http.method');
  const route = of('http.route', 'url.template');
  const operation =
    of('db.query.summary') ||
    (of('messaging.destination.name', 'messaging.destination') &&
      `${of('messaging.operation.type', 'messaging.operation')} ${of('messaging.destination.name', 'messaging.destination')}`) ||
    (of('rpc.method') && [of('rpc.service'), of('rpc.method')].filter((part) => part !== '').join('/')) ||
    (route && `${method} ${route}`) ||
    span.name;
  return [span.resource.service, KINDS[span.kind] ?? '', operation].filter((part) => part !== '').join(' ');
}
