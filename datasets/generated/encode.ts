/** A plan as the record a collector logs: one OTLP TracesData message, its spans grouped by service. */

import { BackwardWriter } from '../../schemas/otlp/backward-writer.ts';
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
  SpanFlags,
  SpanKind,
  StatusField,
  TracesDataField,
} from '../../schemas/otlp/fields.ts';
import type { Random } from '../load/random.ts';
import type { Attribute, PlannedSpan } from './plan.ts';

export interface Encoded {
  readonly record: Uint8Array<ArrayBuffer>;
  /** 32-character lowercase hex. */
  readonly traceId: string;
}

export interface EncodeOptions {
  readonly random: Random;
  /** Of the trace's start, milliseconds since the epoch. */
  readonly startMs: number;
  readonly versionOf: (service: string) => string;
  /** Milliseconds that a service's clock is ahead. */
  readonly skewOf: (service: string) => number;
  /** Spans that were lost on their way: index in the plan. */
  readonly isLost: (span: number) => boolean;
}

export type Encoder = (spans: readonly PlannedSpan[], options: EncodeOptions) => Encoded;

/** Has buffers of its own that are reused; what it gives is a copy. */
export function createEncoder(): Encoder {
  const writer = new BackwardWriter(65_536);
  const ids = new Uint8Array(16 + 8 * 4_096);
  const byService = new Map<string, number[]>();

  function attribute(field: number, key: string, value: Attribute): void {
    const whole = writer.length;
    const inner = writer.length;
    if (typeof value === 'number') {
      if (Number.isSafeInteger(value) && value >= 0)
        writer.varint64(AnyValueField.int, Math.floor(value / 2 ** 32), value >>> 0);
      else writer.double(AnyValueField.double, value);
    } else if (key.startsWith('http.request.header.')) {
      const array = writer.length;
      const element = writer.length;
      writer.text(AnyValueField.string, value);
      writer.message(1, element);
      writer.message(AnyValueField.array, array);
    } else writer.text(AnyValueField.string, value);
    writer.message(KeyValueField.value, inner);
    writer.text(KeyValueField.key, key);
    writer.message(field, whole);
  }

  function time(field: number, ms: number): void {
    const whole = Math.floor(ms);
    const ns = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
    writer.fixed64(field, Number(ns >> 32n), Number(ns & 0xffffffffn));
  }

  const idOf = (span: number): Uint8Array => ids.subarray(16 + 8 * span, 24 + 8 * span);

  function span(spans: readonly PlannedSpan[], i: number, startMs: number): void {
    const { parent, kind, name, attributes, status, exception, link, ...own } = spans[i]!;
    const from = writer.length;
    const remote = kind === SpanKind.server || kind === SpanKind.consumer;
    writer.fixed32(SpanField.flags, 1 | SpanFlags.hasIsRemote | (remote && parent >= 0 ? SpanFlags.isRemote : 0));
    if (status !== 0) {
      const inner = writer.length;
      writer.uint32(StatusField.code, status);
      writer.message(SpanField.status, inner);
    }
    if (link >= 0) {
      const inner = writer.length;
      writer.raw(LinkField.spanId, idOf(link));
      writer.raw(LinkField.traceId, ids.subarray(0, 16));
      writer.message(SpanField.links, inner);
    }
    if (exception) {
      const inner = writer.length;
      attribute(EventField.attributes, 'exception.type', 'Unavailable');
      writer.text(EventField.name, 'exception');
      time(EventField.timeUnixNano, startMs + own.endMs);
      writer.message(SpanField.events, inner);
    }
    for (let a = attributes.length - 2; a >= 0; a -= 2)
      attribute(SpanField.attributes, String(attributes[a]), attributes[a + 1]!);
    time(SpanField.endTimeUnixNano, startMs + own.endMs);
    time(SpanField.startTimeUnixNano, startMs + own.startMs);
    writer.uint32(SpanField.kind, kind);
    writer.text(SpanField.name, name);
    if (parent >= 0) writer.raw(SpanField.parentSpanId, idOf(parent));
    writer.raw(SpanField.spanId, idOf(i));
    writer.raw(SpanField.traceId, ids.subarray(0, 16));
    writer.message(ScopeSpansField.spans, from);
  }

  return (spans, { random, startMs, versionOf, skewOf, isLost }) => {
    writer.rewind(0);
    for (let at = 0; at < 16 + 8 * spans.length; at += 4) {
      const word = random.below(4_294_967_296);
      ids[at] = word;
      ids[at + 1] = word >>> 8;
      ids[at + 2] = word >>> 16;
      ids[at + 3] = (word >>> 24) | (at % 8 === 4 ? 1 : 0); // never all zero
    }
    byService.clear();
    for (let i = 0; i < spans.length; i++) {
      if (isLost(i)) continue;
      const known = byService.get(spans[i]!.service);
      if (known === undefined) byService.set(spans[i]!.service, [i]);
      else known.push(i);
    }
    for (const [service, own] of [...byService].reverse()) {
      const whole = writer.length;
      const scoped = writer.length;
      const skewed = startMs + skewOf(service);
      for (let i = own.length - 1; i >= 0; i--) span(spans, own[i]!, skewed);
      const scope = writer.length;
      writer.text(ScopeField.name, 'spanwarden.generated');
      writer.message(ScopeSpansField.scope, scope);
      writer.message(ResourceSpansField.scopeSpans, scoped);
      const resource = writer.length;
      attribute(ResourceField.attributes, 'service.version', versionOf(service));
      attribute(ResourceField.attributes, 'service.name', service);
      writer.message(ResourceSpansField.resource, resource);
      writer.message(TracesDataField.resourceSpans, whole);
    }
    return { record: writer.finish().slice(), traceId: Buffer.from(ids.buffer, 0, 16).toString('hex') };
  };
}
