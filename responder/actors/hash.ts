/** Hashes of keys: two lanes of 32 bits, seeded, so that nobody outside can choose names that collide. */

/** Murmur3's last step: every bit of the input moves every bit of the output. */
export function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Both lanes into `out[0]` and `out[1]`; the first is never 0, which marks an empty place. */
export function hashInto(text: string, seed: number, out: Uint32Array): void {
  let a = seed ^ 0x9e3779b9;
  let b = Math.imul(seed, 0xcc9e2d51) ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(((b << 5) | (b >>> 27)) ^ c, 0x1b873593);
  }
  a = mix(a ^ (b >>> 7));
  out[0] = a === 0 ? 1 : a;
  out[1] = mix(b ^ a);
}

const lanes = new Uint32Array(2);

/** The first lane alone. */
export function hash32(text: string, seed: number): number {
  hashInto(text, seed, lanes);
  return lanes[0]!;
}

/** A whole number of up to 53 bits and a second word to 32 bits. */
export const hashNumber = (value: number, word: number): number =>
  mix((value >>> 0) ^ mix(Math.floor(value / 4294967296) ^ Math.imul(word, 0x9e3779b1)));
