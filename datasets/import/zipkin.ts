/**
 * Zipkin JSON v2 (zipkin2-api.yaml, `ListOfSpans`) to OTLP. By the specification's "OpenTelemetry to Zipkin Transformation"
 * read backwards (specification/trace/sdk_exporters/zipkin.md); where it is silent (resource, links, times that are not
 * there), as the Collector's pkg/translator/zipkin does.
 */

import { addAttribute, addKnownNames } from './known-names.ts';
import { type AnyValue, type ImportedSpan, Kind, Status, text, toKeyValues } from './otlp-shape.ts';
import { endOf } from './values.ts';
import type { ZipkinEndpoint, ZipkinSpan } from './zipkin-span.ts';
import { zipkinEvent, zipkinLinks } from './zipkin-texts.ts';

/** Tags that an OpenTelemetry exporter made of resource attributes. */
const RESOURCE =
  /^(?:service\.(?:namespace|version|instance\.id)|telemetry\.|k8s\.|cloud\.|container\.|host\.|process\.|os\.|deployment\.|faas\.id)/;

export function zipkinToOtlp(given: ZipkinSpan): ImportedSpan {
  const tags = new Map(given.tags);
  const kind = given.kind === Kind.unknown && take(tags, 'span.kind') === 'internal' ? Kind.internal : given.kind;
  const scope = {
    name: take(tags, 'otel.scope.name') || take(tags, 'otel.library.name'),
    version: take(tags, 'otel.scope.version') || take(tags, 'otel.library.version'),
  };
  const traceState = take(tags, 'w3c.tracestate');
  const status = takeStatus(tags);
  const links = zipkinLinks(tags);
  const resource = new Map<string, AnyValue>();
  if (given.local.service !== '') resource.set('service.name', text(given.local.service));
  const attributes = new Map<string, AnyValue>();
  for (const [key, value] of tags) (RESOURCE.test(key) ? resource : attributes).set(key, text(value));
  addEndpoints(attributes, given, kind);
  addKnownNames(attributes, kind);
  // What happened in a span happened after it began; how long it took stays unknown.
  const start = given.start ?? earliest(given);
  if (given.start === undefined) attributes.set('otel.zipkin.absentField.startTime', { boolValue: true });
  const end = endOf(given.start, given.duration);
  return {
    span: {
      traceId: given.traceId,
      spanId: given.id,
      ...(given.parentId !== undefined && { parentSpanId: given.parentId }),
      ...(traceState !== '' && { traceState }),
      name: given.name,
      kind,
      ...(start !== undefined && { startTimeUnixNano: String(start) }),
      ...(end !== undefined && { endTimeUnixNano: String(end) }),
      attributes: toKeyValues(attributes),
      events: given.annotations.map(zipkinEvent),
      links,
      status,
    },
    resource: toKeyValues(resource),
    scope,
    place: given.place,
  };
}

function take(tags: Map<string, string>, key: string): string {
  const value = tags.get(key) ?? '';
  tags.delete(key);
  return value;
}

/**
 * `otel.status_code`, and `error` with the description; Zipkin takes a span for failed wherever `error` is said, with any text
 * or none, but for "false", which exporters that follow the specification do not write.
 */
function takeStatus(tags: Map<string, string>): { readonly code?: number; readonly message?: string } {
  const code = take(tags, 'otel.status_code')
    .replace(/^STATUS_CODE_/, '')
    .toUpperCase();
  const described = take(tags, 'otel.status_description');
  const error = tags.get('error');
  tags.delete('error');
  const failed = code === 'ERROR' || (error !== undefined && error.toLowerCase() !== 'false');
  if (!failed) return code === 'OK' ? { code: Status.ok } : {};
  const message = error === undefined || /^(?:true|false)?$/i.test(error) ? described : error;
  return { code: Status.error, ...(message !== '' && { message }) };
}

function addEndpoints(attributes: Map<string, AnyValue>, { local, remote }: ZipkinSpan, kind: number): void {
  addAddress(attributes, 'network.local', local);
  if (remote.service !== '') addAttribute(attributes, 'peer.service', text(remote.service));
  // Brave fills a server's remote address from X-Forwarded-For first: it is what the client says, not the socket's peer.
  if (kind === Kind.server) addAddress(attributes, 'client', remote);
  else {
    addAddress(attributes, 'network.peer', remote);
    if (kind !== Kind.unknown && kind !== Kind.internal) addAddress(attributes, 'server', remote);
  }
}

function addAddress(attributes: Map<string, AnyValue>, side: string, { ip, port }: ZipkinEndpoint): void {
  if (ip !== '') addAttribute(attributes, `${side}.address`, text(ip));
  if (port > 0) addAttribute(attributes, `${side}.port`, { intValue: String(port) });
}

function earliest({ annotations }: ZipkinSpan): bigint | undefined {
  let first: bigint | undefined;
  for (const { time } of annotations) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
