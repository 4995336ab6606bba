/** Whoever is wronged is not accused: owners of what somebody walked through. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { crowd, DAY, eventOf, loginOf, randomOf } from './events.ts';

const HOUR = 3_600_000;
const LEARNED_MS = DAY + 2 * HOUR;
const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  [...events].sort((a, b) => a.atMs - b.atMs).flatMap((event) => actors.take(event, event.atMs));
const accused = (told: readonly ActorRecord[]): string[] =>
  told.filter(({ abuse, revision }) => abuse !== '' && revision === 1).map(({ subject }) => subject.key);

/** Customers look at pages and at orders of their own: the recent ones, or those further back. */
function visits(from: number, visitors: readonly [number, number], count: number, orders: 'recent' | 'old') {
  const random = randomOf(from % 7919);
  const [low, high] = visitors;
  const events: ActorEvent[] = [];
  for (let n = 0; n < count; n++) {
    const person = low + Math.floor(random() * (high - low));
    const who = { client: `45.${70 + (person % 50)}.${(person >> 4) & 255}.${1 + (person % 200)}`, user: `u${person}` };
    for (let k = 0; k < 5; k++) {
      const order = (orders === 'old' ? 40_000 : 10_000) + person * 3 + Math.floor(random() * 3);
      const atMs = from + n * 9_000 + k * 4_000;
      events.push(
        k % 2 === 0
          ? eventOf({ ...who, atMs, orders: [order] })
          : eventOf({ ...who, atMs, operation: k === 1 ? 'GET /' : 'GET /cart' }),
      );
    }
  }
  return events;
}

const walk = (first: number, count: number, wish: Parameters<typeof eventOf>[0]) =>
  Array.from({ length: count }, (_, n) =>
    eventOf({ client: '203.0.113.66', atMs: LEARNED_MS + n * 1_000, orders: [first + n], ...wish }),
  );

describe('owners of objects that somebody else walked through before', () => {
  const config = { ...ACTORS_DEFAULTS, learnMs: HOUR };

  it('are not accused when they come back: what an accused took is nobody’s', () => {
    const actors = createActors(config, 7);
    feed(actors, visits(DAY, [0, 300], 800, 'recent'));
    const attack = feed(actors, walk(40_000, 900, { user: 'newcomer' }));
    expect(new Set(accused(attack))).toEqual(new Set(['newcomer', '203.0.113.66']));
    expect(accused(feed(actors, visits(LEARNED_MS + HOUR, [0, 300], 800, 'old')))).toEqual([]);
  });

  it('are not accused of what somebody asked for in vain before it was there', () => {
    const actors = createActors(config, 7);
    feed(actors, visits(DAY, [0, 300], 800, 'recent'));
    feed(actors, walk(40_000, 900, { httpStatus: 404, outcome: 2 }));
    expect(accused(feed(actors, visits(LEARNED_MS + HOUR, [0, 300], 800, 'old')))).toEqual([]);
  });

  it('who are new themselves, neither', () => {
    const actors = createActors(config, 7);
    feed(actors, visits(DAY, [0, 300], 800, 'recent'));
    feed(actors, walk(10_900, 900, { user: 'newcomer' }));
    expect(accused(feed(actors, visits(LEARNED_MS + HOUR, [200, 500], 800, 'recent')))).toEqual([]);
  });

  it('are not accused, nor all together, of what was only scraped: in no order of numbers, nobody’s until then', () => {
    const actors = createActors(config, 7);
    const many = [0, 2_500, 5_000].flatMap((ms) => visits(DAY + ms, [0, 300], 800, 'recent'));
    feed(actors, many);
    const attack = feed(
      actors,
      Array.from({ length: 900 }, (_, n) =>
        eventOf({ client: '203.0.113.66', atMs: LEARNED_MS + n * 1_000, orders: [40_900 + ((n * 341) % 900)] }),
      ),
    );
    expect(attack.filter(({ revision }) => revision === 1).map(({ abuse }) => abuse)).toEqual(['scraping']);
    expect(accused(feed(actors, visits(LEARNED_MS + HOUR, [300, 600], 800, 'old')))).toEqual([]);
  });

  it('are told of whoever names their objects after them, newcomers too', () => {
    const actors = createActors(config, 7);
    feed(actors, visits(DAY, [0, 300], 800, 'recent'));
    feed(actors, visits(LEARNED_MS, [300, 360], 100, 'recent'));
    const told = feed(actors, walk(10_900, 40, { user: 'newcomer', atMs: LEARNED_MS + HOUR }));
    expect(accused(told)).toEqual(['newcomer']);
  });
});

describe('an address with most of the traffic', () => {
  const stuffing = (client: string, fromMs: number, cover: readonly string[]) =>
    Array.from({ length: 300 }, (_, n) => [
      loginOf(`victim${n}@mail.example`, false, { client, atMs: fromMs + n * 1_000 }),
      ...cover.map((user, k) => eventOf({ client, user, atMs: fromMs + n * 1_000 + k * 50 })),
    ]).flat();
  const named = (told: readonly ActorRecord[]) =>
    told.filter(({ revision }) => revision === 1).map(({ subject, abuse }) => `${subject.key} ${abuse}`);

  it('is accused all the same, when it made the users it has itself, within minutes', () => {
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: HOUR }, 7);
    feed(actors, crowd(7, 20_000, DAY, 500));
    const endMs = DAY + 20_000 * 500;
    const made = Array.from({ length: 15 }, (_, n) => `made-up-${n}`);
    const flood = Array.from({ length: 3_000 }, (_, n) =>
      eventOf({ client: '203.0.113.66', user: made[n % 15]!, atMs: endMs + n * 100 }),
    );
    const told = named(feed(actors, [...flood, ...stuffing('203.0.113.66', endMs + 310_000, made)]));
    expect(told).toContain('203.0.113.66 credential-stuffing');
    expect(told.filter((text) => text.endsWith('attribution'))).toEqual([]);
  });

  it('stays accused, whatever it does afterwards', () => {
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: HOUR }, 7);
    feed(actors, crowd(7, 20_000, DAY, 500));
    const endMs = DAY + 20_000 * 500;
    const known = Array.from({ length: 15 }, (_, n) => `u${n}`);
    const before = feed(actors, stuffing('203.0.113.66', endMs, []));
    expect(named(before)).toContain('203.0.113.66 credential-stuffing');
    const after = feed(actors, stuffing('203.0.113.66', endMs + 301_000, known));
    expect(named(after).filter((text) => text.endsWith('attribution'))).toEqual([]);
  });

  it('is nobody’s to blame when it has had it for long and spans name no users: one notice', () => {
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: HOUR }, 7);
    const throughOne = (event: ActorEvent): ActorEvent => ({
      ...event,
      client: { ...event.client, user: null, address: '203.0.113.5' },
    });
    const calm = feed(actors, crowd(7, 20_000, DAY, 500).map(throughOne));
    expect(named(calm)).toEqual(['one-client attribution']);
    expect(named(feed(actors, stuffing('203.0.113.5', DAY + 20_000 * 500, [])))).toEqual([]);
  });
});

describe('what happens to everybody at the same time', () => {
  const LEARNED = 20_000 * 500;
  const calm = () => {
    const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: HOUR }, 7);
    feed(actors, crowd(7, 20_000, DAY, 500));
    return actors;
  };
  const endMs = DAY + LEARNED;
  const addressOf = (person: number) => `45.${70 + (person % 50)}.${person >> 4}.${1 + (person % 200)}`;

  it('is held against nobody: sign-ins that fail for all', () => {
    const actors = calm();
    const random = randomOf(9);
    const events = crowd(4, 3_000, endMs, 600);
    for (let person = 0; person < 400; person++) {
      if (random() < 0.5) continue;
      const fromMs = endMs + Math.floor(random() * 1_800_000);
      for (let k = 0; k < 3 + (person % 6); k++)
        events.push(
          loginOf(`u${person}@mail.example`, false, { client: addressOf(person), atMs: fromMs + k * 15_000 }),
        );
    }
    expect(accused(feed(actors, events))).toEqual([]);
    expect(actors.status().signInsDown).toBe(true);
  });

  it('is held against nobody: pages that a deployment lost', () => {
    const actors = calm();
    const random = randomOf(9);
    const events = crowd(4, 3_000, endMs, 600);
    for (let person = 0; person < 400; person++) {
      const fromMs = endMs + Math.floor(random() * 1_800_000);
      for (let k = 0; k < 9; k++)
        events.push(
          eventOf({
            client: addressOf(person),
            user: `u${person}`,
            atMs: fromMs + k * 400,
            operation: `GET /static/chunk-${k}.js`,
            httpStatus: 404,
            outcome: 2,
          }),
        );
    }
    expect(accused(feed(actors, events))).toEqual([]);
    expect(actors.status().spared).toBeGreaterThan(0);
  });

  it('does not cover one alone: a known customer who scans, or tries accounts, is told two minutes later', () => {
    const actors = calm();
    const events = crowd(4, 1_000, endMs, 600);
    for (let k = 0; k < 40; k++) {
      const atMs = endMs + k * 1_000;
      events.push(
        eventOf({
          client: addressOf(3),
          user: 'u3',
          atMs,
          operation: `GET /wp-${k}`,
          httpStatus: 404,
          outcome: 2,
        }),
        loginOf(`victim${k}@mail.example`, false, { client: addressOf(9), atMs }),
      );
    }
    const told = feed(actors, events).filter(({ abuse, revision }) => abuse !== '' && revision === 1);
    expect(told.map(({ subject, abuse }) => `${subject.key} ${abuse}`)).toEqual([
      'u3 scanning',
      `${addressOf(9)} credential-stuffing`,
    ]);
    expect(told.at(-1)!.atMs - endMs).toBeLessThan(140_000);
  });

  it('covers no botnet: the same paths asked for by many strangers are scans', () => {
    const actors = calm();
    const events = Array.from({ length: 200 }, (_, n) =>
      eventOf({
        client: `203.0.${n % 20}.7`,
        atMs: endMs + n * 500,
        operation: `GET /wp-${Math.floor(n / 20)}`,
        httpStatus: 404,
        outcome: 2,
      }),
    );
    expect(accused(feed(actors, events)).length).toBeGreaterThan(15);
  });
});
