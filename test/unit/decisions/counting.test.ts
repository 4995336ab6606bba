/** What decisions met is counted beside the writing of their rows: a count that fails or never ends keeps nothing back. */
import { expect, test } from 'vitest';
import { createCounting } from '../../../responder/decisions/counting.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { decisionOf } from './decided.ts';

function countingOf(count: (decision: Decision) => Promise<{ matched: number; matchedOrdinary: number }>) {
  const rows: Decision[] = [];
  const warnings: unknown[] = [];
  const counting = createCounting({
    insert: async (given) => void rows.push(...given),
    count,
    logger: { warn: (...words: unknown[]) => void warnings.push(words) },
  });
  return { counting, rows, warnings };
}
const ended = (n: number, state: Decision['state'] = 'undone'): Decision =>
  decisionOf({ id: n.toString(16).padStart(16, '0'), state, revision: 2 });
const FAILED = new Error('MEMORY_LIMIT_EXCEEDED');

test('a row stands before it is counted, and is written again with the figure', async () => {
  let go: (() => void) | undefined;
  const { counting, rows } = countingOf(async () => {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    return { matched: 7, matchedOrdinary: 2 };
  });
  const one = ended(1);
  await counting.insert([one, decisionOf({ id: 'e'.repeat(16) })]);
  expect(rows.map(({ matched }) => matched)).toEqual([0, 0]);
  go?.();
  await counting.idle();
  expect(rows.slice(2)).toEqual([{ ...one, matched: 7, matchedOrdinary: 2 }]);
});

test('one count at a time, each ended one once', async () => {
  let running = 0;
  const seen: string[] = [];
  const { counting } = countingOf(async ({ id }) => {
    expect(++running).toBe(1);
    await Promise.resolve();
    running--;
    seen.push(id);
    return { matched: 1, matchedOrdinary: 0 };
  });
  await counting.insert([ended(1), ended(2, 'expired'), ended(3, 'enforced'), ended(4, 'refused')]);
  await counting.insert([ended(2, 'expired'), ended(5)]);
  await counting.idle();
  expect(seen).toEqual([1, 2, 5].map((n) => ended(n).id));
});

test('counts that fail keep no row back, are said once, and the next is counted', async () => {
  const { counting, rows, warnings } = countingOf(async ({ id }) => {
    if (id !== ended(3).id) throw FAILED;
    return { matched: 4, matchedOrdinary: 4 };
  });
  await counting.insert([ended(1), ended(2), ended(3)]);
  await counting.idle();
  expect(rows.map(({ matched }) => matched)).toEqual([0, 0, 0, 4]);
  expect(warnings).toHaveLength(1);
});

test('a row that cannot be written is an error, and is not counted', async () => {
  const counting = createCounting({
    insert: () => Promise.reject(FAILED),
    count: () => Promise.reject(new Error('counted')),
    logger: { warn: () => expect.unreachable() },
  });
  await expect(counting.insert([ended(1)])).rejects.toBe(FAILED);
  await counting.idle();
});

test('a stop waits for the one under way, and counts no more', async () => {
  const seen: string[] = [];
  const { counting } = countingOf(async ({ id }) => {
    seen.push(id);
    return { matched: 1, matchedOrdinary: 1 };
  });
  await counting.insert([ended(1), ended(2)]);
  await counting.stop(60_000);
  await counting.insert([ended(3)]);
  await counting.idle();
  expect(seen).toEqual([ended(1).id]);
});

test('a stop does not wait for a count that never ends', async () => {
  const { counting, rows } = countingOf(() => new Promise(() => {}));
  await counting.insert([ended(1)]);
  await counting.stop(1);
  expect(rows).toHaveLength(1);
});
