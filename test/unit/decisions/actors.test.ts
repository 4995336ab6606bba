/** What real actors (responder/actors) become decisions about: a stuffing network, a user who counts up objects, a shared address. */
import { describe, expect, it } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { crowd, DAY, eventOf, findingEvent, loginOf } from '../actors/events.ts';
import { ownerOf, recordFor, told } from './owning.ts';

/** Actors who know an hour and a half of a crowd, and the owner of the findings behind them. */
function worldOf(settings: object) {
  const actors = createActors(
    { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxClients: 20_000, maxUsers: 20_000, maxFull: 2_000 },
    42,
  );
  const { findings, rows } = ownerOf(settings);
  const feed = (events: readonly ActorEvent[]): void => {
    for (const event of events)
      for (const record of actors.take(event, event.atMs)) findings.take(recordFor.actor(record, event.atMs));
  };
  feed(crowd(7, 10_800, DAY));
  return { feed, rows, findings, fromMs: DAY + 10_800 * 500 };
}

const sure = (event: ActorEvent, confidence: ClientRecord['confidence']): ActorEvent => ({
  ...event,
  client: { ...event.client, confidence },
});

describe('accounts tried from many addresses of a network', () => {
  const rules = [{ name: 'stuffing', kinds: ['actor'], scope: 'range', target: 'everything', type: 'captcha' }];
  const tries = (fromMs: number, confidence: ClientRecord['confidence']): ActorEvent[] =>
    Array.from({ length: 90 }, (_, n) =>
      sure(
        loginOf(`leak${n}@mail.example`, n % 30 === 17, {
          atMs: fromMs + n * 4_000,
          client: `198.51.100.${1 + (n % 30)}`,
        }),
        confidence,
      ),
    );

  it('are decided about as that network', () => {
    const { feed, rows, fromMs } = worldOf({ rules });
    feed(tries(fromMs, 'high'));
    expect(new Set(told(rows))).toEqual(new Set(['enforced range 198.51.100.0/24 everything']));
    expect(rows[0]).toMatchObject({ type: 'captcha', scenario: 'actor' });
    expect(rows[0]!.risk).toBeGreaterThanOrEqual(40);
  });

  it('that may be made up block nobody', () => {
    const { feed, rows, fromMs } = worldOf({ rules });
    feed(tries(fromMs, 'low'));
    expect(new Set(told(rows))).toEqual(new Set(['refused range 198.51.100.0/24 confidence']));
  });
});

it('a user who counts up the orders of others loses rights, whatever address he has, and keeps others’ addresses out of it', () => {
  const { feed, rows, findings, fromMs } = worldOf({});
  feed(
    Array.from({ length: 40 }, (_, n) =>
      eventOf({
        atMs: fromMs + n * 3_000,
        client: `203.0.113.${1 + (n >> 1)}`,
        user: 'mallory',
        orders: [1_000 + n * 7],
      }),
    ),
  );
  findings.advance(fromMs + 600_000);
  expect(told(rows)).toContain('enforced user mallory reduced-rights');
  expect(rows.filter(({ scope, state }) => scope === 'ip' && state !== 'refused')).toEqual([]);
});

it('a /64 whose addresses change with every try is decided about as one: by the range, or by the address it came by', () => {
  for (const [scope, value] of [
    ['range', 'range 2a02:8070:1:2::/64'],
    ['ip', 'ip 2a02:8070:1:2::'],
  ] as const) {
    const { feed, rows, findings, fromMs } = worldOf({
      rules: [{ name: 'stuffing', kinds: ['actor'], scope, target: 'everything', type: 'captcha' }],
    });
    feed(
      Array.from({ length: 60 }, (_, n) =>
        loginOf(`leak${n}@mail.example`, false, { atMs: fromMs + n * 4_000, client: `2a02:8070:1:2::${n + 1}` }),
      ),
    );
    findings.advance(fromMs + 600_000);
    expect(told(rows).some((text) => text.startsWith(`enforced ${value}`))).toBe(true);
  }
});

it('an address that many users share is left alone, however grave what came from it', () => {
  const { feed, rows, findings, fromMs } = worldOf({ rules: [{ name: 'ban', target: 'everything', hard: false }] });
  const client = '198.18.55.9';
  feed(Array.from({ length: 300 }, (_, n) => eventOf({ atMs: fromMs + n * 1_000, client, user: `person${n % 60}` })));
  const attackMs = fromMs + 310_000;
  feed([findingEvent({ atMs: attackMs, client })]);
  findings.take(recordFor.verdict(client, attackMs));
  feed([findingEvent({ atMs: attackMs + 1_000, client, id: 'another' })]);
  findings.advance(attackMs + 60_000);
  expect(told(rows)).toEqual([`refused ip ${client} shared`]);
});

it('who stuffs credentials loses rights, whatever he gets into; those whose accounts he tries and breaks into keep theirs', () => {
  const { feed, rows, findings, fromMs } = worldOf({});
  const client = '203.0.113.66';
  for (let n = 0; n < 120; n++) {
    const at = { client, atMs: fromMs + n * 3_000, user: `leak${n}` };
    const hit = n > 20 && n % 4 === 0;
    feed([loginOf(`leak${n}`, hit, at)]);
    if (hit) feed([eventOf({ ...at, atMs: at.atMs + 1 }), findingEvent({ ...at, atMs: at.atMs + 2 }, { hard: false })]);
  }
  findings.advance(fromMs + 500_000);
  expect(new Set(told(rows))).toEqual(
    new Set([`enforced ip ${client} reduced-rights`, `enforced ip ${client} everything`]),
  );
  expect([...findings.stateParts()].join('')).not.toContain('response.maxUsersPerAddress');
});
