import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addCount,
  type Counts,
  createCaps,
  createCounts,
  entriesOf,
  fromWords,
  keyOf,
  mergeCounts,
  overflowed,
  toWords,
} from '../../../baseline/parameters/counts.ts';

const CAPS = createCaps({ 5: 8, 6: 3 });

interface Event {
  readonly kind: number;
  readonly value: number;
  readonly client: number;
  readonly bucket: number;
}

const events = fc.array(
  fc.record({
    kind: fc.constantFrom(1, 5, 6),
    value: fc.integer({ min: 0, max: 60 }),
    client: fc.integer({ min: 0, max: 9 }),
    bucket: fc.integer({ min: 0, max: 9 }),
  }),
  { maxLength: 200 },
);

const countsOf = (list: readonly Event[]): Counts => {
  const counts = createCounts(CAPS);
  for (const { kind, value, client, bucket } of list) addCount(counts, keyOf(kind, value), client, bucket);
  return counts;
};

const merged = (...parts: Counts[]): Counts => {
  const into = createCounts(CAPS);
  for (const part of parts) mergeCounts(into, part);
  return into;
};

describe('counters', () => {
  test('splitting the events any way and merging in any order gives what counting them at once gives', () => {
    fc.assert(
      fc.property(events, events, events, (a, b, c) => {
        const whole = toWords(countsOf([...a, ...b, ...c]));
        expect(toWords(merged(countsOf(a), countsOf(b), countsOf(c)))).toEqual(whole);
        expect(toWords(merged(countsOf(c), countsOf(a), countsOf(b)))).toEqual(whole);
        expect(toWords(merged(merged(countsOf(b), countsOf(c)), countsOf(a)))).toEqual(whole);
      }),
    );
  });

  test('merging leaves the other as it was', () => {
    fc.assert(
      fc.property(events, events, (a, b) => {
        const other = countsOf(b);
        const before = toWords(countsOf(b));
        mergeCounts(countsOf(a), other);
        expect(toWords(other)).toEqual(before);
      }),
    );
  });

  test('words and back', () => {
    fc.assert(
      fc.property(events, (list) => {
        const words = toWords(countsOf(list));
        const again = createCounts(CAPS);
        expect(fromWords(again, words)).toBe(true);
        expect(toWords(again)).toEqual(words);
      }),
    );
  });

  test('words that are no table are refused', () => {
    for (const words of [[], [3], [1, 2], [0, 1, 2], [2, 99, 1], [0, 0, 0, 0, 0, 0, 0, 0]]) {
      expect(fromWords(createCounts(CAPS), Uint32Array.from(words))).toBe(false);
    }
  });

  test('a capped kind keeps the smallest keys with exact counts and says that it overflowed', () => {
    const counts = createCounts(CAPS);
    for (let round = 0; round < 3; round++) for (let v = 99; v >= 0; v--) addCount(counts, keyOf(5, v), 1 + v, round);
    toWords(counts);
    expect(entriesOf(counts, 5).map(({ key, known }) => [key & 0xff, known])).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((v) => [v, 3]),
    );
    expect(overflowed(counts, 5)).toBe(true);
    expect(overflowed(counts, 6)).toBe(false);
  });

  test('a million distinct keys take no more room than twice the cap', () => {
    const counts = createCounts(CAPS);
    for (let i = 0; i < 1_000_000; i++) addCount(counts, keyOf(5, Math.imul(i, 0x9e3779b1) >>> 4), i, i);
    expect(counts.slots.length).toBeLessThan(1_000);
  });

  test('distinct clients and buckets: never more than there were', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), (clients, buckets) => {
        const counts = createCounts(CAPS);
        for (let c = 1; c <= clients; c++) for (let b = 0; b < buckets; b++) addCount(counts, keyOf(1, 1), c, b);
        const entry = entriesOf(counts)[0]!;
        expect(entry.known).toBe(clients * buckets);
        expect(entry.clients).toBeLessThanOrEqual(clients);
        expect(entry.buckets).toBeLessThanOrEqual(buckets);
        expect(entry.clients).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});
