/** Symbols: equal bytes are one id, texts and labels survive the way to text and back, caps give the overflow. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanKind } from '../../../schemas/otlp/fields.ts';
import { hashText } from '../../../traces/byte-table.ts';
import { createSymbols, OVERFLOW } from '../../../traces/symbols.ts';

const encoder = new TextEncoder();
const roomy = () => createSymbols({ maxTexts: 100_000, maxLabels: 100_000 });

describe('texts', () => {
  it('gives 0 to the empty text and the same id to bytes and string', () => {
    const symbols = roomy();
    expect(symbols.intern('')).toBe(0);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.nat(5), (text, offset) => {
        const bytes = new Uint8Array(offset + encoder.encode(text).length + 3);
        bytes.set(encoder.encode(text), offset);
        const id = symbols.intern(text);
        expect(symbols.internBytes(bytes, offset, bytes.length - 3)).toBe(id);
        expect(symbols.text(id)).toBe(text);
      }),
    );
  });

  it('gives different ids to 20,000 different texts, across growth', () => {
    const symbols = roomy();
    const ids = new Set<number>();
    for (let i = 0; i < 20_000; i++) ids.add(symbols.intern(`text ${i}`));
    expect(ids.size).toBe(20_000);
    expect(symbols.text(symbols.intern('text 19999'))).toBe('text 19999');
  });

  it('reads invalid UTF-8 as the text people will see', () => {
    const symbols = roomy();
    const id = symbols.internBytes(Uint8Array.of(0x61, 0xff, 0x62), 0, 3);
    expect(symbols.text(id)).toBe('a\uFFFDb');
    expect(symbols.intern('a\uFFFDb')).toBe(id);
    expect(symbols.internBytes(Uint8Array.of(0x61, 0xff, 0x62), 0, 3)).toBe(id);
  });

  it('cuts a long text at a character', () => {
    const symbols = createSymbols({ maxTexts: 10, maxLabels: 10, maxTextBytes: 5 });
    expect(symbols.text(symbols.intern('abcdéf'))).toBe('abcd');
  });

  it('gives every new text the overflow id past the cap, known ones their own', () => {
    const symbols = createSymbols({ maxTexts: 4, maxLabels: 10 });
    const a = symbols.intern('a');
    const b = symbols.intern('b');
    expect(symbols.intern('c')).toBe(OVERFLOW);
    expect(symbols.text(OVERFLOW)).toBe('<overflow>');
    expect([symbols.intern('a'), symbols.intern('b')]).toEqual([a, b]);
  });
});

describe('labels', () => {
  it('reads like a sentence', () => {
    const symbols = roomy();
    const id = symbols.label(symbols.intern('checkout'), SpanKind.server, symbols.intern('POST /checkout'), 0);
    expect(symbols.labelText(id)).toBe('checkout server POST /checkout');
    const db = symbols.label(
      symbols.intern('orders'),
      SpanKind.client,
      symbols.intern('SELECT orders'),
      symbols.intern('postgresql'),
    );
    expect(symbols.labelText(db)).toBe('orders client:postgresql SELECT orders');
  });

  it('comes back from its text, whatever the fields hold', () => {
    const field = fc.oneof(fc.constantFrom('', '-', '%', ' ', ':', '%2D', 'a b', 'x:y'), fc.string({ maxLength: 12 }));
    fc.assert(
      fc.property(field, fc.nat(5), field, field, (service, kind, operation, peer) => {
        const one = roomy();
        const id = one.label(one.intern(service), kind, one.intern(operation), one.intern(peer));
        expect(one.labelFromText(one.labelText(id))).toBe(id);
        const other = roomy();
        other.intern('shifts the ids');
        const again = other.labelFromText(one.labelText(id));
        expect(other.labelText(again)).toBe(one.labelText(id));
        expect(other.labelHash(again)).toBe(one.labelHash(id));
        expect(one.labelHash(id)).toBe(hashText(one.labelText(id)));
      }),
    );
  });

  it('keeps ids apart across growth', () => {
    const symbols = roomy();
    for (let i = 0; i < 6_000; i++) symbols.intern(`text ${i}`);
    const ids = new Set<number>();
    for (let i = 0; i < 5_000; i++) ids.add(symbols.label(2 + (i % 7), i % 6, 10 + i, i % 3));
    expect(ids.size).toBe(5_000);
    expect(Math.min(...ids)).toBeGreaterThan(0);
  });

  it('keeps the service past the cap, then shares one label', () => {
    const symbols = createSymbols({ maxTexts: 1000, maxLabels: 16 });
    const service = symbols.intern('cart');
    for (let i = 0; i < 40; i++) symbols.label(service, SpanKind.server, symbols.intern(`op ${i}`), 0);
    const over = symbols.label(service, SpanKind.server, symbols.intern('op 39'), 0);
    expect(symbols.labelText(over)).toBe('cart server <overflow>');
    for (let i = 0; i < 40; i++)
      symbols.label(symbols.intern(`service ${i}`), SpanKind.server, symbols.intern('op'), 0);
    expect(symbols.labelCount).toBe(16);
    const last = symbols.label(symbols.intern('service 39'), SpanKind.server, symbols.intern('op'), 0);
    expect(symbols.labelText(last)).toBe('<overflow> unspecified <overflow>');
  });
});
