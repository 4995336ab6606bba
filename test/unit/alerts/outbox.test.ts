/** The outbox without sockets: what is tried when, what is given up, what a restart, a hand-over or a replay makes of it. */
import { describe, expect, it } from 'vitest';
import { createOutbox, type Outbox, type OutboxDestination } from '../../../responder/alerts/outbox.ts';
import { MAX_WAITING } from '../../../responder/alerts/queue.ts';
import type { AttemptOutcome } from '../../../responder/alerts/retry.ts';
import type { Alert, Delivery } from '../../../schemas/alerts/incident.ts';
import { DAY } from '../responder/verdicts.ts';
import { createHandClock, type HandClock } from './clock.ts';
import { alertOf, incidentOf } from './incidents.ts';

const OK: AttemptOutcome = { kind: 'delivered', httpStatus: 204 };
const BROKEN: AttemptOutcome = { kind: 'failed', httpStatus: 500, error: 'receiver answered 500', retryAfterMs: 0 };
const HOUR = 3_600_000;

type Answer = AttemptOutcome | Promise<AttemptOutcome>;

interface World {
  readonly outbox: Outbox;
  readonly posts: string[];
  readonly rows: Delivery[];
  readonly dead: string[];
  /** Newest row of an alert at a destination, as ClickHouse would have it. */
  stored(alertId: string, destination?: string): Delivery | undefined;
}

function worldOf(
  clock: HandClock,
  answer: (destination: string, alert: Alert, signal: AbortSignal) => Answer,
  destinations: readonly Partial<OutboxDestination>[] = [{}],
  config: { giveUpAfterMs?: number; knownSinceMs?: number } = {},
): World {
  const posts: string[] = [];
  const rows: Delivery[] = [];
  const dead: string[] = [];
  const outbox = createOutbox(
    { giveUpAfterMs: 24 * HOUR, maxInFlight: 2, ...config },
    destinations.map((more) => ({
      name: 'ops',
      wants: ({ class: of }) => of === 'security',
      mayWantLater: false,
      digest: false,
      resolve: false,
      acknowledge: false,
      hearsOfMembers: false,
      ...more,
      async post(alert, signal) {
        posts.push(`${more.name ?? 'ops'} ${alert.id}`);
        return answer(more.name ?? 'ops', alert, signal);
      },
    })),
    {
      now: clock.now,
      after: clock.after,
      random: () => 0.5,
      record: (delivery) => void rows.push(delivery),
      onDead: (alert, destination, error) => void dead.push(`${destination} ${alert.id}: ${error}`),
    },
  );
  const stored = (alertId: string, destination = 'ops'): Delivery | undefined =>
    rows
      .filter((row) => row.alertId === alertId && row.destination === destination)
      .sort((a, b) => b.revision - a.revision)[0];
  return { outbox, posts, rows, dead, stored };
}

const security = [incidentOf()];

describe('outbox', () => {
  it('tries again with growing waits, and gives up a day after the alert was queued', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts, rows, dead } = worldOf(clock, () => BROKEN);
    outbox.add(alertOf('msg_a'), security);
    await clock.pass(0);
    const waits: number[] = [];
    while (clock.next() < Infinity) {
      waits.push(clock.next());
      await clock.pass(clock.next());
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[0]).toBe(1_000);
    expect(posts.length).toBe(waits.length + 1);
    expect(dead).toEqual(['ops msg_a: receiver answered 500']);
    expect(rows.map(({ revision }) => revision)).toEqual(rows.map((_, i) => i));
    expect(clock.now() - DAY).toBeLessThan(24 * HOUR);
    expect(outbox.pending()).toBe(0);
  });

  it('gives an alert that was made long before it was queued its whole day: the responder was away', async () => {
    const clock = createHandClock(DAY + 48 * HOUR);
    const { outbox, stored } = worldOf(clock, () => BROKEN);
    outbox.add(alertOf('msg_a'), security);
    await clock.pass(HOUR);
    expect(stored('msg_a')).toMatchObject({ state: 'failed', queuedMs: DAY + 48 * HOUR });
  });

  it('waits as long as the receiver asks for, in seconds or until a date', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => ({ ...BROKEN, httpStatus: 429, retryAfterMs: 90_000 }));
    outbox.add(alertOf('msg_a'), security);
    await clock.pass(89_999);
    expect(posts).toHaveLength(1);
    await clock.pass(1);
    expect(posts).toHaveLength(2);
  });

  it('is not kept from trying by a receiver that asks for a day: an hour at most, never past the end', async () => {
    const clock = createHandClock(DAY);
    const asked = { ...BROKEN, httpStatus: 503, retryAfterMs: 24 * HOUR };
    let posted = 0;
    const { outbox, stored } = worldOf(clock, () => (++posted < 3 ? asked : OK));
    outbox.add(alertOf('msg_a'), security);
    await clock.pass(HOUR - 1);
    expect(stored('msg_a')).toMatchObject({ state: 'failed', attempt: 1, nextAttemptMs: DAY + HOUR });
    await clock.pass(HOUR + 1);
    expect(stored('msg_a')).toMatchObject({ state: 'delivered', attempt: 3 });

    const short = worldOf(clock, () => asked, [{}], { giveUpAfterMs: HOUR / 2 });
    short.outbox.add(alertOf('msg_b'), security);
    await clock.pass(HOUR / 2 - 1);
    expect(short.posts).toHaveLength(1);
    await clock.pass(1);
    expect(short.posts).toHaveLength(2);
    expect(short.stored('msg_b')).toMatchObject({ state: 'dead', attempt: 2 });
  });

  it('gives up at once what is refused as it is, and goes on with the rest', async () => {
    const clock = createHandClock(DAY);
    const { outbox, stored, dead } = worldOf(clock, (_, { id }) =>
      id === 'msg_bad' ? { kind: 'refused', httpStatus: 400, error: 'receiver answered 400: invalid_payload' } : OK,
    );
    outbox.add(alertOf('msg_bad'), security);
    outbox.add(alertOf('msg_good'), security);
    await clock.pass(0);
    expect(stored('msg_bad')).toMatchObject({ state: 'dead', attempt: 1, httpStatus: 400 });
    expect(stored('msg_good')?.state).toBe('delivered');
    expect(dead).toHaveLength(1);
  });

  it('one destination that never answers, and one that fails, delay no other', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts, stored } = worldOf(
      clock,
      (destination) =>
        destination === 'stuck' ? new Promise<never>(() => {}) : destination === 'broken' ? BROKEN : OK,
      [{ name: 'stuck' }, { name: 'broken' }, { name: 'good' }],
    );
    for (let i = 0; i < 20; i++) outbox.add(alertOf(`msg_${i}`, { incidentId: `i${i}` }), security);
    await clock.pass(0);
    for (let i = 0; i < 20; i++) expect(stored(`msg_${i}`, 'good')?.state).toBe('delivered');
    expect(posts.filter((post) => post.startsWith('stuck'))).toHaveLength(2); // maxInFlight
    expect(outbox.pending()).toBe(40);
  });

  it('what is told of one incident goes in order: an end never overtakes a beginning that has to be tried again', async () => {
    const clock = createHandClock(DAY);
    let down = true;
    const { outbox, posts, stored } = worldOf(clock, (_, { id }) => (down && id !== 'msg_other' ? BROKEN : OK));
    outbox.add(alertOf('msg_open'), security);
    outbox.add(alertOf('msg_update', { type: 'incident.updated' }), security);
    outbox.add(alertOf('msg_other', { incidentId: 'other' }), security);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_open', 'ops msg_other']);
    down = false;
    await clock.pass(1_000);
    expect(posts.slice(2)).toEqual(['ops msg_open', 'ops msg_update']);
    expect(stored('msg_update')?.state).toBe('delivered');
  });

  it('what follows a dead letter of the same incident is told all the same, and order holds over a restart', async () => {
    const clock = createHandClock(DAY);
    const refused: AttemptOutcome = { kind: 'refused', httpStatus: 400, error: 'receiver answered 400' };
    const before = worldOf(clock, (_, { id }) => (id === 'msg_1' ? refused : BROKEN));
    for (const id of ['msg_1', 'msg_2', 'msg_3']) before.outbox.add(alertOf(id), security);
    await clock.pass(0);
    expect(before.posts).toEqual(['ops msg_1', 'ops msg_2']);
    const after = worldOf(clock, () => OK);
    for (const id of ['msg_1', 'msg_2', 'msg_3']) after.outbox.restore(alertOf(id), before.stored(id)!);
    await clock.pass(999);
    expect(after.posts).toEqual([]);
    await clock.pass(1);
    expect(after.posts).toEqual(['ops msg_2', 'ops msg_3']);
  });

  it('a stop cuts off what is under way without an answer: it stays for the next run, whose id is the same', async () => {
    const clock = createHandClock(DAY);
    const { outbox, stored } = worldOf(
      clock,
      (_, __, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(BROKEN))),
    );
    outbox.add(alertOf('msg_a'), security);
    await clock.pass(0);
    await outbox.stop(0);
    expect(stored('msg_a')).toMatchObject({ state: 'pending', attempt: 0 });
  });

  it('after a crash between the answer and its row sends the same alert again, and one whose answer is kept not', async () => {
    const clock = createHandClock(DAY);
    const before = worldOf(clock, () => OK);
    for (const id of ['msg_kept', 'msg_lost']) before.outbox.add(alertOf(id), security);
    await clock.pass(0);
    const after = worldOf(clock, () => OK);
    // what ClickHouse holds: the second answer never got there
    after.outbox.restore(alertOf('msg_kept'), before.stored('msg_kept')!);
    after.outbox.restore(alertOf('msg_lost'), before.rows.find(({ alertId }) => alertId === 'msg_lost')!);
    // and the log is read again from before both
    for (const id of ['msg_kept', 'msg_lost']) after.outbox.add(alertOf(id), security);
    await clock.pass(0);
    expect(after.posts).toEqual(['ops msg_lost']);
    expect(after.stored('msg_lost')).toMatchObject({ state: 'delivered', revision: 1 });
  });

  it('goes on after a restart where it was: the same wait, the next attempt, a higher revision', async () => {
    const clock = createHandClock(DAY);
    const before = worldOf(clock, () => BROKEN);
    before.outbox.add(alertOf('msg_a'), security);
    await clock.pass(1_500);
    const kept = before.stored('msg_a')!;
    expect(kept).toMatchObject({ state: 'failed', attempt: 2 });
    const after = worldOf(clock, () => OK);
    after.outbox.restore(alertOf('msg_a'), kept);
    await clock.pass(kept.nextAttemptMs - clock.now() - 1);
    expect(after.posts).toEqual([]);
    await clock.pass(1);
    expect(after.stored('msg_a')).toMatchObject({ state: 'delivered', attempt: 3, revision: kept.revision + 1 });
  });

  it('410 stops a destination until somebody replays a dead letter there', async () => {
    const clock = createHandClock(DAY);
    let gone = true;
    const { outbox, posts, stored, dead } = worldOf(clock, () =>
      gone ? { kind: 'gone', httpStatus: 410, error: 'receiver answered 410 Gone' } : OK,
    );
    for (const id of ['msg_1', 'msg_2']) {
      outbox.add(alertOf(id), security);
      await clock.pass(0);
    }
    expect(posts).toEqual(['ops msg_1']);
    expect(dead).toHaveLength(2);
    gone = false;
    expect(outbox.replay(alertOf('msg_1'), stored('msg_1')!)).toBe(true);
    outbox.add(alertOf('msg_3'), security);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_1', 'ops msg_1', 'ops msg_3']);
    expect(stored('msg_1')).toMatchObject({ state: 'delivered', attempt: 2 });
    expect(stored('msg_2')?.state).toBe('dead');
  });

  it('replays a dead letter once however often its record is read, and gives it a whole day again', async () => {
    const clock = createHandClock(DAY + 300 * HOUR);
    const old = { alertId: 'msg_a', destination: 'ops', revision: 11, attempt: 10 };
    const { outbox, posts, stored } = worldOf(clock, () => (posts.length < 3 ? BROKEN : OK));
    expect(outbox.replay(alertOf('msg_a'), old)).toBe(true);
    expect(outbox.replay(alertOf('msg_a'), old)).toBe(false);
    await clock.pass(HOUR);
    expect(stored('msg_a')).toMatchObject({ state: 'failed', attempt: 11, queuedMs: DAY + 300 * HOUR });
    await clock.pass(24 * HOUR);
    expect(stored('msg_a')?.state).toBe('delivered');
    expect(outbox.replay(alertOf('msg_a'), old)).toBe(false);
    expect(outbox.replay(alertOf('msg_a'), { ...old, destination: 'nowhere' })).toBe(false);
    expect(new Set(posts)).toEqual(new Set(['ops msg_a']));
  });

  it('holds so many alerts for a destination that is away; what comes beyond is a dead letter, to be replayed', async () => {
    const clock = createHandClock(DAY);
    const { outbox, dead } = worldOf(clock, () => new Promise<never>(() => {}));
    for (let i = 0; i < MAX_WAITING + 5; i++) outbox.add(alertOf(`msg_${i}`), security);
    expect(outbox.pending()).toBe(MAX_WAITING);
    expect(dead).toHaveLength(5);
    expect(dead[0]).toContain('10,000 alerts wait already');
  });

  it('holds so many characters of them, however few the alerts', async () => {
    const clock = createHandClock(DAY);
    const { outbox, dead } = worldOf(clock, () => new Promise<never>(() => {}));
    const body = 'x'.repeat(8 << 20);
    for (let i = 0; i < 10; i++) outbox.add(alertOf(`msg_${i}`, { body }), security);
    expect(outbox.pending()).toBe(8);
    expect(dead).toHaveLength(2);
  });
});

describe('who is told what', () => {
  const closed = (id: string, more: Partial<Alert> = {}) => alertOf(id, { type: 'incident.closed', ...more });

  it('an end is told to those who asked for it and heard of the incident, whatever became of it since', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK, [{ name: 'pager', resolve: true }, { name: 'hook' }]);
    outbox.add(alertOf('msg_1'), security);
    outbox.add(closed('msg_2'), [incidentOf({ class: 'operational', state: 'closed' })]);
    outbox.add(closed('msg_3', { incidentId: 'other' }), [incidentOf({ id: 'other', state: 'closed' })]);
    await clock.pass(0);
    expect(posts.sort()).toEqual(['hook msg_1', 'pager msg_1', 'pager msg_2']);
  });

  it('after a restart it is known who was told; of what is older than that, the end is told all the same', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK, [{ resolve: true }], { knownSinceMs: DAY });
    const row: Delivery = {
      alertId: 'msg_1',
      destination: 'ops',
      revision: 1,
      attempt: 1,
      state: 'delivered',
      httpStatus: 204,
      error: '',
      nextAttemptMs: 0,
      updatedMs: DAY,
    };
    outbox.restore(alertOf('msg_1'), row);
    outbox.add(closed('msg_2'), [incidentOf({ class: 'operational', state: 'closed', openedMs: DAY + 5 })]);
    outbox.add(closed('msg_3', { incidentId: 'old' }), [incidentOf({ id: 'old', state: 'closed', openedMs: DAY - 5 })]);
    outbox.add(closed('msg_4', { incidentId: 'new' }), [incidentOf({ id: 'new', state: 'closed', openedMs: DAY + 5 })]);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_2', 'ops msg_3']);
  });

  it('what somebody was told of keeps being told, also when it would not pass their filter any more', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK, [{ wants: ({ story }) => story.risk >= 50 }]);
    outbox.add(alertOf('msg_1'), security);
    outbox.add(alertOf('msg_2', { type: 'incident.updated' }), [
      incidentOf({ story: { ...incidentOf().story, risk: 20 } }),
    ]);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_1', 'ops msg_2']);
  });

  it('a storm reaches whoever wants one of its members', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK);
    outbox.add(alertOf('msg_1', { type: 'storm' }), [incidentOf({ class: 'inventory' }), incidentOf()]);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_1']);
  });

  it('that somebody looks at an incident goes where it can be shown, and only to those who know the incident', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK, [{ name: 'pager', acknowledge: true }, { name: 'hook' }]);
    const ack = (id: string, incidentId: string) => alertOf(id, { type: 'incident.acknowledged', incidentId });
    expect(outbox.add(ack('msg_0', 'i'), [])).toBe(false);
    outbox.add(alertOf('msg_1', { incidentId: 'i' }), security);
    expect(outbox.add(ack('msg_2', 'i'), [])).toBe(true);
    await clock.pass(0);
    expect(posts.sort()).toEqual(['hook msg_1', 'pager msg_1', 'pager msg_2']);
  });

  it('nothing is sent twice that was added twice, and nothing of a class nobody asked for', async () => {
    const clock = createHandClock(DAY);
    const { outbox, posts } = worldOf(clock, () => OK);
    expect(outbox.add(alertOf('msg_0', { incidentId: 'slow' }), [incidentOf({ class: 'operational' })])).toBe(false);
    outbox.add(alertOf('msg_1'), security);
    outbox.add(alertOf('msg_1'), security);
    await clock.pass(0);
    expect(posts).toEqual(['ops msg_1']);
  });
});
