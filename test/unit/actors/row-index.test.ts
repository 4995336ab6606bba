/** Rows by their key: all that are there are found, in segments that grow, and none that is gone. */
import { describe, expect, it } from 'vitest';
import { mix } from '../../../responder/actors/hash.ts';
import { createRowIndex } from '../../../responder/actors/kept/row-index.ts';
import { randomOf } from './events.ts';

function tableOf(maxRows: number) {
  const a = new Uint32Array(maxRows);
  const b = new Uint32Array(maxRows);
  const index = createRowIndex(maxRows, { keyA: (row) => a[row]!, keyB: (row) => b[row]! });
  return {
    find: index.find,
    put(row: number, keyA: number, keyB: number) {
      a[row] = keyA;
      b[row] = keyB;
      index.insert(keyA, keyB, row);
    },
    take: (row: number) => index.remove(b[row]!, row),
    keysOf: (row: number) => [a[row]!, b[row]!] as const,
  };
}

describe('rows by their key', () => {
  for (const [name, keyOf] of [
    ['spread over all segments', (draw: number) => [mix(draw), mix(draw + 9)] as const],
    ['crowded at a few places, with like keys', (draw: number) => [draw & 7, (draw & 1) << 24] as const],
  ] as const)
    it(`are found while others come and go: ${name}`, () => {
      const random = randomOf(7);
      const table = tableOf(5_000);
      const known = new Map<string, number>();
      const free = Array.from({ length: 5_000 }, (_, row) => row);
      for (let n = 0; n < 30_000; n++) {
        const [a, b] = keyOf(Math.floor(random() * 9_000));
        const key = `${a} ${b}`;
        const there = known.get(key) ?? -1;
        expect(table.find(a, b)).toBe(there);
        if (there < 0 && free.length > 0) {
          const row = free.pop()!;
          table.put(row, a, b);
          known.set(key, row);
        } else if (there >= 0 || n % 3 > 0) {
          const [gone, row] = there >= 0 ? [key, there] : known.entries().next().value!;
          table.take(row);
          known.delete(gone);
          free.push(row);
          expect(table.find(...table.keysOf(row))).toBe(-1);
        }
      }
      for (const [, row] of known) expect(table.find(...table.keysOf(row))).toBe(row);
      expect(known.size).toBeGreaterThan(3);
    });

  it('are told apart in the largest table that may be configured, where few bits of a key are in a place', () => {
    const last = 20_000_000 - 1;
    const index = createRowIndex(last + 1, { keyA: (row) => 7 + row, keyB: (row) => row & 3 });
    for (const row of [last, 0, last - 4, 4]) index.insert(7 + row, row & 3, row);
    expect([last, 0, last - 4, 4].map((row) => index.find(7 + row, row & 3))).toEqual([last, 0, last - 4, 4]);
    index.remove(0, 0);
    expect([0, 4].map((row) => index.find(7 + row, row & 3))).toEqual([-1, 4]);
  });
});
