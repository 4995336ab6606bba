/** The requests that the recorded topics hold, and spans in a form in which they can be compared. */
import { readFileSync } from 'node:fs';
import {
  encodeTracesData,
  type ProtoKeyValue,
  type ProtoResourceSpans,
  type ProtoSpan,
  type ProtoTracesData,
} from '../../../unit/otlp/proto.ts';
import type { TopicRecord } from '../topic.ts';

const BASE_NS = 1_790_000_000_000_000_000n;
const text = (key: string, stringValue: string): ProtoKeyValue => ({ key, value: { stringValue } });
const traceIdOf = (trace: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => trace * 16 + i);
const spanIdOf = (span: number): Uint8Array => Uint8Array.from({ length: 8 }, (_, i) => span * 8 + i);

/** A span with what an exporter could lose on the way: every kind of attribute, an event, a link, a status, flags. */
function spanOf(trace: number, span: number, parent = 0): ProtoSpan {
  const startNs = BASE_NS + BigInt(span) * 1_000_003n;
  return {
    traceId: traceIdOf(trace),
    spanId: spanIdOf(span),
    ...(parent > 0 && { parentSpanId: spanIdOf(parent) }),
    traceState: 'vendor=1',
    name: `GET /things/{id} ${span}`,
    kind: parent > 0 ? 3 : 2,
    startTimeUnixNano: String(startNs),
    endTimeUnixNano: String(startNs + 5_000_001n),
    attributes: [
      text('http.request.method', 'GET'),
      text('greeting', 'grüß dich, 世界 "quoted"\n'),
      { key: 'http.response.status_code', value: { intValue: 200 } },
      { key: 'large', value: { intValue: '9007199254740993' } },
      { key: 'ratio', value: { doubleValue: 0.1 } },
      { key: 'yes', value: { boolValue: true } },
      { key: 'bytes', value: { bytesValue: Uint8Array.of(0, 255, 10) } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 2 }] } } },
      { key: 'map', value: { kvlistValue: { values: [text('inner', 'value')] } } },
    ],
    events: [{ timeUnixNano: String(startNs + 1n), name: 'exception', attributes: [text('exception.type', 'Oops')] }],
    links: [{ traceId: traceIdOf(9), spanId: spanIdOf(9), attributes: [text('why', 'queued')], flags: 1 }],
    status: { code: 2, message: 'it failed' },
    flags: 0x101,
  };
}

const resourceOf = (service: string, ...scopes: [name: string, spans: ProtoSpan[]][]): ProtoResourceSpans => ({
  resource: { attributes: [text('service.name', service), text('deployment.environment.name', 'test')] },
  scopeSpans: scopes.map(([name, spans]) => ({ scope: { name, version: '1.2.3' }, spans })),
});

/** Two requests: three traces over three services; two of the traces are in both, as SDKs send them. */
export const SENT: readonly ProtoTracesData[] = [
  {
    resourceSpans: [
      resourceOf(
        'gateway',
        ['http', [spanOf(1, 1), spanOf(2, 2), spanOf(3, 3), spanOf(1, 11, 1)]],
        ['grpc', [spanOf(1, 4, 1)]],
      ),
      resourceOf('orders', ['http', [spanOf(1, 5, 4), spanOf(2, 6, 2)]]),
    ],
  },
  {
    resourceSpans: [
      resourceOf(
        'billing',
        ['http', [spanOf(2, 7, 6), spanOf(1, 8, 5)]],
        ['pg', [spanOf(1, 9, 8), spanOf(2, 10, 7), spanOf(2, 12, 7)]],
      ),
    ],
  },
];

export const sentBodies = (): Buffer[] => SENT.map((request) => Buffer.from(encodeTracesData(request)));

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

/** The Collector writes a root's parent as empty bytes and an unset status as an empty message: the same as absent. */
function withoutEmpty({ parentSpanId, status, ...span }: ProtoSpan): ProtoSpan {
  return {
    ...span,
    ...(parentSpanId !== undefined && parentSpanId.length > 0 && { parentSpanId }),
    ...(status !== undefined && Object.keys(status).length > 0 && { status }),
  };
}

/** Each span with its resource and scope as one text, by span id. */
export function spansOf(requests: readonly ProtoTracesData[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const request of requests)
    for (const { resource = {}, scopeSpans = [] } of request.resourceSpans ?? [])
      for (const { scope = {}, spans = [] } of scopeSpans)
        for (const span of spans) {
          const id = hex(span.spanId);
          const one = { resource, scopeSpans: [{ scope, spans: [withoutEmpty(span)] }] };
          const text = Buffer.from(encodeTracesData({ resourceSpans: [one] })).toString('base64');
          found.set(id, [...(found.get(id) ?? []), text]);
        }
  return found;
}

export const recordingFile = (name: string): URL => new URL(`${name}.jsonl`, import.meta.url);

/** The records of one recording. */
export const readRecording = (name: string): TopicRecord[] =>
  readFileSync(recordingFile(name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { partition, key, value } = JSON.parse(line) as { partition: number; key: string | null; value: string };
      return { partition, key, value: Buffer.from(value, 'base64') };
    });
