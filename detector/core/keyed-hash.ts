/**
 * Keyed hash of bytes: HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein, reference implementation), of which 53
 * are kept. Without the key nobody can tell which value a hash stands for; SipHash itself takes four times as long in JavaScript.
 */
import { createHash } from 'node:crypto';

export interface KeyedHash {
  /** Starts with 64 bits that say what kind of value it is, then the bytes. */
  of(high: number, low: number, bytes: Uint8Array, start: number, end: number): number;
  /** Two words of the last hash of `of`, big-endian halves. */
  readonly halves: readonly [number, number];
}

/** `purpose` keeps the hashes of one use apart from those of another under the same key. */
export function createKeyedHash(key: string, purpose: string): KeyedHash {
  const secret = createHash('sha256').update(`${purpose}\0${key}`).digest();
  return keyedHashOf(secret.readUInt32LE(0), secret.readUInt32LE(4));
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** With the key's two words, for the test vectors of the reference. */
export function keyedHashOf(k0: number, k1: number): KeyedHash {
  let v0 = 0;
  let v1 = 0;
  let v2 = 0;
  let v3 = 0;
  const halves: [number, number] = [0, 0];

  function rounds(count: number): void {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    }
  }

  function word(m: number): void {
    v3 ^= m;
    rounds(2);
    v0 ^= m;
  }

  return {
    halves,
    of(high, low, bytes, start, end) {
      v0 = k0;
      v1 = k1 ^ 0xee;
      v2 = k0 ^ 0x6c796765;
      v3 = k1 ^ 0x74656462;
      word(high);
      word(low);
      let i = start;
      for (; i + 4 <= end; i += 4)
        word(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
      let last = (end - start + 8) << 24;
      for (let shift = 0; i < end; i++, shift += 8) last |= bytes[i]! << shift;
      word(last);
      v2 ^= 0xee;
      rounds(4);
      halves[0] = (v1 ^ v3) >>> 0;
      v1 ^= 0xdd;
      rounds(4);
      halves[1] = (v1 ^ v3) >>> 0;
      return (halves[0] & 0x1fffff) * 4294967296 + halves[1];
    },
  };
}
