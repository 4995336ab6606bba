/** Cutting by trace id, against protobufjs on both sides: nothing lost, nothing mixed, bad spans counted one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSpan, SpanRejection } from '../../../schemas/otlp/check-span.ts';
import { type CutLimits, createTraceCutter } from '../../../schemas/otlp/cut.ts';
import { createSpanHead, readSpanHead } from '../../../schemas/otlp/read-span.ts';
import { sdkRequest, wholeTraceRequest } from '../../bench/load.ts';
import { flatten, tracesData } from './arbitrary.ts';
import { decodeTracesData, encodeSpan, encodeTracesData, type ProtoSpan } from './proto.ts';

const LIMITS: CutLimits = { maxRecordBytes: 1_000_000, maxOutputBytes: 80_000_000 };

interface CutRecord {
  readonly traceId: string;
  readonly value: Uint8Array;
  readonly spans: number;
}

function cut(body: Uint8Array, limits: CutLimits = LIMITS) {
  const records: CutRecord[] = [];
  const result = createTraceCutter(limits, 42).cut(body, (traceId, value, spans) =>
    records.push({ traceId, value, spans }),
  );
  return { records, result };
}

const ids = (trace: number, span: number) => ({
  traceId: new Uint8Array(16).fill(trace),
  spanId: new Uint8Array(8).fill(span),
});
const requestOf = (...spans: ProtoSpan[]) => encodeTracesData({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const sorted = (texts: string[]) => [...texts].sort();

describe('cutting by trace id', () => {
  it('keeps every span with its resource and scope, in a record of its own trace, in order', () => {
    fc.assert(
      fc.property(tracesData({ bad: false }), (data) => {
        const body = encodeTracesData(data);
        const { records, result } = cut(body);
        const expected = flatten(decodeTracesData(body));
        expect(sorted(records.flatMap((record) => flatten(decodeTracesData(record.value))))).toEqual(sorted(expected));
        expect(result).toMatchObject({ outcome: 'cut', spans: expected.length, rejected: 0, records: records.length });
        expect(result.bytes).toBe(records.reduce((sum, record) => sum + record.value.length, 0));
        expect(new Set(records.map((record) => record.traceId)).size).toBe(records.length);
        for (const record of records) {
          const spans = flatten(decodeTracesData(record.value));
          expect(spans.length).toBe(record.spans);
          for (const span of spans) expect(span).toContain(`"traceId":"${record.traceId}"`);
          expect(spans).toEqual(expected.filter((span) => span.includes(`"traceId":"${record.traceId}"`)));
        }
      }),
    );
  });

  it('splits what is over the record size and loses nothing by it', () => {
    fc.assert(
      fc.property(tracesData({ bad: false }), fc.integer({ min: 600, max: 2_500 }), (data, maxRecordBytes) => {
        const body = encodeTracesData(data);
        const { records, result } = cut(body, { ...LIMITS, maxRecordBytes });
        const kept = records.flatMap((record) => flatten(decodeTracesData(record.value)));
        const expected = flatten(decodeTracesData(body));
        for (const record of records) expect(record.value.length).toBeLessThanOrEqual(maxRecordBytes);
        expect(kept.length + result.rejected).toBe(expected.length);
        expect(result.reasons[SpanRejection.tooLarge]).toBe(result.rejected);
        if (result.rejected === 0) expect(sorted(kept)).toEqual(sorted(expected));
      }),
    );
  });

  it('leaves bad spans out one by one, says why, and goes on', () => {
    fc.assert(
      fc.property(tracesData({ bad: true }), (data) => {
        const body = encodeTracesData(data);
        const { records, result } = cut(body);
        const good = flatten(decodeTracesData(body)).filter((span) => /"traceId":"(0[1-5]){16}"/.test(span));
        expect(sorted(records.flatMap((record) => flatten(decodeTracesData(record.value))))).toEqual(sorted(good));
        expect(result.rejected).toBe(flatten(data).length - good.length);
        expect(result.reasons[SpanRejection.traceId]).toBe(result.rejected);
      }),
    );
    const { result } = cut(
      requestOf(
        ids(1, 1),
        { ...ids(1, 2), spanId: new Uint8Array(8) },
        { traceId: new Uint8Array(16).fill(1) },
        ids(1, 3),
      ),
    );
    expect(result).toMatchObject({ spans: 2, rejected: 2, reasons: [0, 0, 0, 2, 0] });
  });

  it('rejects a span with an absurd length inside, but the request when the length around spans is absurd', () => {
    const body = requestOf({ ...ids(1, 1), name: 'absurd' }, ids(2, 2));
    const inside = new Uint8Array(body);
    inside[Buffer.from(body).indexOf('absurd') - 1] = 0x7f; // the name reaches beyond its span
    expect(cut(inside).result).toMatchObject({ outcome: 'cut', spans: 1, rejected: 1, reasons: [0, 1, 0, 0, 0] });
    const around = new Uint8Array(body);
    around[3] = 0x7f; // scope_spans reaches beyond its resource_spans
    expect(cut(around)).toMatchObject({ records: [], result: { outcome: 'malformed', spans: 0 } });
    expect(cut(body.subarray(0, body.length - 1)).result.outcome).toBe('malformed');
  });

  it('takes the bodies of both load shapes whole', () => {
    for (const load of [wholeTraceRequest(1), sdkRequest(1)]) {
      const { records, result } = cut(load.bytes);
      expect(result).toMatchObject({ spans: load.spans, records: load.traces, rejected: 0 });
      expect(sorted(records.flatMap((record) => flatten(decodeTracesData(record.value))))).toEqual(
        sorted(flatten(decodeTracesData(load.bytes))),
      );
    }
  });

  it('takes 10,000 spans of one trace and attributes of 100 KiB', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => {
      const spanId = Buffer.alloc(8);
      spanId.writeUInt32BE(i + 1);
      return { ...ids(1, 1), spanId: new Uint8Array(spanId), name: `span ${i} ${'x'.repeat(150)}` };
    });
    const { records, result } = cut(requestOf(...many));
    expect(result).toMatchObject({ spans: 10_000, rejected: 0 });
    expect(records.length).toBeGreaterThan(1);
    expect(Math.max(...records.map((record) => record.value.length))).toBeLessThanOrEqual(LIMITS.maxRecordBytes);
    const large = { key: 'large', value: { stringValue: 'y'.repeat(102_400) } };
    expect(cut(requestOf({ ...ids(1, 1), attributes: [large] })).result).toMatchObject({ spans: 1, rejected: 0 });
    const larger = Array.from({ length: 10 }, () => large);
    expect(cut(requestOf({ ...ids(1, 1), attributes: larger }, ids(1, 2))).result).toMatchObject({
      spans: 1,
      rejected: 1,
    });
  });

  it('refuses a request whose large resource, repeated for many traces, would multiply it', () => {
    const spans = Array.from({ length: 200 }, (_, i) => ids(i + 1, 1));
    const body = encodeTracesData({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'k', value: { stringValue: 'z'.repeat(50_000) } }] },
          scopeSpans: [{ spans }],
        },
      ],
    });
    expect(cut(body, { ...LIMITS, maxOutputBytes: 5_000_000 })).toMatchObject({
      records: [],
      result: { outcome: 'too-large' },
    });
  });

  it('is the same cutter after any request, also a damaged one', () => {
    const cutter = createTraceCutter(LIMITS, 7);
    const reference = wholeTraceRequest(3, 50);
    const collect = () => {
      const out: string[] = [];
      const result = cutter.cut(reference.bytes, (traceId, value) =>
        out.push(traceId + Buffer.from(value).toString('hex')),
      );
      return { out, result };
    };
    const first = collect();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => {
            const damaged = new Uint8Array(reference.bytes);
            damaged[at % damaged.length] = byte;
            return damaged;
          }),
        ),
        (bytes) => {
          cutter.cut(bytes, () => {});
          expect(collect()).toEqual(first);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('checkSpan', () => {
  it('takes exactly what the span reader takes', () => {
    const head = createSpanHead();
    const base = encodeSpan({
      ...ids(1, 2),
      name: 'n',
      parentSpanId: new Uint8Array(8).fill(3),
      status: { code: 2, message: 'm' },
      flags: 1,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([at, byte, cutAt]) => {
            const bytes = new Uint8Array(base);
            bytes[at % bytes.length] = byte;
            return bytes.subarray(0, cutAt % 4 === 0 ? cutAt % bytes.length : bytes.length);
          }),
        ),
        (bytes) => {
          const taken = checkSpan(bytes, 0, bytes.length, { traceIdAt: 0 }) === SpanRejection.none;
          expect(taken).toBe(readSpanHead(bytes, 0, bytes.length, head));
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
