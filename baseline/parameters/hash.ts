/**
 * Keyed 32-bit hashes of bytes and texts. The key is the installation's: without it nobody can prepare two values that
 * meet in one counter, nor look up a hash in a table made beforehand (a value of few possibilities can still be guessed
 * by whoever has the key; see README).
 */

const FNV_PRIME = 0x01000193;

/** Murmur3's finaliser: every input bit reaches every output bit. */
export const avalanche = (hash: number): number => {
  let h = hash;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** FNV-1a over a byte range from a seed, finalised. */
export const hashBytes = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  let h = seed | 0;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, FNV_PRIME);
  return avalanche(h ^ (end - start));
};

/** The same over UTF-16 code units. */
export const hashText = (text: string, seed: number): number => {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), FNV_PRIME);
  return avalanche(h ^ text.length);
};

/** One step of a rolling hash over integers. */
export const mix = (hash: number, value: number): number => {
  const h = Math.imul((hash ^ value) + 0x9e3779b9, 0x85ebca6b);
  return h ^ (h >>> 15);
};
