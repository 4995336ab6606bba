/** Sharing out partitions: complete, even, and nothing moves that need not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignExclusive, assignShared, type Member } from '../../../runtime/log/kafka/assign.ts';

/** Members with claims that may overlap, be stale, or name partitions that are gone. */
const group = fc
  .record({
    partitions: fc.integer({ min: 0, max: 40 }),
    claims: fc.array(
      fc.record({
        owned: fc.uniqueArray(fc.integer({ min: 0, max: 45 })),
        generation: fc.integer({ min: -1, max: 5 }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ partitions, claims }) => ({
    partitions,
    members: claims.map((claim, i): Member => ({ id: `member-${i}`, ...claim })),
  }));

const sizes = (shares: ReadonlyMap<string, readonly number[]>) => [...shares.values()].map((own) => own.length);

test('every partition has one owner, and nobody has two more than another, whatever members claim', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      const shares = assignShared(members, partitions);
      expect([...shares.keys()].toSorted()).toEqual(members.map(({ id }) => id).toSorted());
      expect([...shares.values()].flat().toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: partitions }, (_, p) => p),
      );
      expect(Math.max(...sizes(shares)) - Math.min(...sizes(shares))).toBeLessThanOrEqual(1);
    }),
  );
});

test('the order in which members are listed does not matter', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      expect(assignShared(members.toReversed(), partitions)).toEqual(assignShared(members, partitions));
      expect(assignExclusive(members.toReversed(), partitions)).toEqual(assignExclusive(members, partitions));
    }),
  );
});

test('shared out again with nobody new or gone, nothing moves', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      const shares = assignShared(members, partitions);
      const settled = members.map(({ id }): Member => ({ id, owned: shares.get(id)!, generation: 9 }));
      expect(assignShared(settled, partitions)).toEqual(shares);
    }),
  );
});

test('a member that comes takes its share; only that moves', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      const before = assignShared(members, partitions);
      const settled = members.map(({ id }): Member => ({ id, owned: before.get(id)!, generation: 9 }));
      const after = assignShared([...settled, { id: 'new', owned: [], generation: -1 }], partitions);
      const moved = [...before].flatMap(([id, own]) => own.filter((p) => !after.get(id)!.includes(p)));
      expect(moved.toSorted()).toEqual(after.get('new')!.toSorted());
    }),
  );
});

test('when one goes, the others keep all they have', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      fc.pre(members.length > 1);
      const before = assignShared(members, partitions);
      const left = members.slice(1).map(({ id }): Member => ({ id, owned: before.get(id)!, generation: 9 }));
      const after = assignShared(left, partitions);
      for (const { id, owned } of left) expect(after.get(id)).toEqual(expect.arrayContaining([...owned]));
    }),
  );
});

test('of two claims the later one holds', () => {
  const shares = assignShared(
    [
      { id: 'a', owned: [0, 1], generation: 3 },
      { id: 'b', owned: [1, 2], generation: 4 },
    ],
    4,
  );
  expect(shares.get('b')).toEqual([1, 2]);
  expect(shares.get('a')).toEqual([0, 3]);
});

test('exclusive: all to the present owner, else to the first; the others stand by', () => {
  fc.assert(
    fc.property(group, ({ partitions, members }) => {
      expect(sizes(assignExclusive(members, partitions)).toSorted((a, b) => b - a)[0]).toBe(partitions);
      expect(sizes(assignExclusive(members, partitions)).filter((size) => size > 0).length).toBeLessThanOrEqual(1);
    }),
  );
  const shares = assignExclusive(
    [
      { id: 'a', owned: [], generation: -1 },
      { id: 'b', owned: [0, 1], generation: 7 },
    ],
    2,
  );
  expect(shares.get('b')).toEqual([0, 1]);
  expect(shares.get('a')).toEqual([]);
});
