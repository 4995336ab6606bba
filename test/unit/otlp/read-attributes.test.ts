/** Attribute values of every type, and their text as the Collector's ClickHouse exporter stores it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnyValueField } from '../../../schemas/otlp/fields.ts';
import {
  attributeKey,
  attributeText,
  createKeyValueView,
  readKeyValue,
} from '../../../schemas/otlp/read-attributes.ts';
import { encodeKeyValue, type ProtoAnyValue } from './proto.ts';

const view = createKeyValueView();
const read = (value?: ProtoAnyValue) => {
  const bytes = encodeKeyValue({ key: 'k', ...(value === undefined ? {} : { value }) });
  expect(readKeyValue(bytes, 0, bytes.length, view)).toBe(true);
  expect(attributeKey(view)).toBe('k');
  return view;
};
const textOfValue = (value?: ProtoAnyValue): string => attributeText(read(value));

describe('attributeText', () => {
  it('keeps strings and writes scalars as the exporter does', () => {
    expect(textOfValue({ stringValue: 'GET /käse' })).toBe('GET /käse');
    expect(textOfValue({ boolValue: true })).toBe('true');
    expect(textOfValue({ boolValue: false })).toBe('false');
    expect(textOfValue({ intValue: -1 })).toBe('-1');
    expect(textOfValue({ intValue: '9223372036854775807' })).toBe('9223372036854775807');
    expect(textOfValue({ intValue: '-9223372036854775808' })).toBe('-9223372036854775808');
    expect(textOfValue({ doubleValue: 1.5 })).toBe('1.5');
    expect(textOfValue({ doubleValue: 1e21 })).toBe('1e+21');
    expect(textOfValue({ doubleValue: 1e-7 })).toBe('1e-7');
    expect(textOfValue({ doubleValue: 100 })).toBe('100');
    expect(textOfValue({ doubleValue: -0 })).toBe('-0');
    expect(textOfValue({ doubleValue: Number.POSITIVE_INFINITY })).toBe('json: unsupported value: +Inf');
    expect(textOfValue({ bytesValue: new Uint8Array([1, 2, 255]) })).toBe('AQL/');
    expect(textOfValue({})).toBe('');
    expect(textOfValue()).toBe('');
  });

  it('writes arrays and maps as Go does: compact, keys sorted, HTML escaped, nothing for NaN', () => {
    const nested: ProtoAnyValue = {
      kvlistValue: {
        values: [
          { key: 'b', value: { arrayValue: { values: [{ intValue: 1 }, { stringValue: '<a&b>' }, {}] } } },
          { key: 'a', value: { bytesValue: new Uint8Array([0]) } },
        ],
      },
    };
    expect(textOfValue(nested)).toBe('{"a":"AA==","b":[1,"\\u003ca\\u0026b\\u003e",null]}');
    expect(textOfValue({ arrayValue: { values: [] } })).toBe('[]');
    expect(textOfValue({ arrayValue: { values: [{ doubleValue: Number.NaN }] } })).toBe('');
  });

  it('survives nesting that would overflow the stack', () => {
    // AnyValue{ array_value: ArrayValue{ values: … } } nested 100,000 deep, built from the inside out.
    let body = Buffer.from([]);
    const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
    const chunks: Buffer[] = [];
    let length = 0;
    for (let i = 0; i < 100_000; i++) {
      const array = Buffer.from([0x0a, ...varint(length)]);
      const any = Buffer.from([0x2a, ...varint(length + array.length)]);
      chunks.push(array, any);
      length += array.length + any.length;
    }
    body = Buffer.concat(chunks.reverse());
    const bytes = Buffer.concat([Buffer.from([0x0a, 1, 0x6b, 0x12, ...varint(body.length)]), body]);
    expect(readKeyValue(bytes, 0, bytes.length, view)).toBe(true);
    expect(attributeText(view)).toMatch(/^\[{64}null\]{64}$/);
  });

  it('reads every 64-bit integer exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (value) => {
        const { type, intHigh, intLow, number } = read({ intValue: String(value) });
        expect(type).toBe(AnyValueField.int);
        expect(BigInt.asIntN(64, (BigInt(intHigh) << 32n) | BigInt(intLow))).toBe(value);
        expect(number).toBe(Number(value));
        expect(attributeText(view)).toBe(String(value));
      }),
    );
  });

  it('reads every double and every string', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.string({ unit: 'grapheme' }), (double, string) => {
        expect(Object.is(read({ doubleValue: double }).number, double)).toBe(true);
        expect(textOfValue({ stringValue: string })).toBe(string);
      }),
    );
  });

  it('says false for damaged bytes and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        if (readKeyValue(bytes, 0, bytes.length, view)) attributeText(view);
      }),
      { numRuns: 1_000 },
    );
  });
});
