/** Seeded hashes: the only "chance" of learning, the same in every process and in any order of traffic. */

/** 53 bits of a text (cyrb53 by bryc, public domain). */
export function hash53(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 2654435761);
    b = Math.imul(b ^ c, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}

/** Uniform in [0, 1) by the text. */
export const unitHash = (text: string, seed: number): number => hash53(text, seed) / 2 ** 53;

/** 32 bits of a client's address, never 0; 0 stands for unknown. */
export const clientHash = (address: string | null): number =>
  address === null ? 0 : (hash53(address, 0x51) % 0xffffffff) | 0 || 1;
