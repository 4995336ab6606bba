/** An alarm is one from its beginning to its end: what it turns out to be is told of the same, and that it is over too. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, type Actors, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { crowd, DAY, eventOf, loginOf, randomOf } from './events.ts';

const HOUR = 3_600_000;
const CONFIG = { ...ACTORS_DEFAULTS, learnMs: 2 * HOUR, maxClients: 20_000, maxUsers: 20_000, maxObjects: 65_536 };
const END = DAY + 20_000 * 500;
const feed = (actors: Actors, events: readonly ActorEvent[]): ActorRecord[] =>
  [...events].sort((a, b) => a.atMs - b.atMs).flatMap((event) => actors.take(event, event.atMs));

function knowing(more: object = {}): Actors {
  const actors = createActors({ ...CONFIG, ...more }, 7);
  feed(actors, crowd(3, 20_000, DAY, 500));
  return actors;
}

describe('one distributed attack at about two tries an account', () => {
  it('is one alarm with one id, and risk as of one', () => {
    const random = randomOf(4);
    const attack = Array.from({ length: 4_000 }, (_, k) => {
      // now nearer to once, now to three times an account
      const tries = 1 + (Math.floor(k / 250) % 3);
      const account = `v${Math.floor(k / 250)}-${Math.floor((random() * 250) / tries)}@mail.example`;
      const client = `${60 + (k % 90)}.${(k * 7) % 250}.${(k * 13) % 250}.7`;
      return loginOf(account, false, { client, atMs: END + k * 1_000 });
    });
    const told = feed(knowing(), attack).filter(({ abuse }) => abuse !== '');
    expect(new Set(told.map(({ subject }) => subject.kind))).toEqual(new Set(['everyone']));
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    expect(told.map(({ revision }) => revision)).toEqual(told.map((_, n) => n + 1));
    expect(told.at(-1)!.risk).toBeLessThan(75);
  });

  it('changes what it is by a revision of the same, once it clearly is the other', () => {
    const account = (k: number): string => (k < 40 ? `once${k}` : `thrice${Math.floor(k / 3)}`);
    const rounds = Array.from({ length: 900 }, (_, k) =>
      loginOf(account(k), false, { client: '203.0.113.66', atMs: END + k * 2_000 }),
    );
    const told = feed(knowing(), rounds).filter(({ abuse }) => abuse !== '');
    expect(told[0]!.abuse).toBe('credential-stuffing');
    const kinds = told.map(({ abuse }) => abuse);
    expect(kinds).toContain('password-spraying');
    // back and forth at most once
    expect(kinds.filter((kind, n) => n > 0 && kind !== kinds[n - 1]).length).toBeLessThanOrEqual(2);
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  });
});

describe('an alarm that is over', () => {
  const stuffing = (client: string, fromMs: number) =>
    Array.from({ length: 30 }, (_, k) => loginOf(`${client}-${k}`, false, { client, atMs: fromMs + k * 2_000 }));

  it('is told so by the last revision of the same id, also when its actor never comes again', () => {
    const actors = knowing();
    const told = feed(actors, [...stuffing('203.0.113.66', END), ...crowd(5, 10_000, END, 500)]);
    const ended = told.filter(({ endedMs }) => endedMs !== undefined);
    expect(ended).toHaveLength(1);
    const [last] = ended as [ActorRecord];
    const before = told.filter(({ id, endedMs }) => id === last.id && endedMs === undefined);
    expect(last).toMatchObject({ abuse: 'credential-stuffing', subject: { key: '203.0.113.66' } });
    expect(last.revision).toBe(before.at(-1)!.revision + 1);
    expect(last.seen).toContain('sign-ins failed');
    expect(last.endedMs! - END).toBeGreaterThan(HOUR);
    expect(last.endedMs! - END).toBeLessThan(HOUR + 180_000);
    // what comes later is another one
    const again = feed(actors, stuffing('203.0.113.66', END + 10_000 * 500));
    expect(again.find(({ abuse }) => abuse !== '')).toMatchObject({ revision: 1 });
    expect(again.some(({ id }) => id === last.id)).toBe(false);
  });

  it('is told so over a restart', () => {
    const first = knowing();
    feed(first, stuffing('203.0.113.66', END));
    const second = createActors(CONFIG, 7);
    for (const { name, bytes } of first.snapshot()) if (bytes !== null) second.restore({ name, bytes });
    const ended = feed(second, crowd(5, 10_000, END + 60_000, 500)).filter(({ endedMs }) => endedMs !== undefined);
    expect(ended.map(({ subject }) => subject.key)).toEqual(['203.0.113.66']);
  });

  it('is told so of whoever gives way to others', () => {
    const actors = knowing({ maxFull: 40 });
    const many = Array.from({ length: 60 }, (_, n) => stuffing(`203.0.${n}.66`, END + n * 70_000)).flat();
    const told = feed(actors, many).filter(({ subject }) => subject.kind === 'client');
    const raised = new Set(told.filter(({ revision, abuse }) => revision === 1 && abuse !== '').map(({ id }) => id));
    const ended = new Set(told.filter(({ endedMs }) => endedMs !== undefined).map(({ id }) => id));
    expect(raised.size).toBeGreaterThan(50);
    expect(ended.size).toBeGreaterThan(10);
    for (const id of ended) expect(raised).toContain(id);
  });

  it('is told so alike by whoever goes on from a snapshot that was under way', () => {
    const config = { ...CONFIG, maxFull: 40, maxClients: 2_000, maxUsers: 2_000, maxObjects: 8_192, maxRecent: 2_048 };
    const actors = knowing(config);
    let ended = 0;
    for (let n = 0; n < 70; n++) {
      const next = stuffing(`203.0.${n}.66`, END + n * 70_000);
      if (n < 50) {
        feed(actors, next);
        continue;
      }
      actors.forgetKept();
      const moment = actors.snapshot();
      const told = feed(actors, next);
      const second = createActors(config, 7);
      for (const { name, bytes } of moment) if (bytes !== null) second.restore({ name, bytes });
      expect(feed(second, next)).toEqual(told);
      ended += told.filter(({ endedMs }) => endedMs !== undefined).length;
    }
    expect(ended).toBeGreaterThan(0);
  });
});

describe('what somebody else’s alarm told of at first', () => {
  const client = '203.0.113.66';
  const everybody = crowd(5, 44_000, END, 500);
  const told = (events: readonly ActorEvent[]): ActorRecord[] =>
    feed(knowing(), [...events, ...everybody]).filter(({ abuse, endedMs }) => abuse !== '' && endedMs === undefined);
  const firstOf = (records: readonly ActorRecord[], from: number): ActorRecord | undefined =>
    records.find(({ subject, atMs }) => subject.kind === 'client' && subject.key === client && atMs >= from);

  it('is told of the address when it goes on with other accounts than the one that was burnt', () => {
    let owner = 0;
    const look = (user: string, atMs: number): ActorEvent => {
      const n = owner++;
      return eventOf({ client, user, orders: [1000 + (n % 400) * 7 + (Math.floor(n / 400) % 3) * 3001], atMs });
    };
    const burnt = Array.from({ length: 40 }, (_, k) => look('evil0', END + k * 5_000));
    const rotating = Array.from({ length: 1_080 }, (_, k) => look(`evil${1 + (k >> 1)}`, END + 300_000 + k * 20_000));
    const records = told([...burnt, ...rotating]);
    expect(records[0]!.subject).toMatchObject({ kind: 'user', key: 'evil0' });
    const own = firstOf(records, END + 300_000);
    expect(own).toMatchObject({ revision: 1, abuse: 'object-enumeration' });
    expect(own!.atMs).toBeLessThan(END + HOUR);
  });

  it('is told when the test that spoke for it is over: a list of accounts, then one account for hours', () => {
    const list = Array.from({ length: 30 }, (_, k) =>
      loginOf(`v${k}@mail.example`, false, { client, atMs: END + k * 2_000 }),
    );
    const one = Array.from({ length: 2_000 }, (_, k) =>
      loginOf('boss@mail.example', false, { client, atMs: END + 70_000 + k * 10_000 }),
    );
    const records = told([...list, ...one]);
    expect(firstOf(records, END)!.atMs).toBeLessThan(END + 70_000);
    expect(firstOf(records, END + CONFIG.quietMs + 70_000)!.atMs).toBeLessThan(END + 2 * HOUR);
  });
});
