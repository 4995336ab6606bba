/** Distinct 32-bit values as the k smallest of their hashes (KMV): merging is exact, commutative and idempotent. */

const SIZE = 1_024;

export type Distinct = Set<number>;

export const createDistinct = (): Distinct => new Set();

export function addToDistinct(distinct: Distinct, value: number): void {
  if (value === 0) return;
  distinct.add(mix(value));
  if (distinct.size > 2 * SIZE) shrink(distinct);
}

export function mergeDistinct(into: Distinct, from: Distinct): void {
  for (const hash of from) into.add(hash);
  if (into.size > 2 * SIZE) shrink(into);
}

/** Exact up to the sketch's size, then ± 3 %. */
export function countDistinct(distinct: Distinct): number {
  if (distinct.size <= SIZE) return distinct.size;
  const smallest = smallestOf(distinct);
  return Math.round((SIZE - 1) / ((smallest[SIZE - 1]! + 1) / 2 ** 32));
}

/** Canonical form: the same for equal sets of values, however they were merged. */
export const distinctToForm = (distinct: Distinct): number[] => smallestOf(distinct);
export const distinctFromForm = (form: readonly number[]): Distinct => new Set(form);

const smallestOf = (distinct: Distinct): number[] => [...distinct].sort((a, b) => a - b).slice(0, SIZE);

function shrink(distinct: Distinct): void {
  const keep = smallestOf(distinct);
  distinct.clear();
  for (const hash of keep) distinct.add(hash);
}

/** murmur3's finaliser, unsigned. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
