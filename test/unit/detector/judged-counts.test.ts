import { expect, it } from 'vitest';
import { createJudgedCounter, JUDGED_WINDOW_MS } from '../../../detector/core/judged-counts.ts';
import { decodeJudgedCounts, encodeJson } from '../../../schemas/log/codecs.ts';
import type { JudgedCounts } from '../../../schemas/log/judged.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { DAY, findingOf, verdictOf } from '../responder/verdicts.ts';
import { learnEntries, searchTrace } from './traffic.ts';
import { createWorld } from './world.ts';

const LAG_MS = 5_000;
const WINDOW = DAY / JUDGED_WINDOW_MS;

function create() {
  const said: JudgedCounts[] = [];
  const counter = createJudgedCounter(LAG_MS, (counts) => said.push(counts));
  const add = (atMs: number, p: number, more: Partial<Verdict> = {}) =>
    counter.add({ ...verdictOf({ appendMs: DAY + atMs, p, findings: [] }), ...more }, 1_000);
  return { counter, said, add };
}

it('counts segments by how unlikely they are, and says a window once, when what is judged late is in', () => {
  const { counter, said, add } = create();
  for (const p of [0.5, 1e-2, 5e-3, 1e-3, 9e-5]) add(1_000, p);
  add(1_500, 1e-4, { findings: [findingOf()] });
  counter.advance(0, DAY + JUDGED_WINDOW_MS + LAG_MS - 1);
  expect(said).toEqual([]);
  counter.advance(0, DAY + JUDGED_WINDOW_MS + LAG_MS);
  counter.advance(0, DAY + 10 * JUDGED_WINDOW_MS);
  const facts = { partition: 0, window: WINDOW, windowMs: JUDGED_WINDOW_MS, version: 'v1', segmentsPerDay: 1_000 };
  expect(said).toEqual([{ ...facts, segments: 6, below: [5, 3, 2], hard: [1, 1, 1] }]);
  expect(decodeJudgedCounts(encodeJson(said[0]!))).toEqual(said[0]);
});

it('leaves no segment out: one judged after its window had been said counts in a later one', () => {
  const { counter, said, add } = create();
  add(1_000, 0.5);
  counter.advance(0, DAY + JUDGED_WINDOW_MS + LAG_MS);
  add(2_000, 1e-3);
  counter.advance(0, DAY + 3 * JUDGED_WINDOW_MS);
  expect(said.map(({ window, segments }) => [window - WINDOW, segments])).toEqual([
    [0, 1],
    [1, 1],
  ]);
});

it('keeps versions and partitions apart, and holds the commit back until a window is said', () => {
  const { counter, said, add } = create();
  add(1_000, 0.5, { firstOffset: 70 });
  add(2_000, 0.5, { firstOffset: 60, version: 'v2' });
  add(3_000, 0.5, { partition: 1, firstOffset: 9 });
  expect([counter.floor(0), counter.floor(1), counter.floor(2)]).toEqual([60, 9, Number.POSITIVE_INFINITY]);
  counter.advance(0, DAY + 60_000);
  expect(said.map(({ version, segments }) => [version, segments])).toEqual([
    ['v1', 1],
    ['v2', 1],
  ]);
  expect(counter.floor(0)).toBe(Number.POSITIVE_INFINITY);
  counter.drop(1);
  counter.advance(1, DAY + 60_000);
  expect(said).toHaveLength(2);
});

it('what is no such record is null to the reader', () => {
  const { counter, said, add } = create();
  add(0, 0.5);
  counter.advance(0, DAY + 60_000);
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  expect(decodeJudgedCounts(bytes({ ...said[0], below: [1, 2] }))).toBeNull();
  expect(decodeJudgedCounts(bytes({ ...said[0], segments: -1 }))).toBeNull();
});

it('through detector and responder, killed on the way: every segment is in the realised rate, none twice', async () => {
  const REQUESTS = 60;
  const world = await createWorld({ versions: new Map([['v1', learnEntries(600)]]), partitions: 2 });
  await world.announce('v1');
  await world.start();
  await world.pass(6_000, 500);
  for (let i = 0; i < REQUESTS; i++) {
    await world.send(searchTrace(i, 6_000 + i * 1_000, `198.51.100.${i % 40}`));
    await world.pass(1_000, 500);
    if (i === 35) {
      world.kill();
      await world.start();
    }
  }
  await world.pass(90_000, 1_000);
  expect([...world.rows.judged.values()].reduce((a, b) => a + b, 0)).toBe(REQUESTS);
  world.kill();
});
