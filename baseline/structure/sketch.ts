/** Bottom-k sketches of distinct 32-bit hashes, in rows of a pooled array: exact up to k, mergeable exactly beyond. */

/**
 * Adds `hash` to the sorted row that starts at `at` and holds `length` of at most `k` values; returns the new length.
 * The k smallest distinct hashes are kept, so the row is the same whatever the order of additions and merges.
 */
export function addToSketch(pool: Uint32Array, at: number, length: number, k: number, hash: number): number {
  const end = at + length;
  if (length === k && hash >= pool[end - 1]!) return length;
  let place = end;
  while (place > at && pool[place - 1]! > hash) place--;
  if (place > at && pool[place - 1] === hash) return length;
  const grown = length < k ? length + 1 : k;
  for (let i = at + grown - 1; i > place; i--) pool[i] = pool[i - 1]!;
  pool[place] = hash;
  return grown;
}

/** Distinct hashes seen: exact below k, else (k − 1) / the k-th smallest as a fraction of the range. */
export function distinct(pool: Uint32Array, at: number, length: number, k: number): number {
  if (length < k) return length;
  return Math.max(k, Math.round((k - 1) / ((pool[at + k - 1]! + 1) / 4294967296)));
}
