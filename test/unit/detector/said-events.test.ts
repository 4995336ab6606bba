/** How far events for actors were said of a partition: read off their own topic. */
import { expect, test } from 'vitest';
import { saidEvents } from '../../../detector/said-events.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { encodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';

async function logWith(records: readonly (readonly [partition: number, position: number] | 'damaged')[]) {
  const log = createMemoryLog({ now: () => 1_000 });
  await log.ensureTopic('actor-events', { partitions: 1, retentionMs: 1e9 });
  const values = records.map((record) =>
    record === 'damaged'
      ? Uint8Array.of(1, 2, 3)
      : encodeActorEvents({ partition: record[0], position: record[1], step: 7 }, []),
  );
  if (values.length > 0)
    await log.produce(
      'actor-events',
      values.map((value) => ({ kind: RecordKind.actorEvents, key: '', value, partition: 0 })),
    );
  return log;
}

const others = (count: number) => Array.from({ length: count }, (_, i) => [1, i] as const);

test('is what the last record of the partition says, however many of others follow', async () => {
  for (const many of [0, 1, 127, 128, 129, 1_000]) {
    const log = await logWith([[0, 4], [0, 9], 'damaged', ...others(many)]);
    expect(await saidEvents(log, 0, 100)).toEqual({ partition: 0, position: 9, step: 7 });
  }
});

test('is not what a former owner said last, when the next had gone further', async () => {
  const log = await logWith([[0, 4], [0, 12], [0, 9], ...others(3)]);
  expect((await saidEvents(log, 0, 100))?.position).toBe(12);
});

test('is unknown in an empty topic, of a partition that said nothing, and past the records looked at', async () => {
  expect(await saidEvents(await logWith([]), 0, 100)).toBeNull();
  expect(await saidEvents(await logWith(others(5)), 0, 100)).toBeNull();
  expect(await saidEvents(await logWith([[0, 9], ...others(1_100)]), 0, 100)).toBeNull();
});

test('what lies beyond the end was said of another log', async () => {
  expect(await saidEvents(await logWith([[0, 9]]), 0, 8)).toBeNull();
  expect(await saidEvents(await logWith([[0, 9]]), 0, 9)).not.toBeNull();
});
