/** What the importers make of text, decoded by protobufjs: spans with their resource and scope, ids as hex. */

import { type ImportedSpan, toTracesData } from '../../../../datasets/import/otlp-shape.ts';
import { createTimeReader } from '../../../../runtime/files/span-times.ts';
import type { TracesPart } from '../../../../runtime/files/trace-records.ts';
import { objectToTracesData } from '../../../../schemas/otlp/json.ts';
import { decodeTracesData, type ProtoAnyValue, type ProtoKeyValue } from '../../otlp/proto.ts';

export interface DecodedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  /** Nanoseconds as text; undefined = not there. */
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { time: string | undefined; name: string; attributes: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { traceId: string; spanId: string; attributes: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code?: number; readonly message?: string };
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: { readonly name?: string; readonly version?: string };
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

function plain(value: ProtoAnyValue | undefined): unknown {
  if (value?.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  if (value?.bytesValue !== undefined) return { bytes: Buffer.from(value.bytesValue).toString('base64') };
  if (value?.intValue !== undefined) return { int: String(value.intValue) };
  return Object.values(value ?? {})[0];
}

const record = (attributes: readonly ProtoKeyValue[] | undefined): Record<string, unknown> =>
  Object.fromEntries((attributes ?? []).map(({ key, value }) => [key, plain(value)]));

export const decoded = (bytes: Uint8Array): DecodedSpan[] =>
  (decodeTracesData(bytes).resourceSpans ?? []).flatMap(({ resource, scopeSpans }) =>
    (scopeSpans ?? []).flatMap(({ scope, spans }) =>
      (spans ?? []).map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        traceState: span.traceState ?? '',
        name: span.name ?? '',
        kind: span.kind ?? 0,
        start: span.startTimeUnixNano === undefined ? undefined : String(span.startTimeUnixNano),
        end: span.endTimeUnixNano === undefined ? undefined : String(span.endTimeUnixNano),
        attributes: record(span.attributes),
        events: (span.events ?? []).map((event) => ({
          time: event.timeUnixNano === undefined ? undefined : String(event.timeUnixNano),
          name: event.name ?? '',
          attributes: record(event.attributes),
        })),
        links: (span.links ?? []).map((link) => ({
          traceId: hex(link.traceId),
          spanId: hex(link.spanId),
          attributes: record(link.attributes),
        })),
        status: span.status ?? {},
        resource: record(resource?.attributes),
        scope: scope ?? {},
      })),
    ),
  );

/** Spans as they would go into a record. */
export function written(spans: readonly ImportedSpan[]): DecodedSpan[] {
  const { bytes, outcome, rejected } = objectToTracesData(toTracesData(spans), 1024);
  if (outcome !== 'read' || rejected > 0) throw new Error(`${rejected} spans rejected: ${outcome}`);
  return decoded(bytes);
}

export const spansOf = (parts: readonly TracesPart[]): DecodedSpan[] =>
  parts.flatMap(({ bytes }) => (bytes === undefined ? [] : decoded(bytes)));

export const startsOf = (parts: readonly TracesPart[]): number[] => {
  const timesOf = createTimeReader();
  return parts.flatMap(({ bytes }) => (bytes === undefined ? [] : timesOf(bytes).starts));
};
