/** The span reader against bytes written by protobufjs, and against arbitrary and damaged bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCursor, nextField, resetCursor } from '../../../schemas/otlp/cursor.ts';
import { SpanField } from '../../../schemas/otlp/fields.ts';
import { attributeText, createKeyValueView, readKeyValue } from '../../../schemas/otlp/read-attributes.ts';
import {
  createEventView,
  createLinkView,
  createSpanHead,
  pairDifference,
  pairToMs,
  readEvent,
  readLink,
  readSpanHead,
} from '../../../schemas/otlp/read-span.ts';
import { hexOf, hexOfPair, textOf } from '../../../schemas/otlp/text.ts';
import { encodeSpan, type ProtoSpan } from './proto.ts';

const id = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).filter((bytes) => bytes.some((byte) => byte !== 0));
const nanos = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const attribute = fc.record({ key: fc.string(), value: fc.record({ stringValue: fc.string() }) });
const span: fc.Arbitrary<ProtoSpan> = fc.record(
  {
    traceId: id(16),
    spanId: id(8),
    parentSpanId: id(8),
    traceState: fc.string(),
    name: fc.string({ unit: 'grapheme' }),
    kind: fc.integer({ min: 0, max: 5 }),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: fc.array(attribute, { maxLength: 4 }),
    events: fc.array(
      fc.record({ timeUnixNano: nanos, name: fc.string(), attributes: fc.array(attribute, { maxLength: 2 }) }),
      { maxLength: 3 },
    ),
    links: fc.array(
      fc.record(
        { traceId: id(16), spanId: id(8), traceState: fc.string(), flags: fc.nat() },
        { requiredKeys: ['traceId', 'spanId'] },
      ),
      { maxLength: 3 },
    ),
    status: fc.record({ message: fc.string(), code: fc.integer({ min: 0, max: 2 }) }),
    flags: fc.integer({ min: 1, max: 0xffffffff }),
  },
  { requiredKeys: ['traceId', 'spanId'] },
);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ID = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(9) };
const valid = (message: ProtoSpan): boolean => {
  const bytes = encodeSpan(message);
  return readSpanHead(bytes, 0, bytes.length, createSpanHead());
};

describe('readSpanHead', () => {
  it('reads what an independent encoder wrote, at any place in a larger buffer', () => {
    const head = createSpanHead();
    const event = createEventView();
    const link = createLinkView();
    const pair = createKeyValueView();
    fc.assert(
      fc.property(span, fc.nat({ max: 9 }), (message, offset) => {
        const encoded = encodeSpan(message);
        const bytes = new Uint8Array(encoded.length + offset + 3).fill(0xff);
        bytes.set(encoded, offset);
        const end = offset + encoded.length;
        expect(readSpanHead(bytes, offset, end, head)).toBe(true);
        expect(hexOf(bytes, head.traceIdStart, 16)).toBe(hex(message.traceId!));
        expect(hexOfPair(head.spanIdHigh, head.spanIdLow)).toBe(hex(message.spanId!));
        expect(hexOfPair(head.parentHigh, head.parentLow)).toBe(hex(message.parentSpanId ?? new Uint8Array(8)));
        expect(textOf(bytes, head.nameStart, head.nameEnd)).toBe(message.name ?? '');
        expect(textOf(bytes, head.traceStateStart, head.traceStateEnd)).toBe(message.traceState ?? '');
        expect(head.kind).toBe(message.kind ?? 0);
        expect((BigInt(head.startHigh) << 32n) | BigInt(head.startLow)).toBe(BigInt(message.startTimeUnixNano ?? 0));
        expect((BigInt(head.endHigh) << 32n) | BigInt(head.endLow)).toBe(BigInt(message.endTimeUnixNano ?? 0));
        expect(head.hasFlags).toBe(message.flags !== undefined);
        expect(head.flags).toBe(message.flags ?? 0);
        expect(head.statusCode).toBe(message.status?.code ?? 0);
        expect(textOf(bytes, head.statusMessageStart, head.statusMessageEnd)).toBe(message.status?.message ?? '');

        const cursor = createCursor(bytes, head.firstAttribute, head.end);
        const attributes: [string, string][] = [];
        for (let at = nextField(cursor, SpanField.attributes); at >= 0; at = nextField(cursor, SpanField.attributes)) {
          expect(readKeyValue(bytes, at, cursor.position, pair)).toBe(true);
          attributes.push([textOf(bytes, pair.keyStart, pair.keyEnd), attributeText(pair)]);
        }
        expect(attributes).toEqual((message.attributes ?? []).map((a) => [a.key, a.value?.stringValue]));
        expect(head.attributeCount).toBe(attributes.length);

        resetCursor(cursor, bytes, head.firstEvent, head.end);
        let events = 0;
        for (let at = nextField(cursor, SpanField.events); at >= 0; at = nextField(cursor, SpanField.events)) {
          expect(readEvent(bytes, at, cursor.position, event)).toBe(true);
          const expected = message.events![events++]!;
          expect(textOf(bytes, event.nameStart, event.nameEnd)).toBe(expected.name);
          expect((BigInt(event.timeHigh) << 32n) | BigInt(event.timeLow)).toBe(BigInt(expected.timeUnixNano!));
          expect(event.attributeCount).toBe(expected.attributes!.length);
        }
        expect(events).toBe(message.events?.length ?? 0);
        expect(head.eventCount).toBe(events);

        resetCursor(cursor, bytes, head.firstLink, head.end);
        let links = 0;
        for (let at = nextField(cursor, SpanField.links); at >= 0; at = nextField(cursor, SpanField.links)) {
          expect(readLink(bytes, at, cursor.position, link)).toBe(true);
          const expected = message.links![links++]!;
          expect(hexOf(bytes, link.traceIdStart, 16)).toBe(hex(expected.traceId!));
          expect(hexOfPair(link.spanIdHigh, link.spanIdLow)).toBe(hex(expected.spanId!));
          expect(textOf(bytes, link.traceStateStart, link.traceStateEnd)).toBe(expected.traceState ?? '');
          expect(link.flags).toBe(expected.flags ?? 0);
        }
        expect(links).toBe(message.links?.length ?? 0);
      }),
    );
  });

  it('never throws, never reads past the end and never claims a range outside the message', () => {
    const head = createSpanHead();
    const inside = (start: number, end: number, limit: number) => start >= 0 && start <= end && end <= limit;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.tuple(span, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([message, at, byte, cut]) => {
            const bytes = encodeSpan(message);
            bytes[at % bytes.length] = byte;
            return bytes.subarray(0, cut % (bytes.length + 1));
          }),
        ),
        (bytes) => {
          if (!readSpanHead(bytes, 0, bytes.length, head)) return;
          expect(inside(head.traceIdStart, head.traceIdStart + 16, bytes.length)).toBe(true);
          expect(inside(head.nameStart, head.nameEnd, bytes.length)).toBe(true);
          expect(inside(head.statusMessageStart, head.statusMessageEnd, bytes.length)).toBe(true);
          expect(inside(head.traceStateStart, head.traceStateEnd, bytes.length)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('rejects missing, zero, short and long ids', () => {
    expect(valid(ID)).toBe(true);
    expect(valid({ spanId: ID.spanId })).toBe(false);
    expect(valid({ traceId: ID.traceId })).toBe(false);
    expect(valid({ ...ID, traceId: new Uint8Array(16) })).toBe(false);
    expect(valid({ ...ID, spanId: new Uint8Array(8) })).toBe(false);
    expect(valid({ ...ID, traceId: new Uint8Array(15).fill(1) })).toBe(false);
    expect(valid({ ...ID, spanId: new Uint8Array(9).fill(1) })).toBe(false);
    expect(valid({ ...ID, parentSpanId: new Uint8Array(4).fill(1) })).toBe(false);
    expect(valid({ ...ID, parentSpanId: new Uint8Array(8) })).toBe(true);
  });

  it('reads an unknown kind and a negative enum as unspecified', () => {
    const head = createSpanHead();
    for (const kind of [6, 99, -1]) {
      const bytes = encodeSpan({ ...ID, kind });
      expect(readSpanHead(bytes, 0, bytes.length, head)).toBe(true);
      expect(head.kind).toBe(0);
    }
  });
});

describe('times as pairs', () => {
  it('become milliseconds and differences without losing what matters', () => {
    const ns = 1_790_000_000_123_456_789n;
    const high = Number(ns >> 32n);
    const low = Number(ns & 0xffffffffn);
    expect(pairToMs(high, low)).toBeCloseTo(1_790_000_000_123.4568, 3);
    const later = ns + 86_400_000_000_001n;
    expect(pairDifference(high, low, Number(later >> 32n), Number(later & 0xffffffffn))).toBe(86_400_000_000_001);
  });
});
