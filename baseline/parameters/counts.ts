/**
 * Counters by feature key that merge exactly (DETECTION §7): an open-addressing table over one Uint32Array. An entry holds
 * how often, and by how many clients in how many time buckets (64-bit linear-counting maps, merged by OR). Kinds whose
 * keys are hashes are bounded by keeping the smallest keys: what is kept, and its counts, depend only on what came, never
 * on order or grouping, because a key among the smallest of the whole is among the smallest of every part.
 */
import { avalanche } from './hash.ts';

/** Key, times by known clients, times by unknown clients, client map (2), bucket map (2). */
const STRIDE = 7;
export const KIND_SHIFT = 28;
export const KEY_MASK = 0x0fffffff;
const NO_BOUND = 0xffffffff;
const KINDS = 16;

export interface Counts {
  slots: Uint32Array;
  capacity: number;
  size: number;
  /** Distinct keys kept of each kind. */
  readonly kept: Uint32Array;
  /** Largest key kept of each kind; NO_BOUND until the kind's cap was passed. */
  readonly bound: Uint32Array;
  /** Most keys of each kind. */
  readonly caps: Readonly<Uint32Array>;
}

/** Caps by kind, for kinds 1…15; kinds that are not named have small closed key sets. */
export const createCaps = (caps: Readonly<Record<number, number>>): Readonly<Uint32Array> => {
  const out = new Uint32Array(KINDS).fill(4_096);
  for (const [kind, cap] of Object.entries(caps)) out[Number(kind)] = cap;
  return out;
};

export const createCounts = (caps: Readonly<Uint32Array>): Counts => ({
  slots: new Uint32Array(16 * STRIDE),
  capacity: 16,
  size: 0,
  kept: new Uint32Array(KINDS),
  bound: new Uint32Array(KINDS).fill(NO_BOUND),
  caps,
});

export const keyOf = (kind: number, value: number): number => ((kind << KIND_SHIFT) | (value & KEY_MASK)) >>> 0;
export const kindOf = (key: number): number => key >>> KIND_SHIFT;

const find = (counts: Counts, key: number): number => {
  const mask = counts.capacity - 1;
  const slots = counts.slots;
  let at = avalanche(key) & mask;
  for (;;) {
    const found = slots[at * STRIDE]!;
    if (found === key || found === 0) return at * STRIDE;
    at = (at + 1) & mask;
  }
};

const rebuild = (counts: Counts, capacity: number): void => {
  const old = counts.slots;
  counts.slots = new Uint32Array(capacity * STRIDE);
  counts.capacity = capacity;
  counts.size = 0;
  counts.kept.fill(0);
  for (let from = 0; from < old.length; from += STRIDE) {
    const key = old[from]!;
    if (key === 0 || key > counts.bound[kindOf(key)]!) continue;
    const to = find(counts, key);
    for (let i = 0; i < STRIDE; i++) counts.slots[to + i] = old[from + i]!;
    counts.size++;
    counts.kept[kindOf(key)]!++;
  }
};

/** Cuts a kind down to its cap of smallest keys. */
const trim = (counts: Counts, kind: number): void => {
  const cap = counts.caps[kind]!;
  const keys: number[] = [];
  for (let at = 0; at < counts.slots.length; at += STRIDE) {
    const key = counts.slots[at]!;
    if (key !== 0 && kindOf(key) === kind) keys.push(key);
  }
  keys.sort((a, b) => a - b);
  counts.bound[kind] = keys[cap - 1]!;
  rebuild(counts, counts.capacity);
};

/** Slot of a key, made when new; −1 when the key lies beyond its kind's bound. */
const claim = (counts: Counts, key: number): number => {
  const kind = kindOf(key);
  if (key > counts.bound[kind]!) return -1;
  const slot = find(counts, key);
  if (counts.slots[slot] === key) return slot;
  // Twice the cap before a trim, so that a stream of new keys costs a sort once in `cap` keys.
  if (counts.kept[kind]! >= 2 * counts.caps[kind]!) {
    trim(counts, kind);
    return claim(counts, key);
  }
  if ((counts.size + 1) * 3 > counts.capacity * 2) {
    rebuild(counts, counts.capacity * 2);
    return claim(counts, key);
  }
  counts.slots[slot] = key;
  counts.size++;
  counts.kept[kind]!++;
  return slot;
};

/** Counts one observation; false when the key lies beyond its bound. `client` 0 = unknown. Any integers do: they are hashed. */
export const addCount = (counts: Counts, key: number, client: number, bucket: number): boolean => {
  const slot = claim(counts, key);
  if (slot < 0) return false;
  const slots = counts.slots;
  if (client === 0) {
    slots[slot + 2]!++;
  } else {
    slots[slot + 1]!++;
    const bit = avalanche(client) & 63;
    slots[slot + 3 + (bit >> 5)]! |= 1 << (bit & 31);
  }
  const bit = avalanche(bucket ^ 0x5bd1e995) & 63;
  slots[slot + 5 + (bit >> 5)]! |= 1 << (bit & 31);
  return true;
};

/** Times a key was counted. */
export const timesOf = (counts: Counts, key: number): number => {
  const slot = find(counts, key);
  return counts.slots[slot] === key ? counts.slots[slot + 1]! + counts.slots[slot + 2]! : 0;
};

export const hasCount = (counts: Counts, key: number): boolean => counts.slots[find(counts, key)] === key;

/** Adds `from` to `into`, exactly; `from` stays. */
export const mergeCounts = (into: Counts, from: Counts): void => {
  let narrower = false;
  for (let kind = 0; kind < KINDS; kind++) {
    if (from.bound[kind]! < into.bound[kind]!) {
      into.bound[kind] = from.bound[kind]!;
      narrower = true;
    }
  }
  if (narrower) rebuild(into, into.capacity);
  for (let at = 0; at < from.slots.length; at += STRIDE) {
    const key = from.slots[at]!;
    if (key === 0) continue;
    const slot = claim(into, key);
    if (slot < 0) continue;
    const slots = into.slots;
    slots[slot + 1]! += from.slots[at + 1]!;
    slots[slot + 2]! += from.slots[at + 2]!;
    for (let i = 3; i < STRIDE; i++) slots[slot + i]! |= from.slots[at + i]!;
  }
};

/** Bits of clients in an entry's map. */
export const clientBits = (clients: Iterable<number>): readonly [number, number] => {
  const bits: [number, number] = [0, 0];
  for (const client of clients) {
    const bit = avalanche(client) & 63;
    bits[(bit >> 5) as 0 | 1] |= 1 << (bit & 31);
  }
  return bits;
};

/** Takes out what came from clients of these bits alone: of other entries nothing is known but that others gave it too. */
export const leaveOut = (counts: Counts, [low, high]: readonly [number, number]): void => {
  const { slots } = counts;
  for (let at = 0; at < slots.length; at += STRIDE) {
    if (slots[at] === 0 || slots[at + 1] === 0) continue;
    slots[at + 3]! &= ~low;
    slots[at + 4]! &= ~high;
    if (slots[at + 3] !== 0 || slots[at + 4] !== 0) continue;
    slots[at + 1] = 0;
    if (slots[at + 2] === 0) slots[at] = 0;
  }
  rebuild(counts, counts.capacity);
};

/** Brings the table into the one form that depends only on what was counted: every kind cut to its cap. */
export const settleCounts = (counts: Counts): void => {
  for (let kind = 1; kind < KINDS; kind++) {
    const cap = counts.caps[kind]!;
    if (counts.kept[kind]! > cap || (counts.bound[kind]! !== NO_BOUND && counts.kept[kind]! === cap)) {
      trim(counts, kind);
    }
  }
};

export const overflowed = (counts: Counts, kind: number): boolean =>
  counts.bound[kind]! !== NO_BOUND || counts.kept[kind]! > counts.caps[kind]!;

/** Largest key of a kind whose absence means "not seen". */
export const boundOf = (counts: Counts, kind: number): number => counts.bound[kind]!;

/** One entry, read out. `clients` and `buckets` are estimates of distinct numbers, exact while small. */
export interface CountEntry {
  readonly key: number;
  readonly known: number;
  readonly unknown: number;
  readonly clients: number;
  readonly buckets: number;
  readonly clientMap: readonly [number, number];
  readonly bucketMap: readonly [number, number];
}

const ones = (word: number): number => {
  let w = word - ((word >>> 1) & 0x55555555);
  w = (w & 0x33333333) + ((w >>> 2) & 0x33333333);
  return Math.imul((w + (w >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};

/** Distinct numbers behind a 64-bit map (linear counting, Whang 1990). Never more than came in, while a few. */
export const distinctOf = (low: number, high: number): number => {
  const set = ones(low) + ones(high);
  // Below a quarter full a collision is rarer than not: the bits themselves are the lower bound admission needs.
  if (set <= 16) return set;
  return set >= 63 ? 266 : Math.round(-64 * Math.log(1 - set / 64));
};

/** Entries in ascending key order. */
export const entriesOf = (counts: Counts, kind = 0): CountEntry[] => {
  const out: CountEntry[] = [];
  for (let at = 0; at < counts.slots.length; at += STRIDE) {
    const key = counts.slots[at]!;
    if (key === 0 || (kind !== 0 && kindOf(key) !== kind)) continue;
    const s = counts.slots;
    out.push({
      key,
      known: s[at + 1]!,
      unknown: s[at + 2]!,
      clients: distinctOf(s[at + 3]!, s[at + 4]!),
      buckets: distinctOf(s[at + 5]!, s[at + 6]!),
      clientMap: [s[at + 3]!, s[at + 4]!],
      bucketMap: [s[at + 5]!, s[at + 6]!],
    });
  }
  return out.sort((a, b) => a.key - b.key);
};

/** The settled table as words: number of bounds, (kind, bound) pairs, entries in key order. */
export const toWords = (counts: Counts): Uint32Array => {
  settleCounts(counts);
  const bounds: number[] = [];
  for (let kind = 1; kind < KINDS; kind++) if (counts.bound[kind]! !== NO_BOUND) bounds.push(kind, counts.bound[kind]!);
  const at: number[] = [];
  for (let slot = 0; slot < counts.slots.length; slot += STRIDE) if (counts.slots[slot] !== 0) at.push(slot);
  at.sort((a, b) => counts.slots[a]! - counts.slots[b]!);
  const words = new Uint32Array(1 + bounds.length + at.length * STRIDE);
  words[0] = bounds.length;
  words.set(bounds, 1);
  let to = 1 + bounds.length;
  for (const slot of at) {
    words.set(counts.slots.subarray(slot, slot + STRIDE), to);
    to += STRIDE;
  }
  return words;
};

/** Reads toWords(); false when the words cannot be such a table. */
export const fromWords = (counts: Counts, words: Uint32Array): boolean => {
  const bounds = words[0] ?? -1;
  if (bounds < 0 || bounds % 2 !== 0 || 1 + bounds > words.length) return false;
  if ((words.length - 1 - bounds) % STRIDE !== 0) return false;
  for (let i = 1; i < 1 + bounds; i += 2) {
    const kind = words[i]!;
    if (kind < 1 || kind >= KINDS) return false;
    counts.bound[kind] = words[i + 1]!;
  }
  for (let at = 1 + bounds; at < words.length; at += STRIDE) {
    if (words[at] === 0) return false;
    const slot = claim(counts, words[at]!);
    if (slot < 0) return false;
    counts.slots.set(words.subarray(at, at + STRIDE), slot);
  }
  return true;
};
