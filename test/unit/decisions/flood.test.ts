/** Many attackers at once: what is held stays bounded, nothing costs more the more there are, and what is dropped is counted. */
import { describe, expect, it } from 'vitest';
import { createDueQueue } from '../../../responder/decisions/due.ts';
import { randomOf } from '../actors/events.ts';
import { actorOf, BAN, clientRecord, DAY, decidingOf, HOUR, incidentOf } from './deciding.ts';

const address = (i: number): string => `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.9`;
const incident = (i: number, atMs: number) =>
  incidentOf({ id: `i${i}`, client: clientRecord(address(i)), openedMs: atMs, lastHitMs: atMs });

describe('a flood of attackers', () => {
  it('is refused within bounds: a thousand rows an hour, the others counted; the cap’s decisions stand', () => {
    const { core, rows, snapshot } = decidingOf({ rules: [BAN], maxDecisionsPerHour: 20 });
    for (let i = 0; i < 6_000; i++) {
      const atMs = DAY + i * 10;
      core.actor(actorOf({ subject: { kind: 'client', key: address(i) }, atMs }), atMs);
      core.incident(incident(i, atMs), atMs);
    }
    expect(core.inForce()).toHaveLength(20);
    expect(rows.filter(({ state }) => state === 'refused')).toHaveLength(1_000);
    expect(core.counts().unkeptRefusals).toBe(4_980);
    expect(snapshot().book.decisions.length).toBeLessThanOrEqual(2_020);
    // an hour later there are rows again
    core.actor(actorOf({ subject: { kind: 'client', key: address(9_000) }, shared: 50, atMs: DAY + HOUR }), DAY + HOUR);
    core.incident(incident(9_000, DAY + HOUR + 60_000), DAY + HOUR + 60_000);
    expect(rows.at(-1)).toMatchObject({ state: 'refused', value: address(9_000) });
  });

  it('whose sharers are not known yet waits in order, from a snapshot too; whoever gives way to newer ones is counted', () => {
    const first = decidingOf({ factsWaitMs: 10_000 });
    for (let i = 0; i < 3_000; i++) first.core.incident(incident(i, DAY + i), DAY + i);
    expect(first.core.counts().forgottenCases).toBe(1_000);
    const second = decidingOf({ factsWaitMs: 10_000 }, {}, first.snapshot());
    first.core.advance(DAY + 20_000);
    second.core.advance(DAY + 20_000);
    const refused = Array.from({ length: 1_000 }, (_, i) => `refused no-facts ${address(1_000 + i)}`);
    for (const { rows, states } of [first, second]) {
      expect(states().map((state, i) => `${state} ${rows[i]!.value}`)).toEqual(refused);
      expect(rows.map(({ createdMs }) => createdMs)).toEqual(refused.map((_, i) => DAY + 11_000 + i));
    }
    expect(first.snapshot().waiting).toEqual([]);
  });

  it('does not push out what keeps a decision from being made again', () => {
    const { core, rows } = decidingOf({ rules: [BAN] });
    core.actor(actorOf({ atMs: DAY }), DAY);
    core.incident(incidentOf(), DAY);
    core.action({ about: rows[0]!.id, action: 'undo', by: 'ana', comment: '', atMs: DAY + 1 }, DAY + 1);
    for (let i = 0; i < 3_000; i++) {
      const atMs = DAY + 2 + i;
      core.actor(actorOf({ subject: { kind: 'client', key: address(i) }, shared: 50, atMs }), atMs);
      core.incident(incident(i, atMs), atMs);
    }
    const before = rows.length;
    core.incident(incidentOf({ revision: 2, openedMs: DAY + 2 }), DAY + 10_000);
    expect(rows).toHaveLength(before);
  });
});

it('what is due comes in its order, whatever order it came in and whatever was called off', () => {
  const random = randomOf(3);
  const off = new Set<number>();
  const queue = createDueQueue<number>(({ what }) => !off.has(what));
  const all = Array.from({ length: 2_000 }, (_, what) => ({ dueMs: Math.floor(random() * 300), rank: what, what }));
  for (const one of all) queue.add(one);
  for (const { what } of all) if (random() < 0.3) off.add(what);
  const expected = all.filter(({ what }) => !off.has(what)).sort((a, b) => a.dueMs - b.dueMs || a.rank - b.rank);
  const order: number[] = [];
  for (let next = queue.first(); next !== undefined; next = queue.first()) {
    order.push(next.what);
    off.add(next.what);
  }
  expect(order).toEqual(expected.map(({ what }) => what));
});
