import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { rewind } from '../../../runtime/log/rewind.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';

async function logOf(times: readonly number[], retentionMs = 1e9) {
  let nowMs = 0;
  const log = createMemoryLog({ now: () => nowMs });
  await log.ensureTopic('spans', { partitions: 1, retentionMs });
  for (const time of times) {
    nowMs = time;
    await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: new Uint8Array(1) }]);
  }
  return log;
}

it('finds the first record appended at most so long before the one at the offset', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 30 }),
      fc.nat(31),
      fc.integer({ min: 0, max: 3_000 }),
      async (gaps, at, beforeMs) => {
        const times: number[] = [];
        for (const gap of gaps) times.push((times.at(-1) ?? 1_000) + gap);
        const offset = Math.min(at, times.length);
        const log = await logOf(times);
        const reference = times[offset] ?? times[offset - 1]!;
        const wanted = times.findIndex((time) => time >= reference - beforeMs);
        expect(await rewind(log, 'spans', 0, offset, beforeMs)).toBe(Math.min(wanted, offset));
      },
    ),
    { numRuns: 50 },
  );
});

it('starts at the earliest record held when retention took those before', async () => {
  const log = await logOf([1_000, 2_000, 50_000, 51_000], 10_000);
  expect((await log.offsets('spans')).earliest).toEqual([2]);
  expect(await rewind(log, 'spans', 0, 3, 100_000)).toBe(2);
});

it('stays where nothing was ever written', async () => {
  expect(await rewind(await logOf([]), 'spans', 0, 0, 1_000)).toBe(0);
});
