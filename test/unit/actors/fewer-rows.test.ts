/** A state made for more clients and users than may be known by now is read as far as it fits; who is cut off is met anew. */
import { expect, test } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import { BLOCK_ROWS, createQuietTier, indexIn } from '../../../responder/actors/kept/quiet-tier.ts';
import type { Part } from '../../../responder/actors/parts.ts';
import { crowd, DAY, eventOf, loginOf } from './events.ts';

const CONFIG = { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxObjects: 8_192, maxRecent: 4_096, maxFull: 100 };
const END = DAY + 10_800 * 500;
const ATTACKER = '203.0.113.66';

function restoredFrom(parts: readonly Part[], maxClients: number, maxUsers: number): Actors {
  const restored = createActors({ ...CONFIG, maxClients, maxUsers }, 7);
  for (const { name, bytes } of parts) restored.restore({ name, bytes: bytes! });
  return restored;
}

test.each([
  [20_000, 1_000, 12_000],
  [20_000, BLOCK_ROWS, 12_000],
  [20_000, BLOCK_ROWS + 1, 12_000],
  [20_000, 18_000, 19_500],
])('rows of %i, then %i at most', (before, after, count) => {
  const tier = createQuietTier('t', before);
  for (let n = 0; n < count; n++) {
    const row = tier.row(n, Math.imul(n, 0x9e3779b1) >>> 0, 1 + n);
    if (n % 1_000 === 999) tier.block(row).full[indexIn(row)] = n + 1;
  }
  const less = createQuietTier('t', after);
  less.parts.restoreMeta(JSON.parse(JSON.stringify(tier.parts.begin())));
  for (const { name, bytes } of tier.parts.rest()) less.parts.restore(name, bytes!);
  expect([less.size(), less.evicted()]).toEqual([after, count - after]);
  const gone = Array.from({ length: count }, (_, n) => n).filter((n) => n >= after && n % 1_000 === 999);
  expect(less.takeCut()).toEqual(gone);
  expect(less.takeCut()).toEqual([]);
  for (const n of [0, 1, after - 1]) expect(less.find(n, Math.imul(n, 0x9e3779b1) >>> 0)).toBe(n);
  for (const n of [after, count - 1]) expect(less.find(n, Math.imul(n, 0x9e3779b1) >>> 0)).toBe(-1);
  // new ones have their places, and it is kept and read as any other
  for (let n = 0; n < 3_000; n++) less.row(n, Math.imul(count + n, 0x85ebca6b) >>> 0, count + n);
  expect(less.size()).toBe(after);
  const again = createQuietTier('t', after);
  again.parts.restoreMeta(JSON.parse(JSON.stringify(less.parts.begin())));
  for (const { name, bytes } of less.parts.rest()) again.parts.restore(name, bytes!);
  expect(again.find(2_999, Math.imul(count + 2_999, 0x85ebca6b) >>> 0)).toBe(
    less.find(2_999, Math.imul(count + 2_999, 0x85ebca6b) >>> 0),
  );
});

test('an alarm of who is cut off is told to be over; nobody else is lost', () => {
  const actors = createActors({ ...CONFIG, maxClients: 20_000, maxUsers: 20_000 }, 7);
  for (const event of crowd(7, 10_800, DAY)) actors.take(event, event.atMs);
  const known = actors.status().clients;
  const told = Array.from({ length: 60 }, (_, n) =>
    loginOf(`leak${n}`, false, { client: ATTACKER, atMs: END + n * 1_000 }),
  ).flatMap((event) => actors.take(event, event.atMs));
  expect(told.some(({ subject }) => subject.key === ATTACKER)).toBe(true);
  const parts = [...actors.snapshot()];
  const fits = restoredFrom(parts, known + 1, 20_000);
  const cut = restoredFrom(parts, known, 100);
  const next = eventOf({ client: '10.1.1.1', user: 'somebody', atMs: END + 70_000 });
  expect(fits.take(next, next.atMs)).toEqual([]);
  const ended = cut.take(next, next.atMs).filter(({ endedMs }) => endedMs !== undefined);
  expect(ended.map(({ subject, abuse }) => [subject.key, abuse])).toEqual([[ATTACKER, 'credential-stuffing']]);
  expect(ended[0]!.id).toBe(told.find(({ subject }) => subject.key === ATTACKER)!.id);
  expect(cut.status()).toMatchObject({ clients: known, users: 100 });
  expect(cut.status().full).toBeLessThan(fits.status().full);
});
