/**
 * OTLP/JSON to Jaeger's and Zipkin's JSON as the specification's transformation pages say it (trace/sdk_exporters/jaeger.md,
 * zipkin.md): the way that the importers go back. Written apart from them.
 */

interface Attribute {
  readonly key: string;
  readonly value: Record<string, unknown>;
}
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
  readonly events?: readonly { timeUnixNano: string; name: string; attributes?: readonly Attribute[] }[];
  readonly links?: readonly { traceId: string; spanId: string }[];
  readonly status?: { code?: number; message?: string };
}
export interface TracesData {
  readonly resourceSpans: readonly {
    readonly resource?: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly scope?: { name?: string; version?: string };
      readonly spans: readonly Span[];
    }[];
  }[];
}

const micros = (nanos: string): number => Number(BigInt(nanos) / 1000n);
const KIND = ['', '', 'server', 'client', 'producer', 'consumer'];
const CODE = ['', 'OK', 'ERROR'];

function tagOf({ key, value }: Attribute): { key: string; type: string; value: unknown } {
  if (value.boolValue !== undefined) return { key, type: 'bool', value: value.boolValue };
  if (value.doubleValue !== undefined) return { key, type: 'float64', value: value.doubleValue };
  if (value.bytesValue !== undefined) return { key, type: 'binary', value: value.bytesValue };
  if (value.intValue !== undefined) {
    const number = Number(value.intValue);
    // Jaeger's JSON has integers past 2⁵³ as texts
    return { key, type: 'int64', value: Number.isSafeInteger(number) ? number : String(value.intValue) };
  }
  return { key, type: 'string', value: value.stringValue };
}

const string = (key: string, value: string): object => ({ key, type: 'string', value });

/** Jaeger traces, one a trace id, in the order of their first span. */
export function toJaeger(data: readonly TracesData[]): { traceID: string; spans: object[]; processes: object }[] {
  const traces = new Map<string, { traceID: string; spans: object[]; processes: Record<string, object> }>();
  for (const { resource, scopeSpans } of data.flatMap(({ resourceSpans }) => resourceSpans)) {
    const tags = (resource?.attributes ?? []).map(tagOf);
    const serviceName = tags.find(({ key }) => key === 'service.name')?.value ?? '';
    const process = { serviceName, tags: tags.filter(({ key }) => key !== 'service.name') };
    for (const { scope, spans } of scopeSpans) {
      for (const span of spans) {
        let trace = traces.get(span.traceId);
        if (trace === undefined) {
          trace = { traceID: span.traceId, spans: [], processes: {} };
          traces.set(span.traceId, trace);
        }
        const known = Object.entries(trace.processes).find(
          ([, one]) => JSON.stringify(one) === JSON.stringify(process),
        );
        const processID = known?.[0] ?? `p${Object.keys(trace.processes).length + 1}`;
        trace.processes[processID] = process;
        const code = span.status?.code ?? 0;
        trace.spans.push({
          traceID: span.traceId,
          spanID: span.spanId,
          operationName: span.name,
          references: [
            ...(span.parentSpanId ? [{ refType: 'CHILD_OF', traceID: span.traceId, spanID: span.parentSpanId }] : []),
            ...(span.links ?? []).map((link) => ({
              refType: 'FOLLOWS_FROM',
              traceID: link.traceId,
              spanID: link.spanId,
            })),
          ],
          startTime: micros(span.startTimeUnixNano),
          duration: micros(String(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano))),
          tags: [
            ...(scope?.name ? [string('otel.library.name', scope.name)] : []),
            ...(scope?.version ? [string('otel.library.version', scope.version)] : []),
            ...(span.attributes ?? []).map(tagOf),
            ...((span.kind ?? 0) > 1 ? [string('span.kind', KIND[span.kind!]!)] : []),
            ...(code === 2 ? [{ key: 'error', type: 'bool', value: true }] : []),
            ...(code > 0 ? [string('otel.status_code', CODE[code]!)] : []),
            ...(span.status?.message ? [string('otel.status_description', span.status.message)] : []),
          ],
          logs: (span.events ?? []).map((event) => ({
            timestamp: micros(event.timeUnixNano),
            fields: [string('event', event.name), ...(event.attributes ?? []).map(tagOf)],
          })),
          processID,
          warnings: null,
        });
      }
    }
  }
  return [...traces.values()];
}

const textOf = ({ value }: Attribute): string => String(Object.values(value)[0]);

/** Zipkin v2 spans in the order of the OTLP spans. */
export function toZipkin(data: readonly TracesData[]): Record<string, unknown>[] {
  return data.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ scope, spans }) =>
        spans.map((span) => {
          const code = span.status?.code ?? 0;
          const service = resource?.attributes?.find(({ key }) => key === 'service.name');
          return {
            traceId: span.traceId,
            id: span.spanId,
            ...(span.parentSpanId && { parentId: span.parentSpanId }),
            name: span.name,
            ...((span.kind ?? 0) > 1 && { kind: KIND[span.kind!]!.toUpperCase() }),
            timestamp: micros(span.startTimeUnixNano),
            duration: micros(String(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano))),
            ...(service && { localEndpoint: { serviceName: textOf(service) } }),
            tags: {
              ...(scope?.name && { 'otel.scope.name': scope.name }),
              ...(scope?.version && { 'otel.scope.version': scope.version }),
              ...Object.fromEntries((span.attributes ?? []).map((one) => [one.key, textOf(one)])),
              ...(code > 0 && { 'otel.status_code': CODE[code] }),
              ...(code === 2 && { error: span.status?.message ?? '' }),
            },
            annotations: (span.events ?? []).map((event) => ({
              timestamp: micros(event.timeUnixNano),
              value: event.attributes?.length
                ? `"${event.name}": ${JSON.stringify(Object.fromEntries(event.attributes.map((one) => [one.key, textOf(one)])))}`
                : event.name,
            })),
          };
        }),
      ),
    ),
  );
}
