/** Whoever changes addresses within a network, or with every request: a /64 is one client, a /24 or /48 one network. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import { clientOf, networkOf, rangeOf } from '../../../responder/actors/learned/addresses.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { crowd, DAY, eventOf, loginOf } from './events.ts';

const HOUR = 3_600_000;
const END = DAY + 40_000 * 500;
const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  events.flatMap((event) => actors.take(event, event.atMs));
const hex = (n: number): string => (n + 1).toString(16);

const CONFIG = { ...ACTORS_DEFAULTS, learnMs: 3 * HOUR, maxClients: 20_000, maxUsers: 20_000, maxObjects: 65_536 };
const taught = createActors(CONFIG, 7);
feed(taught, crowd(3, 40_000, DAY, 500));
const kept = [...taught.snapshot()];

/** Knows customers who are all signed in when they name orders. */
function knowing(): Actors {
  const actors = createActors(CONFIG, 7);
  for (const { name, bytes } of kept) if (bytes !== null) actors.restore({ name, bytes });
  return actors;
}

const first = (told: readonly ActorRecord[]): ActorRecord | undefined => told.find(({ abuse }) => abuse !== '');

describe('orders of others, each by another address', () => {
  const enumeration = (addressOf: (n: number) => string, userOf: (n: number) => string | null) =>
    Array.from({ length: 60 }, (_, n) =>
      eventOf({
        client: addressOf(n),
        user: userOf(n),
        atMs: END + n * 2_000,
        orders: [1_000 + ((n * 37) % 400) * 7],
      }),
    );

  it.each([
    ['of a /64', (n: number) => `2001:db8:1:1::${hex(n)}`, 'client', '2001:db8:1:1::/64'],
    ['of a /48', (n: number) => `2001:db8:1:${hex(n)}::1`, 'network', '2001:db8:1::/48'],
    ['of a /24', (n: number) => `8.8.8.${n + 1}`, 'network', '8.8.8.0/24'],
  ] as const)('%s are told within ten requests, with and without made-up accounts', (_, addressOf, kind, key) => {
    for (const userOf of [() => null, (n: number) => `made-up-${n}`]) {
      const record = first(feed(knowing(), enumeration(addressOf, userOf)))!;
      expect(record).toMatchObject({ subject: { kind, key }, abuse: 'object-enumeration' });
      expect(record.atMs).toBeLessThan(END + 10 * 2_000);
      // whole addresses are kept for whoever looks
      for (const address of record.clients) expect(address).not.toContain('/');
      if (kind === 'client') expect(record.client.address).toMatch(/^2001:db8:1:1::[0-9a-f]+$/);
    }
  });

  it('of nowhere in common are told of all together, when they are many', () => {
    const actors = knowing();
    // strangers mistype meanwhile: they have no part in it
    const mistyped = Array.from({ length: 14 }, (_, n) =>
      loginOf(`stranger${n}`, false, { client: `9.${n}.${n * 5}.7`, atMs: END - 60_000 + n * 1_000 }),
    );
    feed(actors, mistyped);
    const told = feed(
      actors,
      enumeration(
        (n) => `8.${n}.${n * 3}.7`,
        () => null,
      ),
    );
    const record = told.find(({ abuse }) => abuse === 'object-enumeration')!;
    expect(record.subject.kind).toBe('everyone');
    expect(record.atMs).toBeGreaterThanOrEqual(END + 7 * 2_000);
  });
});

describe('all together', () => {
  const stuffing = Array.from({ length: 40 }, (_, n) =>
    loginOf(`leaked${n}`, false, { client: `9.${n}.${n * 5}.7`, atMs: END - 20_000 + n * 500 }),
  );
  const looks = (count: number, user: (n: number) => string | null): ActorEvent[] =>
    Array.from({ length: count }, (_, n) =>
      eventOf({
        client: `8.${n}.${n * 3}.7`,
        user: user(n),
        atMs: END + n * 400,
        orders: [1_000 + ((n * 37) % 400) * 7],
      }),
    );
  const enumerations = (events: readonly ActorEvent[]): ActorRecord[] =>
    feed(knowing(), [...stuffing, ...events]).filter(({ abuse }) => abuse === 'object-enumeration');

  it('have those who tried passwords no part in what others look at', () => {
    expect(enumerations(looks(9, () => null))).toEqual([]); // nine are not all
    const [record] = enumerations(looks(40, () => null));
    expect(record!.subject.kind).toBe('everyone');
    for (const address of record!.clients) expect(address).toMatch(/^8\./);
  });

  it('are not one user at many addresses: he is named', () => {
    const told = enumerations([
      ...looks(3, (n) => `stranger${n}`),
      ...looks(24, () => 'mallory').map((event) => ({ ...event, atMs: event.atMs + 4_000 })),
    ]);
    expect(new Set(told.map(({ subject }) => `${subject.kind} ${subject.key}`))).toEqual(new Set(['user mallory']));
  });
});

describe('a network', () => {
  it('is told of paths that are not there, each asked for by another of its addresses', () => {
    const scan = Array.from({ length: 120 }, (_, n) =>
      eventOf({
        client: `9.9.9.${n + 1}`,
        atMs: END + n * 300,
        operation: `GET /x${n}`,
        httpStatus: 404,
        outcome: 2,
      }),
    );
    const record = first(feed(knowing(), scan))!;
    expect(record).toMatchObject({ subject: { kind: 'network', key: '9.9.9.0/24' }, abuse: 'scanning' });
    expect(record.clientCount).toBeLessThan(30);
  });

  it('is not told of a few paths that all of it miss', () => {
    const visits = Array.from({ length: 400 }, (_, n) =>
      eventOf({
        client: `9.9.9.${(n >> 2) + 1}`,
        atMs: END + n * 300,
        ...(n % 4 === 0 && { operation: `GET /icon-${n % 3}.png`, httpStatus: 404, outcome: 2 as const }),
      }),
    );
    expect(first(feed(knowing(), visits))).toBeUndefined();
  });
});

describe('a /64', () => {
  it('is told of minutes that are large, whatever address each request has', () => {
    const scraping = Array.from({ length: 6_000 }, (_, n) =>
      eventOf({ client: `2001:db8:1:1::${hex(n >> 4)}`, atMs: END + n * 50, operation: 'GET /search' }),
    );
    const record = first(feed(knowing(), scraping))!;
    expect(record).toMatchObject({ subject: { kind: 'client', key: '2001:db8:1:1::/64' }, abuse: 'scraping' });
  });

  it('is what an address stands for; a /48 is its network', () => {
    for (const [address, client, network] of [
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
      ['2001:db8::7', '2001:db8::/64', '2001:db8::/48'],
      ['2001:db8:0:1::7', '2001:db8:0:1::/64', '2001:db8::/48'],
      ['::1', '::/64', '::/48'],
      ['192.0.2.7', '192.0.2.7', '192.0.2.0/24'],
      ['unix:', 'unix:', ''],
      ['gate.example', 'gate.example', ''],
    ] as const) {
      expect(clientOf(address)).toBe(client);
      if (!address.includes('e')) expect(networkOf(client)).toBe(network);
    }
    expect(rangeOf('fd00:1:2:3::/64')).toBe('private');
    expect(rangeOf('2606:4700:1:2::/64')).toBe('CDN');
    expect(rangeOf('2001:4860:1:2::/64')).toBe('');
  });
});
