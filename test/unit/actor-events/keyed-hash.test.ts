import { describe, expect, test } from 'vitest';
import { createKeyedHash, keyedHashOf } from '../../../detector/core/keyed-hash.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('keyed hashes of values', () => {
  test('are HalfSipHash-2-4-64: vectors of the reference implementation (vectors.h, inputs of 8 to 15 bytes)', () => {
    const hash = keyedHashOf(0x03020100, 0x07060504);
    const vectors = [
      'edfee820bce4858c',
      '5b51cccc13888307',
      '95b0469f06a6f2ee',
      'ae26333994ddcd48',
      '7bc71f9faef5c799',
      '5a2352d75a0c3744',
      '3bb1a870eae8e658',
      '217d0bcb4e81c902',
    ];
    for (const [n, vector] of vectors.entries()) {
      const rest = Uint8Array.from({ length: n }, (_, i) => 8 + i);
      hash.of(0x03020100, 0x07060504, rest, 0, n);
      const out = Buffer.alloc(8);
      out.writeUInt32LE(hash.halves[0], 0);
      out.writeUInt32LE(hash.halves[1], 4);
      expect(out.toString('hex')).toBe(vector);
    }
  });

  test('differ by key, purpose, kind and value, and are the same in every process', () => {
    const of = (key: string, purpose: string, kind: number, value: string) =>
      createKeyedHash(key, purpose).of(kind, 7, bytes(value), 0, value.length);
    const all = [
      of('k', 'a', 1, '17'),
      of('l', 'a', 1, '17'),
      of('k', 'b', 1, '17'),
      of('k', 'a', 2, '17'),
      of('k', 'a', 1, '18'),
    ];
    expect(new Set(all).size).toBe(5);
    expect(of('k', 'a', 1, '17')).toBe(all[0]);
    expect(all.every((hash) => Number.isSafeInteger(hash) && hash >= 0)).toBe(true);
  });
});
