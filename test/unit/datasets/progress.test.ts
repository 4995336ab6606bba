import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProgress } from '../../../datasets/shop/jobs/progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('is reached once every job before the ends is done, whatever the order of partitions', async () => {
  const progress = createProgress();
  progress.done('avatars/0', 0n);
  const reached = progress.reaches(
    new Map([
      ['avatars/0', 2n],
      ['avatars/1', 0n],
      ['confirmations/0', 1n],
    ]),
    1_000,
  );
  let known: boolean | undefined;
  void reached.then((value) => {
    known = value;
  });
  progress.done('confirmations/0', 0n);
  await vi.advanceTimersByTimeAsync(500);
  expect(known).toBeUndefined();
  progress.done('avatars/0', 1n);
  expect(await reached).toBe(true);
});

it('does not go back when a job is handed over again', async () => {
  const progress = createProgress();
  progress.done('avatars/0', 4n);
  progress.done('avatars/0', 3n);
  expect(await progress.reaches(new Map([['avatars/0', 5n]]), 1_000)).toBe(true);
});

it('says so when the jobs are not done in time', async () => {
  const progress = createProgress();
  const reached = progress.reaches(new Map([['avatars/0', 1n]]), 1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await reached).toBe(false);
});
