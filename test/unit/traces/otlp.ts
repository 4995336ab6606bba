/** TracesData bytes from plain spans, for tests: an encoder of its own, so that our readers are not checked against themselves. */
import { SpanKind } from '../../../schemas/otlp/fields.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';

export type PlainValue = string | number | boolean | readonly string[];

export interface WireSpan {
  readonly traceId?: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly name?: string;
  readonly service?: string;
  readonly kind?: keyof typeof SpanKind;
  /** Milliseconds after 2026-01-01T00:00:00Z; a bigint is nanoseconds since the epoch. */
  readonly start?: number | bigint;
  readonly end?: number | bigint;
  readonly attributes?: Readonly<Record<string, PlainValue>>;
  readonly resource?: Readonly<Record<string, PlainValue>>;
  readonly status?: 0 | 1 | 2;
  readonly events?: readonly string[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly flags?: number;
  readonly traceState?: string;
}

export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const EPOCH_MS = Date.UTC(2026, 0, 1);

const encoder = new TextEncoder();

const varint = (value: number | bigint): number[] => {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (rest >= 128n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
};
const tag = (field: number, wire: number) => varint((field << 3) | wire);
const bytesField = (field: number, content: ArrayLike<number>): number[] => [
  ...tag(field, 2),
  ...varint(content.length),
  ...Array.from(content),
];
const textField = (field: number, text: string) => bytesField(field, encoder.encode(text));
const fixed = (field: number, value: bigint, size: 4 | 8): number[] => [
  ...tag(field, size === 8 ? 1 : 5),
  ...Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 255n)),
];
const hexBytes = (hex: string): number[] => Array.from(Buffer.from(hex, 'hex'));

function anyValue(value: PlainValue): number[] {
  if (typeof value === 'string') return textField(1, value);
  if (typeof value === 'boolean') return [...tag(2, 0), value ? 1 : 0];
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return [...tag(3, 0), ...varint(value)];
    return [...tag(4, 1), ...Buffer.from(new Float64Array([value]).buffer)];
  }
  return bytesField(
    5,
    value.flatMap((element) => bytesField(1, anyValue(element))),
  );
}

const attributesOf = (field: number, attributes: Readonly<Record<string, PlainValue>> = {}): number[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    bytesField(field, [...textField(1, key), ...bytesField(2, anyValue(value))]),
  );

const nanos = (time: number | bigint): bigint =>
  typeof time === 'bigint' ? time : BigInt(EPOCH_MS) * 1_000_000n + BigInt(Math.round(time * 1e6));

export function spanBytes(span: WireSpan): number[] {
  const start = span.start ?? 0;
  return [
    ...bytesField(1, hexBytes(span.traceId ?? TRACE)),
    ...bytesField(2, hexBytes(span.spanId)),
    ...(span.traceState === undefined ? [] : textField(3, span.traceState)),
    ...(span.parent === undefined ? [] : bytesField(4, hexBytes(span.parent))),
    ...textField(5, span.name ?? 'work'),
    ...tag(6, 0),
    SpanKind[span.kind ?? 'unspecified'],
    ...fixed(7, nanos(start), 8),
    ...fixed(8, nanos(span.end ?? (typeof start === 'bigint' ? start + 1_000_000n : start + 1)), 8),
    ...attributesOf(9, span.attributes),
    ...(span.events ?? []).flatMap((name) => bytesField(11, textField(2, name))),
    ...(span.links ?? []).flatMap((link) =>
      bytesField(13, [...bytesField(1, hexBytes(link.traceId)), ...bytesField(2, hexBytes(link.spanId))]),
    ),
    ...(span.status === undefined ? [] : bytesField(15, [...tag(3, 0), span.status])),
    ...(span.flags === undefined ? [] : fixed(16, BigInt(span.flags), 4)),
  ];
}

/** One TracesData message: a ResourceSpans for every run of spans with the same resource. */
export function tracesData(spans: readonly WireSpan[]): Uint8Array {
  const out: number[] = [];
  for (const span of spans) {
    const resource = attributesOf(1, { 'service.name': span.service ?? 'shop', ...span.resource });
    const scope = [...bytesField(1, textField(1, 'test')), ...bytesField(2, spanBytes(span))];
    out.push(...bytesField(1, [...bytesField(1, resource), ...bytesField(2, scope)]));
  }
  return Uint8Array.from(out);
}

/** What assembly would close: every span in a record of its own, the first one the entry. */
export function segmentSpansOf(spans: readonly WireSpan[], facts: Partial<SegmentSpans> = {}): SegmentSpans {
  const records: Uint8Array[] = [];
  const places: number[] = [];
  for (const span of spans) {
    const resource = attributesOf(1, { 'service.name': span.service ?? 'shop', ...span.resource });
    const body = spanBytes(span);
    places.push(records.length, 0, resource.length, 0, 0, resource.length, resource.length + body.length);
    records.push(Uint8Array.from([...resource, ...body]));
  }
  return {
    traceId: spans[0]!.traceId ?? TRACE,
    entrySpanId: spans[0]!.spanId,
    entryReason: 'root',
    asynchronous: false,
    partition: 0,
    firstOffset: 0,
    appendMs: EPOCH_MS + 1_000,
    records,
    spanCount: spans.length,
    places: Int32Array.from(places),
    truncated: false,
    ...facts,
  };
}

/** Span id of a small number. */
export const id = (n: number): string => n.toString(16).padStart(16, '0');
