/** Small sets and counts in bits: Bloom filters of two generations, and linear counting (Whang et al. 1990). */
import { mix } from './hash.ts';

/** Sets bit of `hash` in words `from … from + 2^log2Words`; true when it was not set. */
export function setBit(words: Uint32Array, from: number, log2Words: number, hash: number): boolean {
  const word = from + (hash & ((1 << log2Words) - 1));
  const bit = 1 << (hash >>> 27);
  if ((words[word]! & bit) !== 0) return false;
  words[word] = words[word]! | bit;
  return true;
}

export const hasBit = (words: Uint32Array, from: number, log2Words: number, hash: number): boolean =>
  (words[from + (hash & ((1 << log2Words) - 1))]! & (1 << (hash >>> 27))) !== 0;

/** Distinct things set, estimated: −m ln(empty / m); all bits set counts as m ln m. */
export function linearCount(words: Uint32Array, from: number, count: number): number {
  const bits = count * 32;
  let set = 0;
  for (let i = from; i < from + count; i++) set += bitCount(words[i]!);
  if (set === 0) return 0;
  return Math.round(-bits * Math.log(Math.max(1, bits - set) / bits));
}

export function bitCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Words of a filter: a generation that is filled and the one before. */
const GENERATION = 16;
export const FILTER_WORDS = 2 * GENERATION;
/** Half of the bits set: one in four of what was never added seems known, by two bits each. */
const FULL_BITS = GENERATION * 16;

/** A Bloom filter that forgets the oldest: `words[at … at + FILTER_WORDS]`. */
export const filterHas = (words: Uint32Array, at: number, hash: number): boolean =>
  hasBoth(words, at, hash) || hasBoth(words, at + GENERATION, hash);

/** True when it was not known. */
export function filterAdd(words: Uint32Array, at: number, hash: number): boolean {
  if (filterHas(words, at, hash)) return false;
  let set = 0;
  for (let i = at; i < at + GENERATION; i++) set += bitCount(words[i]!);
  if (set >= FULL_BITS) {
    words.copyWithin(at + GENERATION, at, at + GENERATION);
    words.fill(0, at, at + GENERATION);
  }
  setBit(words, at, 4, hash);
  setBit(words, at, 4, mix(hash ^ 0x5bd1e995));
  return true;
}

function hasBoth(words: Uint32Array, at: number, hash: number): boolean {
  const second = mix(hash ^ 0x5bd1e995);
  return (
    (words[at + (hash & (GENERATION - 1))]! & (1 << (hash >>> 27))) !== 0 &&
    (words[at + (second & (GENERATION - 1))]! & (1 << (second >>> 27))) !== 0
  );
}
