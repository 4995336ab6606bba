import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createDecodeChain,
  createDecoded,
  encodingName,
  MAX_LAYERS,
  WINDOW_BYTES,
} from '../../../baseline/parameters/decode/chain.ts';
import { ParameterSource } from '../../../traces/segment.ts';

const chain = createDecodeChain();
const out = createDecoded();

const decode = (value: string | Uint8Array, source: keyof typeof ParameterSource = 'query') => {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  chain.decode(bytes, 0, bytes.length, ParameterSource[source], out);
  return {
    text: new TextDecoder().decode(out.bytes.subarray(out.start, out.end)),
    encoding: encodingName(out.signature),
    inner: new TextDecoder().decode(out.inner.subarray(0, out.innerLength)),
  };
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');

describe('decode chain', () => {
  test('what a URL needs is transport, not an encoding', () => {
    expect(decode('red%20hat+big')).toMatchObject({ text: 'red hat big', encoding: 'plain' });
    expect(decode('a+b', 'path')).toMatchObject({ text: 'a+b', encoding: 'plain' });
    expect(decode('100%', 'body')).toMatchObject({ text: '100%', encoding: 'plain' });
  });

  test.each([
    ['%2527', "'", 'percent'],
    ['%26lt%3Bscript%26gt%3B', '<script>', 'HTML entity'],
    ['%26%2339%3B', "'", 'HTML entity'],
    ['%5Cu0027%5Cx3c', "'<", 'string escape'],
    ['%u0027', "'", 'plain'],
    ['%EF%BC%87', "'", 'Unicode form'],
    ['%C0%AE%C0%AE', '..', 'Unicode form'],
    ['%2526lt%253B', '<', 'percent, then HTML entity'],
  ])('%s is %s behind %s', (value, text, encoding) => {
    expect(decode(value)).toMatchObject({ text, encoding });
  });

  test('accented letters are no disguise', () => {
    expect(decode('caf%C3%A9')).toMatchObject({ text: 'café', encoding: 'plain' });
  });

  test('containers are opened for the patterns and leave the surface as it is', () => {
    const hidden = base64("1' OR 1=1 -- comment");
    expect(decode(hidden, 'body')).toMatchObject({ text: hidden, encoding: 'base64', inner: "1' OR 1=1 -- comment" });
    const twice = base64(base64('<script>alert(1)</script>'));
    expect(decode(twice, 'body')).toMatchObject({
      encoding: 'base64, then base64',
      inner: '<script>alert(1)</script>',
    });
    const jwt = `${base64url('{"alg":"none"}')}.${base64url('{"sub":"../../etc/passwd"}')}.c2ln`;
    expect(decode(jwt, 'header')).toMatchObject({ encoding: 'JWT', inner: '{"alg":"none"}{"sub":"../../etc/passwd"}' });
  });

  test('words and random tokens are not taken for base64', () => {
    for (const value of ['Authentication', 'dQw4w9WgXcQdQw4w', 'iPhone15ProMaxBlack', 'c3RvcC1pdC1ub3c!']) {
      expect(decode(value, 'body').encoding, value).toBe('plain');
    }
  });

  test('at most three layers come off, however deep the nesting', () => {
    let value = "'";
    for (let i = 0; i < 12; i++) value = encodeURIComponent(value);
    // encodeURIComponent leaves the quote itself; nest a percent form instead.
    let nested = '%27';
    for (let i = 0; i < 12; i++) nested = nested.replaceAll('%', '%25');
    const { encoding } = decode(nested, 'body');
    expect(encoding.split(', then ').length).toBeLessThanOrEqual(MAX_LAYERS);
    expect(decode(nested, 'body').text.length).toBeLessThan(nested.length);
    expect(value).toBe("'");
  });

  test('any bytes: no exception, output within a window', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('query', 'body', 'path', 'header'),
        (bytes, source) => {
          decode(bytes, source as keyof typeof ParameterSource);
          // a byte that is no UTF-8 becomes three; compatibility forms grow up to elevenfold
          expect(out.end - out.start).toBeLessThanOrEqual(11 * bytes.length + 8);
          expect(out.innerLength).toBeLessThanOrEqual(WINDOW_BYTES);
        },
      ),
    );
  });

  test('forms that grow elevenfold when they are taken off stay within the window', () => {
    decode('\ufdfa'.repeat(20_000));
    expect(out.end - out.start).toBeLessThanOrEqual(WINDOW_BYTES + 8);
  });

  test('a value of a megabyte is read as a window of its two ends', () => {
    const big = new Uint8Array(1 << 20).fill(0x61);
    big.set(new TextEncoder().encode('%27%27'), big.length - 6);
    const { text } = decode(big);
    expect(out.end - out.start).toBeLessThanOrEqual(WINDOW_BYTES);
    expect(text.endsWith("''")).toBe(true);
  });
});
