/** Who counts as one of those who share an address, and whom a client is called: never the victims of what it is suspected of. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import { createUsersNamed } from '../../../responder/actors/learned/users-named.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { crowd, DAY, eventOf, findingEvent, loginOf } from './events.ts';

const SMALL = { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxClients: 20_000, maxUsers: 20_000, maxFull: 2_000 };
const END = DAY + 10_800 * 500;
const ATTACKER = '203.0.113.66';

const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  events.flatMap((event) => actors.take(event, event.atMs));

/** Actors who know an hour and a half of a crowd whose users spans name, or do not. */
function knowing(named = true): Actors {
  const actors = createActors(SMALL, 42);
  feed(
    actors,
    crowd(7, 10_800, DAY).map((event) => (named ? event : { ...event, client: { ...event.client, user: null } })),
  );
  return actors;
}
const ofClient = (records: readonly ActorRecord[]): ActorRecord =>
  records.filter(({ subject }) => subject.kind === 'client').at(-1)!;

describe('who stuffs credentials', () => {
  it('shares the address with none of those he tries, though spans name them, and is not called by their name', () => {
    const actors = knowing();
    const tries = Array.from({ length: 60 }, (_, n) =>
      loginOf(`leak${n}`, false, { client: ATTACKER, user: `leak${n}`, atMs: END + n * 1_000 }),
    );
    const told = feed(actors, tries);
    const record = ofClient(told);
    expect(record).toMatchObject({ abuse: 'credential-stuffing', users: [], client: { user: null } });
    expect(record.facts).toMatchObject({ users: 0, usersNamed: true });
    expect(told.filter(({ subject }) => subject.kind === 'user')).toEqual([]);
    // what is found in a failed sign-in is not held against whose account it was
    const found = feed(actors, [
      { ...findingEvent({ client: ATTACKER, user: 'leak3', atMs: END + 70_000 }, {}), id: tries[3]!.id },
    ]);
    expect(found.map(({ subject }) => subject.kind)).toEqual(['client']);
    expect(ofClient(found).client.user).toBeNull();
  });

  it('does not come to share it with those whose accounts he got into', () => {
    const actors = knowing();
    const told: ActorRecord[] = [];
    for (let n = 0; n < 90; n++) {
      const at = { client: ATTACKER, atMs: END + n * 2_000 };
      const hit = n > 20 && n % 5 === 0;
      told.push(...feed(actors, [loginOf(`leak${n}`, hit, { ...at, user: hit ? `leak${n}` : null })]));
      if (hit) told.push(...feed(actors, [eventOf({ ...at, atMs: at.atMs + 1, user: `leak${n}` })]));
    }
    const found = ofClient(feed(actors, [findingEvent({ client: ATTACKER, user: 'leak85', atMs: END + 200_000 }, {})]));
    expect(told.filter(({ subject }) => subject.kind === 'client').map(({ client }) => client.user)).not.toContainEqual(
      expect.any(String),
    );
    expect([found.facts.users, found.client.user]).toEqual([0, null]);
  });

  it('is told as well where nobody signed in at his address before', () => {
    const told = feed(
      knowing(),
      Array.from({ length: 40 }, (_, n) => loginOf(`leak${n}`, false, { client: ATTACKER, atMs: END + n * 1_000 })),
    );
    expect(ofClient(told)).toMatchObject({ abuse: 'credential-stuffing', subject: { key: ATTACKER } });
  });
});

describe('users behind an address', () => {
  const people = (count: number, fromMs: number): ActorEvent[] =>
    Array.from({ length: 10 * count }, (_, n) =>
      eventOf({ client: ATTACKER, user: `person${n % count}`, atMs: fromMs + n * 100 }),
    );

  it('count when they were there before the attack, and again when suspicion is over; not those of an attack', () => {
    const actors = knowing();
    feed(actors, people(3, END));
    const attack = (atMs: number) =>
      ofClient(feed(actors, [findingEvent({ client: ATTACKER, atMs }, { explanationKey: `${atMs}` })]));
    expect(attack(END + 60_000).facts.users).toBe(3);
    feed(actors, people(30, END + 120_000));
    expect(attack(END + 180_000).facts.users).toBe(3);
    const later = END + 2 * 86_400_000;
    feed(actors, people(30, later)); // the same
    expect(attack(later + 60_000).facts.users).toBeGreaterThan(20);
  });

  it('are the same after a restart', () => {
    const first = knowing();
    feed(first, people(3, END));
    feed(first, [findingEvent({ client: ATTACKER, atMs: END + 60_000 }, {})]);
    feed(first, people(30, END + 120_000));
    const second = createActors(SMALL, 42);
    for (const { name, bytes } of first.snapshot()) if (bytes !== null) second.restore({ name, bytes });
    const next = findingEvent({ client: ATTACKER, atMs: END + 180_000 }, { explanationKey: 'another' });
    const [one, other] = [first, second].map((actors) => ofClient(feed(actors, [next])));
    expect(other).toEqual(one);
    expect(other!.facts).toMatchObject({ users: 3, usersNamed: true });
  });

  it('are not said to be named where spans name nobody; who signed in there is counted by the account', () => {
    const actors = knowing(false);
    const told = feed(actors, [
      ...Array.from({ length: 60 }, (_, n) =>
        loginOf(`person${n % 20}`, true, { client: ATTACKER, atMs: END + n * 9_000 }),
      ),
      findingEvent({ client: ATTACKER, atMs: END + 600_000 }, {}),
    ]);
    const { users, usersNamed } = ofClient(told).facts;
    expect(usersNamed).toBeUndefined();
    expect(users).toBeGreaterThan(15);
    expect(users).toBeLessThan(25);
  });
});

describe('a service names its users', () => {
  it('when enough of its requests have one, of each service by itself; bounded', () => {
    const named = createUsersNamed();
    for (let n = 0; n < 1_000; n++) {
      named.request('shop', n % 10 === 0);
      named.request('static', n % 100 === 0);
      named.request(`made-up-${n}`, true);
    }
    expect(['shop', 'static', 'made-up-1', 'never'].map(named.isNamed)).toEqual([true, false, false, false]);
    expect(named.state().length).toBeLessThanOrEqual(256);
    expect(createUsersNamed(named.state()).isNamed('shop')).toBe(true);
  });
});
