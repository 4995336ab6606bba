/** 53-bit hashes of hashes: two 32-bit lanes mixed as in MurmurHash3's finaliser; equal in every process. Not a secret hash. */

const TWO_32 = 4294967296;

/** 53-bit hash of an ordered pair of 53-bit numbers. */
export function mix(x: number, y: number): number {
  let a = (x | 0) ^ 0x9e3779b9;
  let b = ((x / TWO_32) | 0) ^ 0x7f4a7c15;
  a = Math.imul(a ^ (a >>> 15), 0x85ebca6b) ^ (y | 0);
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35) ^ ((y / TWO_32) | 0);
  a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
  b = Math.imul(b ^ (b >>> 16) ^ a, 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 13) ^ b, 0x27d4eb2f);
  b = Math.imul(b ^ (b >>> 15) ^ a, 0x165667b1);
  a ^= b >>> 16;
  return (b & 0x1fffff) * TWO_32 + (a >>> 0);
}

/** 32-bit hash of a 32-bit number, unsigned (bottom-k sketches). */
export function mix32(x: number): number {
  let a = x ^ 0x9e3779b9;
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
  a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (a ^ (a >>> 16)) >>> 0;
}

/** Counts as signatures see them: 1, 2, 3, 4–7, 8–15, … (DETECTION §1). */
export const countBucket = (count: number): number => (count < 4 ? count : 34 - Math.clz32(count));

/** Least count of a bucket. */
export const bucketLow = (bucket: number): number => (bucket < 4 ? bucket : 2 ** (bucket - 2));
