import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, type ActorsCoreConfig, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { ENTRY_MISSING } from '../../../schemas/log/verdict.ts';
import { crowd, DAY, eventOf, findingEvent, loginOf } from './events.ts';

const HOUR = 3_600_000;
const small: ActorsCoreConfig = {
  ...ACTORS_DEFAULTS,
  learnMs: HOUR,
  maxClients: 20_000,
  maxUsers: 20_000,
  maxFull: 2_000,
  maxObjects: 32_768,
  maxRecent: 16_384,
};

const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  events.flatMap((event) => actors.take(event, event.atMs));

/** Actors who know an hour and a half of a crowd; ends at `endMs`. */
function knowing(config: Partial<ActorsCoreConfig> = {}) {
  const actors = createActors({ ...small, ...config }, 42);
  const told = feed(actors, crowd(7, 10_800, DAY));
  return { actors, told, endMs: DAY + 10_800 * 500 };
}

const abuses = (records: readonly ActorRecord[]): string[] =>
  records
    .filter(({ abuse, revision }) => abuse !== '' && revision === 1)
    .map(({ subject, abuse }) => `${subject.kind} ${subject.key} ${abuse}`.replace('  ', ' '));

describe('actors over many requests', () => {
  it('an ordinary crowd is not accused, and most of it is kept in some ninety bytes each', () => {
    const { actors, told } = knowing();
    expect(abuses(told)).toEqual([]);
    expect(actors.status()).toMatchObject({ learning: false, repeated: 0 });
    expect(actors.status().full).toBeLessThan(actors.status().clients + actors.status().users);
  });

  it('a user who counts up the orders of others is named within ten requests, over whatever addresses', () => {
    const { actors, endMs } = knowing();
    let requests = 0;
    let found: ActorRecord | undefined;
    while (found === undefined && requests < 60) {
      const event = eventOf({
        atMs: endMs + requests * 3_000,
        client: `203.0.113.${1 + (requests >> 1)}`,
        user: 'mallory',
        orders: [1_000 + requests * 7],
      });
      found = feed(actors, [event]).find(({ abuse }) => abuse === 'object-enumeration');
      requests++;
    }
    expect(requests).toBeLessThanOrEqual(12);
    expect(found).toMatchObject({
      subject: { kind: 'user', key: 'mallory' },
      abuse: 'object-enumeration',
      revision: 1,
    });
    expect(found!.evidence).toBeGreaterThanOrEqual(found!.bound);
    expect(found!.seen).toMatch(/of \d+ .* in \d+ s; from \d clients/);
    expect(found!.expected).toContain('%');
    expect(found!.stages.at(-1)).toMatchObject({ stage: 'access', technique: 'T1213' });
    expect(found!.risk).toBeGreaterThan(30);
    expect(found!.traceIds.length).toBeGreaterThanOrEqual(3);
  });

  it('who did so while it was learned what is usual does no more than usual', () => {
    const actors = createActors(small, 42);
    const staff = (atMs: number, n: number) =>
      eventOf({ atMs, client: '192.0.2.30', user: 'support', orders: [1_000 + ((n * 7 * 53) % 2_800)] });
    const events = crowd(7, 10_800, DAY);
    for (let n = 0; n < 300; n++) events.push(staff(DAY + 60_000 + n * 25_000, n));
    events.sort((a, b) => a.atMs - b.atMs);
    expect(abuses(feed(actors, events))).toEqual([]);
  });

  it('accounts tried from many addresses of a network are the network’s', () => {
    const { actors, endMs } = knowing();
    const events = Array.from({ length: 90 }, (_, n) =>
      loginOf(`leak${n}@mail.example`, n % 30 === 17, { atMs: endMs + n * 4_000, client: `198.18.7.${1 + (n % 30)}` }),
    );
    const told = feed(actors, events);
    expect(abuses(told)).toContain('network 198.18.7.0/24 credential-stuffing');
    const last = told.filter(({ subject }) => subject.kind === 'network').at(-1)!;
    expect(last.client.address).toBeNull();
    expect(last.clients.length).toBeGreaterThan(3);
    expect(last.accounts.length).toBeGreaterThan(3);
  });

  it('accounts tried from addresses that have nothing in common are everybody’s', () => {
    const { actors, endMs } = knowing();
    const events = crowd(9, 4_000, endMs, 500);
    for (let n = 0; n < 600; n++)
      events.push(
        loginOf(`leak${n}@mail.example`, false, {
          atMs: endMs + 200_000 + n * 2_000,
          client: `${60 + (n % 90)}.${n % 211}.${n % 97}.${n % 251}`,
        }),
      );
    events.sort((a, b) => a.atMs - b.atMs);
    const told = feed(actors, events).filter(({ subject, abuse }) => subject.kind === 'everyone' && abuse !== '');
    expect(told[0]).toMatchObject({ abuse: 'credential-stuffing', client: { address: null } });
    expect(told[0]!.clientCount).toBeGreaterThanOrEqual(10);
  });

  it('one account that many fail at is told as the account', () => {
    const { actors, endMs } = knowing();
    const events = Array.from({ length: 60 }, (_, n) =>
      loginOf('ceo@mail.example', false, { atMs: endMs + n * 60_000, client: `${50 + n}.9.${n}.3` }),
    );
    expect(abuses(feed(actors, events)).some((text) => text.startsWith('account ceo@mail.example'))).toBe(true);
  });

  it('an address of two hundred users, some of whom mistype, is not accused', () => {
    const { actors, endMs } = knowing();
    const events: ActorEvent[] = [];
    events.push(...crowd(21, 2_000, endMs));
    for (let n = 0; n < 600; n++) {
      const user = (n * 71) % 200;
      const at = { atMs: endMs + n * 1_500, client: '198.51.100.1' };
      events.push(loginOf(`office${user}@mail.example`, n % 11 !== 3, at));
      events.push(eventOf({ ...at, user: `office${user}`, orders: [90_000 + user * 3] }));
    }
    const told = feed(
      actors,
      events.sort((a, b) => a.atMs - b.atMs),
    );
    expect(abuses(told)).toEqual([]);
    const [record] = feed(actors, [findingEvent({ atMs: endMs + HOUR, client: '198.51.100.1' }, {})]);
    expect(record!.facts.users).toBeGreaterThan(120);
    expect(record!.facts.users).toBeLessThan(300);
  });

  it('a page that is not there, again and again, is no scan; many are', () => {
    const { actors, endMs } = knowing();
    const gone = (n: number, path: string, client: string) =>
      eventOf({ atMs: endMs + n * 700, client, operation: path, httpStatus: 404, outcome: 2 });
    const poll = Array.from({ length: 80 }, (_, n) => gone(n, 'GET /gone', '203.0.113.40'));
    expect(abuses(feed(actors, poll))).toEqual([]);
    const scan = Array.from({ length: 30 }, (_, n) => gone(100 + n, `GET /wp-${n}`, '203.0.113.41'));
    expect(abuses(feed(actors, scan))).toEqual(['client 203.0.113.41 scanning']);
  });

  it('a privileged operation that the configuration names is told at its first use by somebody new', () => {
    const { actors, endMs } = knowing({ privilegedRoutes: ['GET /admin/*'] });
    const use = (user: string, atMs: number) =>
      eventOf({ atMs, user, client: '203.0.113.50', operation: 'GET /admin/users' });
    expect(abuses(feed(actors, [use('climber', endMs)]))).toEqual(['user climber privileged-route']);
    expect(
      abuses(
        feed(actors, [
          eventOf({ atMs: endMs + 1, user: 'other', operation: 'GET /admin/users', httpStatus: 403, outcome: 2 }),
        ]),
      ),
    ).toEqual([]);
  });

  it('unknown clients are neither pooled nor blamed; their user is an actor all the same', () => {
    const { actors, endMs } = knowing();
    const events = Array.from({ length: 40 }, (_, n) =>
      eventOf({ atMs: endMs + n * 2_000, client: null, user: n % 2 === 0 ? 'mallory' : null, orders: [1_000 + n * 7] }),
    );
    const told = feed(actors, events);
    expect(abuses(told)).toEqual(['user mallory object-enumeration']);
    expect(actors.status().unknownClients).toBe(40);
  });
});

describe('stages and risk of actors with findings', () => {
  it('tells stages in the order they were reached, risk that grows and why; a later stage weighs more after earlier ones', () => {
    const { actors, endMs } = knowing();
    const client = '203.0.113.60';
    const step = (
      n: number,
      kind: 'attack-pattern' | 'statement' | 'service-pair' | 'egress',
      explanationKey: string,
    ) => feed(actors, [findingEvent({ atMs: endMs + n * 60_000, client }, { kind, explanationKey })]).at(-1)!;
    const probe = step(1, 'attack-pattern', 'GET /search · q · SQL injection');
    const exploit = step(2, 'statement', 'GET /search · SELECT');
    const lateral = step(3, 'service-pair', 'search → billing');
    const out = step(4, 'egress', 'POST /x · public:name');
    expect(out.stages.map(({ stage }) => stage)).toEqual([
      'probing',
      'exploitation',
      'lateral-movement',
      'exfiltration',
    ]);
    expect(new Set([probe, exploit, lateral, out].map(({ id }) => id)).size).toBe(1);
    expect([probe, exploit, lateral, out].map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
    expect(exploit.risk).toBeGreaterThan(probe.risk);
    expect(out.risk).toBeGreaterThan(90);
    expect(out.reasons.join(' ')).toContain('statement');
    // the same of an address that only ever did the last
    const alone = feed(actors, [
      findingEvent(
        { atMs: endMs + 300_000, client: '203.0.113.61' },
        { kind: 'egress', explanationKey: 'POST /x · public:name' },
      ),
    ]);
    expect(alone[0]!.risk).toBe(probe.risk);
  });

  it('risk of an address halves in hours, of a user in days', () => {
    const { actors, endMs } = knowing();
    const who = { client: '203.0.113.70', user: 'eve' };
    const [user, client] = feed(actors, [findingEvent({ atMs: endMs, ...who }, {})]);
    const later = endMs + 24 * HOUR;
    const told = feed(actors, [
      findingEvent({ atMs: later, ...who }, { kind: 'whole-tree', hard: false, explanationKey: 'k' }),
    ]);
    expect(user!.subject.kind).toBe('user');
    expect(client!.risk).toBe(user!.risk);
    const of = (kind: string) => told.find(({ subject }) => subject.kind === kind);
    expect(of('client')!.risk).toBeLessThan(client!.risk / 2);
    expect(of('user')?.risk ?? user!.risk).toBeGreaterThan(client!.risk * 0.8);
  });

  it('the same findings told again change nothing', () => {
    const { actors, endMs } = knowing();
    const event = findingEvent({ atMs: endMs, client: '203.0.113.80' }, {});
    expect(feed(actors, [event])).toHaveLength(1);
    expect(feed(actors, [event])).toEqual([]);
    expect(feed(actors, [{ ...event, revision: event.revision + 8 }])).toEqual([]);
    expect(actors.status().repeated).toBe(1);
  });
});

describe('clients that our own configuration names', () => {
  const flood = (
    count: number,
    fromMs: number,
    client: (n: number) => string | null,
    user: (n: number) => string | null,
  ) => Array.from({ length: count }, (_, n) => eventOf({ atMs: fromMs + n * 60, client: client(n), user: user(n) }));

  it('one address with most of the traffic of many users: one notice in a day, and no accusation', () => {
    const { actors, endMs } = knowing();
    const proxy = '198.51.100.200';
    const told = feed(
      actors,
      flood(
        6_000,
        endMs,
        (n) => (n % 10 < 7 ? proxy : `45.3.${n % 200}.9`),
        (n) => `u${n % 300}`,
      ),
    );
    const notices = told.filter(({ abuse }) => abuse === 'attribution');
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatchObject({
      client: { address: null },
      clients: [proxy],
      facts: { misattributed: true },
      risk: 0,
    });
    const attack = Array.from({ length: 60 }, (_, n) =>
      loginOf(`leak${n}@x.example`, false, { atMs: endMs + 400_000 + n * 500, client: proxy }),
    );
    const after = feed(actors, attack);
    expect(after.filter(({ subject }) => subject.key === proxy || subject.kind === 'network')).toEqual([]);
    const [known] = feed(actors, [findingEvent({ atMs: endMs + 450_000, client: proxy }, {})]);
    expect(known!.facts.misattributed).toBe(true);
  });

  it('clients in private ranges that nobody configured: a notice, unless the configuration calls them clients', () => {
    const inside = (n: number) => `10.4.${n % 7}.${n % 250}`;
    const { actors, endMs } = knowing();
    const told = feed(
      actors,
      flood(3_000, endMs, inside, () => null),
    ).filter(({ abuse }) => abuse === 'attribution');
    expect(told).toHaveLength(1);
    expect(told[0]!.subject.key).toBe('ranges');
    const other = knowing({ isClientRange: (address) => address.startsWith('10.4.') });
    expect(
      feed(
        other.actors,
        flood(3_000, other.endMs, inside, () => null),
      ).filter(({ abuse }) => abuse === 'attribution'),
    ).toEqual([]);
  });

  it('most requests without a client: a notice', () => {
    const { actors, endMs } = knowing();
    const told = feed(
      actors,
      flood(
        3_000,
        endMs,
        (n) => (n % 3 === 0 ? `45.2.0.${n % 200}` : null),
        () => null,
      ),
    );
    expect(abuses(told)).toEqual(['everyone no-client attribution']);
  });

  it('most requests in parts, whose entry span is late or lost: no notice, as nothing is configured wrongly', () => {
    const { actors, endMs } = knowing();
    const events = flood(
      3_000,
      endMs,
      (n) => (n % 3 === 0 ? `45.2.0.${n % 200}` : null),
      () => null,
    );
    const parts = events.map((event) =>
      event.client.address === null ? { ...event, client: { ...event.client, reason: ENTRY_MISSING } } : event,
    );
    expect(abuses(feed(actors, parts))).toEqual([]);
  });
});

describe('bad input', () => {
  it('ten thousand forged addresses leave the state bounded', () => {
    const actors = createActors({ ...small, maxClients: 3_000, maxFull: 200, learnMs: 0 }, 1);
    for (let n = 0; n < 10_000; n++) {
      const event = eventOf({
        atMs: DAY + n * 10,
        client: `77.${n >> 8}.${n & 255}.1`,
        httpStatus: 404,
        outcome: 2,
        operation: 'GET',
      });
      actors.take(event, event.atMs);
    }
    const { clients, full, fullEvicted, quietEvicted } = actors.status();
    expect(clients).toBe(3_000);
    expect(full).toBeLessThanOrEqual(200);
    expect(fullEvicted).toBeGreaterThan(9_000);
    expect(quietEvicted).toBe(7_000);
  });

  it('control characters in a key reach nobody’s screen; long texts are cut', () => {
    const { actors, endMs } = knowing();
    const evil = `\u001b[31mroot\u0000\u202e${'x'.repeat(5_000)}`;
    const told = feed(actors, [
      findingEvent(
        { atMs: endMs, client: '203.0.113.90', user: evil },
        { explanationKey: `\u0007${'k'.repeat(9_000)}` },
      ),
    ]);
    expect(told.length).toBeGreaterThan(0);
    const text = JSON.stringify(told);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(text).not.toMatch(/\\u00[01]|[\u0000-\u001f\u202e]/);
    expect(text.length).toBeLessThan(8_000);
  });

  it('time that goes backwards, is minutes late, absent or absurd changes no clock for the worse', () => {
    const { actors, endMs } = knowing();
    for (const atMs of [endMs - 300_000, 0, -5, Number.NaN, Number.POSITIVE_INFINITY, 9e15]) {
      const event = { ...findingEvent({ client: '203.0.113.95' }, {}), atMs, startMs: atMs };
      for (const record of actors.take(event, endMs)) expect(record.atMs).toBeLessThanOrEqual(endMs);
    }
    const [last] = feed(actors, [findingEvent({ atMs: endMs + 1, client: '203.0.113.96' }, {})]);
    expect(last!.atMs).toBe(endMs + 1);
  });

  it('huge counts and sizes stay numbers', () => {
    const { actors, endMs } = knowing();
    for (let n = 0; n < 200; n++)
      actors.take(
        eventOf({
          atMs: endMs + n,
          client: '203.0.113.97',
          sampleWeight: 1e300,
          responseBytes: 1e308,
          orders: [2 ** 53 - 1 - n],
        }),
        endMs + n,
      );
    const [record] = feed(actors, [
      findingEvent({ atMs: endMs + 900, client: '203.0.113.97', sampleWeight: 1e300 }, {}),
    ]);
    expect(Number.isFinite(record!.facts.requests)).toBe(true);
    expect(record!.risk).toBeGreaterThan(0);
  });
});
