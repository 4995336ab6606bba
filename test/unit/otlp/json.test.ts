/** OTLP/JSON becomes the bytes a protobuf client would have sent: written here as JSON and by protobufjs, compared decoded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanRejection } from '../../../schemas/otlp/check-span.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import { decodeTracesData, encodeTracesData, type ProtoAnyValue, type ProtoTracesData } from './proto.ts';

const id = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).filter((bytes) => bytes.some((byte) => byte !== 0));
const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const nanos = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const { any: anyValue } = fc.letrec<{ any: ProtoAnyValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String) }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('any'), { maxLength: 3 }) }) }),
    fc.record({
      kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie('any') }), { maxLength: 3 }) }),
    }),
  ),
}));
const attributes = fc.array(fc.record({ key: text, value: anyValue }), { maxLength: 4 });
const request: fc.Arbitrary<ProtoTracesData> = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeSpans: fc.array(
        fc.record({
          scope: fc.record({ name: text, version: text, attributes }),
          spans: fc.array(
            fc.record(
              {
                traceId: id(16),
                spanId: id(8),
                parentSpanId: id(8),
                traceState: text,
                name: text,
                kind: fc.nat({ max: 5 }),
                startTimeUnixNano: nanos,
                endTimeUnixNano: nanos,
                attributes,
                events: fc.array(fc.record({ timeUnixNano: nanos, name: text, attributes }), { maxLength: 2 }),
                links: fc.array(fc.record({ traceId: id(16), spanId: id(8), traceState: text, attributes }), {
                  maxLength: 2,
                }),
                status: fc.record({ message: text, code: fc.nat({ max: 2 }) }),
                flags: fc.nat(),
              },
              { requiredKeys: ['traceId', 'spanId'] },
            ),
            { maxLength: 4 },
          ),
          schemaUrl: text,
        }),
        { maxLength: 2 },
      ),
      schemaUrl: text,
    }),
    { maxLength: 2 },
  ),
});

/** The JSON that the specification asks for: ids in hex, other bytes in base64, numbers that JSON lacks as strings. */
const toJson = (data: ProtoTracesData): string =>
  JSON.stringify(data, (key, value) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString(key === 'bytesValue' ? 'base64' : 'hex');
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return Object.is(value, -0) ? '-0' : value;
  });

/** Both sides decoded, with what protobuf can't tell apart (default and absent) made the same. */
const canonical = (bytes: Uint8Array): string =>
  JSON.stringify(decodeTracesData(bytes), (key, value) => {
    if (key === 'doubleValue') return Object.is(value, -0) ? '-0' : String(value);
    const isDefault = value === '' || value === 0 || value === '0' || (Array.isArray(value) && value.length === 0);
    if (isDefault && !key.endsWith('Value') && key !== 'values') return undefined;
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  });

const span = (more: object = {}) => ({
  traceId: '5B8EFFF798038103D269B633813FC60C',
  spanId: 'eee19b7ec3c1b174',
  name: 'GET /',
  ...more,
});
const lineOf = (...spans: unknown[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const spansOf = (line: string) =>
  decodeTracesData(jsonToTracesData(line).bytes).resourceSpans![0]!.scopeSpans![0]!.spans!;

describe('jsonToTracesData', () => {
  it('says the same as the protobuf encoding of the same request', () => {
    fc.assert(
      fc.property(request, (data) => {
        const result = jsonToTracesData(toJson(data));
        expect(result).toMatchObject({ outcome: 'read', rejected: 0 });
        expect(canonical(result.bytes)).toBe(canonical(encodeTracesData(data)));
      }),
    );
  });

  it('reads ids in any case, enums as numbers or names, 64-bit integers as strings or numbers', () => {
    const [first, second] = spansOf(
      lineOf(
        span({ kind: 2, startTimeUnixNano: '1544712660000000000', status: { code: 2 } }),
        span({ kind: 'SPAN_KIND_SERVER', startTimeUnixNano: 1544712660, status: { code: 'STATUS_CODE_ERROR' } }),
      ),
    );
    expect(Buffer.from(first!.traceId!).toString('hex')).toBe('5b8efff798038103d269b633813fc60c');
    expect(first).toMatchObject({ kind: 2, startTimeUnixNano: '1544712660000000000', status: { code: 2 } });
    expect(second).toMatchObject({ kind: 2, startTimeUnixNano: '1544712660', status: { code: 2 } });
  });

  it('keeps every digit of an unquoted 64-bit integer, and text that looks like one', () => {
    const line = lineOf(span({ name: 'a:1661140380597339522' })).replace(
      '"spanId"',
      '"startTimeUnixNano": 1661140380597339522, "attributes":[{"key":"n","value":{"intValue":-9223372036854775807}}], "spanId"',
    );
    expect(spansOf(line)[0]).toMatchObject({
      name: 'a:1661140380597339522',
      startTimeUnixNano: '1661140380597339522',
      attributes: [{ key: 'n', value: { intValue: '-9223372036854775807' } }],
    });
  });

  it('ignores unknown fields and takes null as absent', () => {
    const line = lineOf(
      span({ unknown: { deep: [1] }, attributes: null, events: null, parentSpanId: '', status: null }),
    );
    expect(jsonToTracesData(line)).toMatchObject({ outcome: 'read', spans: 1, rejected: 0 });
    expect(jsonToTracesData('{}')).toMatchObject({ outcome: 'read', spans: 0 });
    expect(jsonToTracesData('{"resourceSpans":null,"more":1}')).toMatchObject({ outcome: 'read', spans: 0 });
  });

  it('rejects bad spans one by one', () => {
    const result = jsonToTracesData(
      lineOf(
        span(),
        span({ traceId: '0'.repeat(32) }),
        span({ traceId: 'xyz' }),
        span({ spanId: undefined }),
        span({ parentSpanId: '12' }),
        span({ startTimeUnixNano: 'yesterday' }),
        span({ attributes: [{ key: 'n', value: { intValue: 'many' } }] }),
        'span',
        span({ name: 'last' }),
      ),
    );
    expect(result).toMatchObject({ outcome: 'read', spans: 2, rejected: 7 });
    expect(result.reasons[SpanRejection.traceId]).toBe(2);
    expect(result.reasons[SpanRejection.spanId]).toBe(2);
    expect(result.reasons[SpanRejection.malformed]).toBe(3);
    expect(decodeTracesData(result.bytes).resourceSpans![0]!.scopeSpans![0]!.spans!.map((s) => s.name)).toEqual([
      'GET /',
      'last',
    ]);
  });

  it('says what is wrong with a document that is none', () => {
    for (const line of [
      '',
      '{',
      '[]',
      'null',
      '{"resourceSpans":{}}',
      '{"resourceSpans":[1]}',
      '{"resourceSpans":[{"scopeSpans":1}]}',
    ]) {
      const result = jsonToTracesData(line);
      expect(result.outcome).toBe('malformed');
      expect(result.problem).not.toBe('');
      expect(result.bytes.length).toBe(0);
    }
  });

  it('survives nesting that would overflow the stack', () => {
    const deep = `${'{"arrayValue":{"values":['.repeat(5_000)}{}${']}}'.repeat(5_000)}`;
    const line = lineOf(span({ attributes: [{ key: 'deep', value: 'HERE' }] })).replace('"HERE"', deep);
    expect(jsonToTracesData(line)).toMatchObject({ outcome: 'read', spans: 1 });
  });
});
