/** Who is kept in full, and who gives way; and that nobody, whatever comes, is more than 4 KB. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { observe } from '../../../responder/actors/evidence/evidence.ts';
import { TESTS, Test } from '../../../responder/actors/evidence/tests.ts';
import { plainText, textBytes } from '../../../responder/actors/kept/actor-texts.ts';
import {
  addAccount,
  addClient,
  addReason,
  addTrace,
  addUser,
  countsFinding,
  vote,
} from '../../../responder/actors/kept/adding.ts';
import { alarmsOf, raiseAlarm } from '../../../responder/actors/kept/alarms.ts';
import { clientCountOf, type FullActor } from '../../../responder/actors/kept/full-actor.ts';
import { fullActorToJson } from '../../../responder/actors/kept/full-actor-json.ts';
import { ROW_BYTES } from '../../../responder/actors/kept/full-row.ts';
import { createFullTier } from '../../../responder/actors/kept/full-tier.ts';
import { addPoints } from '../../../responder/actors/kept/risk.ts';
import { addMark, markDecadesOf } from '../../../responder/actors/kept/stage-marks.ts';
import { ABUSE_KINDS } from '../../../schemas/log/actor-record.ts';
import { STAGES } from '../../../schemas/log/kill-chain.ts';
import { crowd, DAY, eventOf, loginOf } from './events.ts';

const HOUR = 3_600_000;
const rare = { rate: 1e-4, shape: 1, habit: 1, halfLifeMs: HOUR };

function tierOf(maxFull: number) {
  const gone: string[] = [];
  const tier = createFullTier({ maxFull, quietMs: HOUR }, ({ key }) => gone.push(key));
  const keys = (): string[] => [...tier.places()].map((place) => tier.peek(place).key);
  /** With evidence of so many hits. */
  function add(key: string, hits: number, atMs: number): FullActor {
    const actor = tier.at(tier.add('client', key, atMs, atMs));
    for (let n = 0; n < hits; n++) observe(actor.cells, Test.scan, true, rare, 1e-4, atMs, true, null);
    return actor;
  }
  return { tier, keys, add, gone };
}

describe('of more than are kept in full', () => {
  it('who is accused gives way to nobody who is not, until the alarm is over', () => {
    const { add, keys, gone } = tierOf(100);
    for (let n = 0; n < 60; n++) raiseAlarm(add(`accused${n}`, 1, DAY), Test.scan, 'scanning', DAY, false);
    for (let n = 0; n < 200; n++) add(`weak${n}`, 3, DAY + n);
    expect(keys().filter((key) => key.startsWith('accused'))).toHaveLength(60);
    expect(gone.every((key) => key.startsWith('weak'))).toBe(true);
    for (let n = 0; n < 100; n++) add(`later${n}`, 3, DAY + 5 * HOUR);
    expect(keys().filter((key) => key.startsWith('accused'))).toEqual([]);
  });

  it('evidence and risk count as much as is left of them', () => {
    const { add, keys } = tierOf(100);
    const config = { addressHalfLifeMs: 6 * HOUR, userHalfLifeMs: 72 * HOUR };
    for (let n = 0; n < 100; n++) {
      const actor = add(`old${n}`, n % 2 === 0 ? 6 : 0, DAY);
      if (n % 2 === 1) addPoints(actor, 20, -1, 'found', DAY, config);
    }
    for (let n = 0; n < 90; n++) add(`new${n}`, 1, DAY + 8 * 24 * HOUR);
    expect(keys().filter((key) => key.startsWith('new'))).toHaveLength(90);
  });

  it('one wave of attackers does not fill all places for good', () => {
    const maxFull = 150;
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: 2 * HOUR, maxFull }, 5);
    const take = (event: ReturnType<typeof eventOf>) => actors.take(event, event.atMs);
    for (const event of crowd(3, 18_000, DAY)) take(event);
    const attackMs = DAY + 6 * HOUR;
    for (let n = 0; n < 350; n++)
      for (let k = 0; k < 7; k++)
        take(
          loginOf(`victim${n}-${k}@x`, false, { client: `203.${n >> 7}.${n & 127}.9`, atMs: attackMs + n * 2_000 + k }),
        );
    const attackers = (): number => {
      actors.forgetKept();
      const parts = [...actors.snapshot()].filter(({ name }) => name.startsWith('full/'));
      return parts.flatMap(
        ({ bytes }) =>
          Buffer.from(bytes!)
            .toString()
            .match(/"key":"203\./g) ?? [],
      ).length;
    };
    expect(attackers()).toBeGreaterThan(0.8 * maxFull);
    for (const event of crowd(4, 12_000, attackMs + 8 * 24 * HOUR)) take(event);
    expect(actors.status().full).toBe(maxFull);
    expect(attackers()).toBeLessThan(0.1 * maxFull);
  });
});

/** What V8 has beside: an object, two views, a place (measured by `npm run bench:actors`). */
const OBJECT_BYTES = 350;
const LARGEST = 4_096;

function bytesOf(actor: FullActor): number {
  const { key, service, operation, clientList, userList, accountList, reasonList, clientText } = actor;
  const texts = [key, service, operation, clientList, userList, accountList, reasonList, clientText];
  return ROW_BYTES + OBJECT_BYTES + texts.reduce((sum, text) => sum + textBytes(text), 0);
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

function fillUp(actor: FullActor, letters: string): void {
  const name = (n: number): string => letters.repeat(100).slice(0, 90) + n;
  for (let n = 0; n < 100; n++) {
    addTrace(actor, hex(n + 1, 32));
    addClient(actor, `2001:db8:${hex(n, 4)}::${hex(n * 77, 4)}`, Math.imul(n + 1, 0x9e3779b1) >>> 0);
    addUser(actor, n % 2 === 0 ? name(n).slice(80) : name(n));
    addAccount(actor, n % 3 === 0 ? name(n).slice(85) : name(n));
    addReason(actor, `${name(n).slice(20)}`, n);
    countsFinding(actor, n + 1);
    const what = { stage: STAGES[n % 6]!, technique: 'T1190', by: ABUSE_KINDS[n % 7]!, count: 1 };
    addMark(actor, { ...what, firstMs: DAY, lastMs: DAY + n }, n);
    vote(actor, name(n), name(n) + name(n));
  }
  for (let test = 0; test < TESTS; test++) raiseAlarm(actor, test, 'scanning', DAY, false);
  if (actor.kind !== 'client' && actor.kind !== 'user') return;
  const { client } = eventOf({ client: name(1), user: name(2) });
  actor.setClient({ ...client, session: name(3), reason: name(4), hops: [name(5), name(6)], peer: name(7) }, name(2));
}

describe('an actor kept in full', () => {
  it('is never more than 4 KB, whatever letters its texts have', () => {
    for (const letters of ['a', 'ü', '名', '\u202e', '😀']) {
      const { tier } = tierOf(10);
      for (const kind of ['client', 'user', 'network', 'everyone'] as const) {
        const actor = tier.at(tier.add(kind, plainText(letters.repeat(200), 116), DAY, DAY));
        fillUp(actor, letters);
        expect(bytesOf(actor)).toBeLessThanOrEqual(LARGEST);
        expect([actor.traceIds.length, actor.marks.length, alarmsOf(actor).length]).toEqual([8, 6, TESTS]);
        expect(actor.users.length).toBeGreaterThan(0);
        expect(actor.reasons.length).toBeGreaterThan(1);
        expect(clientCountOf(actor)).toBeGreaterThan(80);
      }
    }
  });

  it('keeps how it began and what came last', () => {
    const actor = tierOf(10).add('k', 0, DAY);
    for (let n = 1; n <= 20; n++) addTrace(actor, hex(n, 32));
    addTrace(actor, hex(3, 32));
    addTrace(actor, '');
    expect(actor.traceIds.map((id) => Number.parseInt(id, 16))).toEqual([1, 2, 3, 4, 17, 18, 19, 20]);
    for (let n = 1; n <= 20; n++) expect(countsFinding(actor, n)).toBe(true);
    expect([20, 5, 4].map((n) => countsFinding(actor, n))).toEqual([false, false, true]);
    for (let n = 0; n < 8; n++) addReason(actor, `reason ${n}`, n === 0 ? 9 : n);
    addReason(actor, 'reason 0', 1);
    expect(actor.reasons.map(({ text, points, count }) => [text, points, count])).toEqual([
      ['reason 0', 10, 2],
      ['reason 6', 6, 1],
      ['reason 5', 5, 1],
      ['reason 4', 4, 1],
      ['reason 7', 7, 1],
    ]);
    for (let n = 0; n < 8; n++)
      addMark(
        actor,
        { stage: STAGES[n % 6]!, technique: '', by: ABUSE_KINDS[n % 7]!, firstMs: DAY + n, lastMs: DAY + n, count: 1 },
        n,
      );
    const again = { stage: STAGES[5]!, technique: '', by: ABUSE_KINDS[5]!, firstMs: DAY, lastMs: DAY + 99, count: 2 };
    expect(addMark(actor, again, 1)).toBe(false);
    const { marks } = actor;
    expect(marks.map(({ by }) => ABUSE_KINDS.indexOf(by as never))).toEqual([2, 3, 4, 5, 6, 0]);
    expect(marks[3]).toEqual({ ...again, count: 3 });
    expect(markDecadesOf(actor, 3)).toBe(5);
  });

  it('is the same from a snapshot, and its place holds nothing of who was there before', () => {
    const { tier } = tierOf(1);
    fillUp(tier.at(tier.add('client', 'before', DAY, DAY)), 'ü');
    const actor = tier.at(tier.add('client', 'after', DAY, DAY));
    expect([actor.cells, actor.sets].flatMap((columns) => [...columns]).filter((value) => value !== 0)).toEqual([
      DAY, // first, last and when points were counted last
      DAY,
      DAY,
      1, // sampling
      3, // confidence
    ]);
    fillUp(actor, '名');
    for (const name of ['requests', 'points', 'attempts', 'accountCount', 'toldRevision', 'usersBefore'] as const)
      actor[name] = 7;
    const restored = createFullTier({ maxFull: 1, quietMs: HOUR }, () => {});
    restored.parts.restoreMeta(tier.parts.begin());
    for (const { name, bytes } of tier.parts.rest()) restored.parts.restore(name, bytes!);
    const same = restored.peek(0);
    expect(fullActorToJson(same)).toEqual(fullActorToJson(actor));
    expect(same.client?.user).toContain('名');
  });
});
