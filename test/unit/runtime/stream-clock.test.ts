/** Stream time of a file: follows the spans, and is not carried off by clocks that are wrong. */
import { expect, test } from 'vitest';
import { createStreamClock, startOf } from '../../../runtime/files/stream-clock.ts';

const START = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const FUTURE = Date.UTC(2100, 0, 1);

test('it follows the spans', () => {
  const clock = createStreamClock(START);
  for (let i = 0; i < 5_000; i++) clock.see(START + i * 100);
  expect(clock.nowMs).toBeGreaterThan(START + 4_800 * 100);
  expect(clock.nowMs).toBeLessThanOrEqual(START + 5_000 * 100);
});

test('spans of 2100, one in two hundred, move it no further than the others', () => {
  const clock = createStreamClock(START);
  for (let i = 0; i < 20_000; i++) {
    clock.see(i % 200 === 7 ? FUTURE : START + i * 10);
    if (i % 1_000 === 999) expect(clock.nowMs).toBeLessThanOrEqual(START + i * 10);
  }
});

test('when all of a sudden everything is from 2100 it moves an hour in a thousand spans', () => {
  const clock = createStreamClock(START);
  for (let i = 0; i < 2_000; i++) clock.see(START);
  for (let i = 0; i < 3_000; i++) clock.see(FUTURE);
  expect(clock.nowMs - START).toBeLessThanOrEqual(3 * HOUR + HOUR / 10);
  expect(clock.nowMs - START).toBeGreaterThan(2 * HOUR);
});

test('it never goes back: spans of 1970 do not matter', () => {
  const clock = createStreamClock(START);
  for (let i = 0; i < 2_000; i++) clock.see(START);
  for (let i = 0; i < 2_000; i++) clock.see(0);
  expect(clock.nowMs).toBe(START);
});

test.each([
  ['1970', 0],
  ['2100', FUTURE],
])('a first span of %s does not decide where a file starts', (_, wrong) => {
  const ends = Array.from({ length: 100 }, (_, i) => START + i * 50);
  expect(startOf([wrong, ...ends])).toBe(START);
  expect(startOf([wrong])).toBe(wrong); // there is nothing else to go by
});
