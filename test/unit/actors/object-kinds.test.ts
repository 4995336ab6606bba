/** Kinds of objects have names that senders can make up: what people really use is not crowded out. */
import { describe, expect, test } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { MAX_KINDS } from '../../../responder/actors/evidence/base-rates.ts';
import { createObjectKinds } from '../../../responder/actors/learned/object-kinds.ts';
import { crowd, DAY, eventOf } from './events.ts';

const OTHERS = MAX_KINDS - 1;
const DAY_S = 86_400;

describe('kinds of objects', () => {
  test('get a number when several were answered, not when one sender makes names up', () => {
    const kinds = createObjectKinds(() => {});
    for (let n = 0; n < 5_000; n++) expect(kinds.of(`made up ${n}`, n % 2, true, n)).toBe(OTHERS);
    for (let n = 0; n < 5; n++) expect(kinds.of('refused', n, false, 5_000)).toBe(OTHERS);
    expect([1, 2, 3, 1].map((actor) => kinds.of('orders', actor, true, 5_000))).toEqual([OTHERS, OTHERS, 0, 0]);
    expect(kinds.of('orders', 9, false, 5_000)).toBe(0);
  });

  test('that are established are never displaced; of the others the longest unused gives its number up, and is unknown then', () => {
    const given: number[] = [];
    const kinds = createObjectKinds((id) => given.push(id));
    const admit = (text: string, actors: number, nowS: number) => {
      let id = OTHERS;
      for (let actor = 0; actor < actors; actor++) id = kinds.of(text, actor, true, nowS);
      return id;
    };
    const orders = admit('orders', 8, 0);
    const rare = admit('rare', 3, 1);
    for (let n = 0; n < 2 * MAX_KINDS; n++) {
      admit(`made up ${n}`, 3, 10 + n);
      kinds.of('rare', 1, true, 10 + n); // in use
    }
    expect(kinds.of('orders', 99, true, 20 * DAY_S)).toBe(orders);
    expect(kinds.of('rare', 1, true, 20 * DAY_S)).toBe(rare);
    expect(given.length).toBe(2 * MAX_KINDS + 2 - OTHERS);
    expect(given).not.toContain(orders);
    expect(given).not.toContain(rare);
    // where all are established one that comes later has none, until one is not used for long
    for (let n = 0; n < 2 * MAX_KINDS; n++) admit(`real ${n}`, 8, 20 * DAY_S);
    expect(admit('returns', 8, 40 * DAY_S)).toBe(OTHERS);
    expect(admit('returns', 8, 60 * DAY_S)).toBeLessThan(OTHERS);
  });

  test('are the same after a restart', () => {
    const before = createObjectKinds(() => {});
    for (let n = 0; n < 3_000; n++) before.of(`kind ${n % 700}`, n % 11, true, n);
    const after = createObjectKinds(() => {});
    after.restore(JSON.parse(JSON.stringify(before.state())));
    for (let n = 0; n < 3_000; n++) {
      const text = `kind ${(n * 7) % 900}`;
      expect(after.of(text, n % 5, true, 3_000 + n)).toBe(before.of(text, n % 5, true, 3_000 + n));
    }
    expect(after.state()).toEqual(before.state());
  });

  test('who goes through the orders of others is told of, also when hundreds of kinds were made up before', () => {
    const actors = createActors(
      { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxClients: 20_000, maxUsers: 5_000, maxObjects: 65_536 },
      7,
    );
    const events = [];
    // pairs of accounts, each with names of its own: what the first one names, the second one names again
    for (let pair = 0; pair < 60; pair++)
      for (let n = 0; n < 30; n++)
        for (const side of [0, 1])
          events.push({
            ...eventOf({
              atMs: DAY + (pair * 30 + n) * 200,
              client: `192.0.2.${2 * pair + side}`,
              user: `made${2 * pair + side}`,
            }),
            objects: [{ kind: `edge GET /orders/{id} · p${pair}n${n}_id`, hash: pair * 1_000_003 + n * 17, number: n }],
          });
    const people = crowd(3, 7_500, DAY + 400_000);
    events.push(...people);
    const fromMs = people.at(-1)!.atMs;
    for (let n = 0; n < 30; n++)
      events.push(
        eventOf({ atMs: fromMs + n * 1_000, client: '203.0.113.5', user: 'mallory', orders: [1_000 + n * 7] }),
      );
    const told = events.flatMap((event) => actors.take(event, event.atMs));
    expect(told.filter(({ subject }) => subject.key === 'mallory').map(({ abuse }) => abuse)).toContain(
      'object-enumeration',
    );
    expect(actors.status().learning).toBe(false);
  });
});
