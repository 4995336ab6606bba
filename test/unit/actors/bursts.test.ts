/** Who is given a folder opens many objects of one owner; who goes through all objects goes from owner to owner. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import { mix } from '../../../responder/actors/hash.ts';
import { createOwnersMet } from '../../../responder/actors/learned/owners-met.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { DAY, eventOf, randomOf } from './events.ts';

const HOUR = 3_600_000;
const DAY_MS = 24 * HOUR;
const PEOPLE = 500;
const FOLDER = 24;
const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  [...events].sort((a, b) => a.atMs - b.atMs).flatMap((event) => actors.take(event, event.atMs));
const accused = (told: readonly ActorRecord[]): string[] =>
  told.filter(({ abuse, revision }) => abuse !== '' && revision === 1).map(({ subject }) => subject.key);

const view = (person: number, owner: number, document: number, atMs: number): ActorEvent =>
  eventOf({
    client: `45.${70 + (person % 50)}.${person >> 4}.9`,
    user: `u${person}`,
    atMs,
    objectKind: 'GET /documents/{id}',
    orders: [100_000 + owner * 1_000 + document],
  });

/** Of days: everybody looks at eight documents of their own, and `folders` of eight are opened, one document after the other. */
function days(count: number, folders: number): ActorEvent[] {
  const random = randomOf(11);
  const events: ActorEvent[] = [];
  for (let day = 0; day < count; day++) {
    const anyTime = (): number => DAY + day * DAY_MS + Math.floor(random() * 20 * HOUR);
    for (let person = 0; person < PEOPLE; person++) {
      const fromMs = anyTime();
      for (let k = 0; k < 8; k++) events.push(view(person, person, Math.floor(random() * FOLDER), fromMs + k * 20_000));
    }
    for (let n = 0; n < folders; n++) {
      const [person, owner] = [Math.floor(random() * PEOPLE), Math.floor(random() * PEOPLE)];
      const fromMs = anyTime();
      for (let k = 0; k < 8; k++) events.push(view(person, owner, k, fromMs + k * 7_000));
    }
  }
  return events;
}

const CONFIG = { ...ACTORS_DEFAULTS, learnMs: DAY_MS, maxClients: 20_000, maxUsers: 20_000, maxObjects: 65_536 };

describe('folders that are shared', () => {
  it('accuse nobody who opens them, document by document, also where their numbers go on', () => {
    expect(accused(feed(createActors(CONFIG, 7), days(6, 12)))).toEqual([]);
  });

  it('cover nobody who goes from owner to owner', () => {
    const actors = createActors(CONFIG, 7);
    feed(actors, days(3, 12));
    const fromMs = DAY + 3 * DAY_MS;
    const told = feed(
      actors,
      Array.from({ length: 10 }, (_, n) => view(9, 20 + n * 3, 5, fromMs + n * 3_000)),
    );
    expect(accused(told)).toEqual(['u9']);
  });

  it('do not hide forever that all there is of one owner is read', () => {
    const actors = createActors(CONFIG, 7);
    const owned = (atMs: number) =>
      Array.from({ length: 700 }, (_, n) => view(400, 400, (n * 31) % 700, atMs + n * 20_000));
    feed(actors, [...days(3, 12), ...owned(DAY + 2 * DAY_MS)]);
    const fromMs = DAY + 3 * DAY_MS;
    // slowly, and in no order of numbers
    const told = feed(
      actors,
      Array.from({ length: 700 }, (_, n) => view(9, 400, (n * 37) % 700, fromMs + n * 20_000)),
    );
    expect(accused(told)).toEqual(['u9']);
    expect(told[0]!.atMs - fromMs).toBeGreaterThan(100 * 20_000);
  });
});

describe('owners that were met', () => {
  it('are news the first time, and again at the 64th and 512th object', () => {
    const met = createOwnersMet(1_000);
    const news = Array.from({ length: 600 }, (_, n) => met.isNews(5, 77) && n + 1).filter(Boolean);
    expect(news).toEqual([1, 64, 512]);
    expect(met.isNews(6, 77)).toBe(true);
    expect(met.isNews(5, 78)).toBe(true);
  });

  it('are forgotten only when others need their place', () => {
    const met = createOwnersMet(1_000);
    let forgotten = 0;
    for (let n = 0; n < 4_000; n++) met.isNews(n, n * 7);
    for (let n = 0; n < 4_000; n++) if (met.isNews(n, n * 7)) forgotten++;
    expect(forgotten).toBeLessThan(100);
  });

  it('are as many as a large installation has people who are shown something', () => {
    const met = createOwnersMet(1_000_000);
    let forgotten = 0;
    for (const isAgain of [false, true])
      for (let user = 0; user < 50_000; user++)
        for (let n = 0; n < 3; n++) if (met.isNews(mix(user), mix(1_000_000 + 3 * user + n)) && isAgain) forgotten++;
    expect(forgotten).toBeLessThan(0.02 * 150_000);
    met.parts.begin();
    const held = [...met.parts.rest()].reduce((sum, { bytes }) => sum + bytes!.length, 0);
    expect(held).toBeLessThan(4_000_000);
  });

  it('are kept while they are met, whoever passes by the same day', () => {
    const met = createOwnersMet(1_000);
    let news = 0;
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 1_000; n++) if (met.isNews(mix(n), mix(90_000 + n)) && round > 0) news++;
      // each once, ten thousand a round: many times what fits
      for (let n = 0; n < 10_000; n++) met.isNews(mix(1_000_000 + 10_000 * round + n), 7);
    }
    expect(news).toBeLessThan(0.01 * 19_000);
  });
});

describe('who looks at everybody’s by trade', () => {
  it('owns nothing of it: whose it is is a stranger to nobody', () => {
    const actors = createActors(CONFIG, 7);
    const agent = (day: number) =>
      Array.from({ length: 400 }, (_, n) =>
        view(499, n % 480, (n + day * 5) % FOLDER, DAY + day * DAY_MS + 21 * HOUR + n * 20_000),
      );
    // documents that nobody looked at since are named by the agent first, while it is learned and later
    const unseen = (day: number) =>
      Array.from({ length: 300 }, (_, n) => view(499, n, 500 + day, DAY + day * DAY_MS + 23.3 * HOUR + n * 5_000));
    feed(actors, [...days(2, 4), ...agent(0), ...agent(1), ...unseen(0), ...unseen(1)]);
    const own = [0, 1].flatMap((day) =>
      Array.from({ length: 300 }, (_, n) => view(n, n, 500 + day, DAY + 2 * DAY_MS + n * 60_000 + day)),
    );
    const thief = (person: number, day: number) =>
      Array.from({ length: 12 }, (_, n) => view(person, n * 9, 500 + day, DAY + 3 * DAY_MS + n * 3_000 + day));
    expect(accused(feed(actors, own))).toEqual([]);
    expect(accused(feed(actors, thief(300, 1)))).toEqual(['u300']);
    expect(accused(feed(actors, thief(301, 0)))).toEqual(['u301']);
  });
});
