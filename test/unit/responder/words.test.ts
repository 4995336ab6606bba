/** What operators say: each word once, in the order of the log, and nothing more silenced than was meant. */
import { describe, expect, it } from 'vitest';
import { keeperOf } from './keeping.ts';
import { clientOf, DAY, findingOf, verdictOf } from './verdicts.ts';

const HOUR = 3_600_000;
const pattern = (client: string) =>
  verdictOf({ client, findings: [findingOf({ kind: 'attack-pattern', explanationKey: 'GET /search · q · sql' })] });
const other = (client = '203.0.113.7') =>
  verdictOf({ client, findings: [findingOf({ kind: 'egress', explanationKey: 'GET /search · evil' })] });

describe('an operator', () => {
  it('acknowledges: nothing changes but that it is known', () => {
    const { feed, say, only, events } = keeperOf();
    feed(verdictOf({}));
    expect(say(only().id, 'acknowledge')).toMatchObject({
      incidentId: only().id,
      occurrence: 1,
      by: 'ana',
      result: 'taken',
    });
    expect(only().state).toBe('open');
    expect(events()).toEqual(['opened']);
  });

  it('resolves: a later hit opens it again, as another occurrence that nobody has judged', () => {
    const { feed, say, only, events } = keeperOf();
    feed(verdictOf({}));
    say(only().id, 'resolve', DAY + 1_000);
    expect(only()).toMatchObject({ state: 'closed', closedMs: DAY + 1_000 });
    feed(verdictOf({}), DAY + 2_000);
    expect(only()).toMatchObject({ state: 'open', occurrences: 2, traceCount: 2 });
    expect(events()).toEqual(['opened', 'closed', 'opened']);
    expect(say(only().id, 'resolve', DAY + 3_000)).toMatchObject({ occurrence: 2 });
  });

  it('expects: more of the same is counted and not told until it is quiet, then it is another occurrence', () => {
    for (const word of ['expect-once', 'expect-always'] as const) {
      const { keeper, feed, say, only, events, rows } = keeperOf();
      feed(verdictOf({}));
      say(only().id, word, DAY + 1_000);
      expect(only()).toMatchObject({ state: 'expected', closedMs: DAY + 1_000 });
      for (let i = 1; i <= 3; i++) {
        feed(verdictOf({ client: `198.51.100.${i}` }), DAY + i * HOUR);
        keeper.tick(DAY + i * HOUR + 1_000);
      }
      expect([only().state, only().traceCount, rows.size]).toEqual(['expected', 4, 1]);
      expect(events()).toEqual(['opened', 'closed']);
      keeper.tick(DAY + 5 * HOUR);
      feed(verdictOf({}), DAY + 5 * HOUR);
      expect(only()).toMatchObject({ state: 'open', occurrences: 2 });
      expect(events()).toEqual(['opened', 'closed', 'opened']);
    }
  });

  it('expects one thing of a client: what else it does is told', () => {
    const { feed, say, only, alerts } = keeperOf();
    feed(verdictOf({}));
    say(only().id, 'expect-once');
    feed(other());
    feed(verdictOf({ findings: [findingOf(), findingOf({ kind: 'required-child', explanationKey: 'a → b' })] }));
    expect(alerts.map(({ event, incident }) => [event, incident.kind])).toEqual([
      ['opened', 'statement'],
      ['closed', 'statement'],
      ['opened', 'egress'],
    ]);
    expect(alerts[2]!.incident.client.address).toBe('203.0.113.7');
  });

  it('expects what one client sends, not what any client sends', () => {
    const { feed, say, only, alerts } = keeperOf();
    feed(pattern('203.0.113.7'));
    say(only().id, 'expect-once');
    feed(pattern('203.0.113.7'));
    feed(pattern('198.51.100.66'));
    expect(alerts.map(({ event, incident }) => [event, incident.client.address])).toEqual([
      ['opened', '203.0.113.7'],
      ['closed', '203.0.113.7'],
      ['opened', '198.51.100.66'],
    ]);
  });

  it('expects what is closed already: it does not come back at once', () => {
    const { keeper, feed, say, only, events } = keeperOf();
    feed(verdictOf({}));
    keeper.tick(DAY + 2 * HOUR);
    say(only().id, 'expect-always', DAY + 2 * HOUR);
    feed(verdictOf({}), DAY + 2 * HOUR + 1_000);
    expect(only()).toMatchObject({ state: 'expected', traceCount: 2 });
    expect(events()).toEqual(['opened', 'closed']);
  });

  it('judges bad: it cannot be expected any more, until that is taken back', () => {
    const { feed, say, only } = keeperOf();
    feed(verdictOf({}));
    expect(say(only().id, 'bad')?.result).toBe('taken');
    expect(say(only().id, 'expect-once')?.result).toBe('refused');
    expect(only().state).toBe('open');
    say(only().id, 'reopen');
    expect(say(only().id, 'expect-once')?.result).toBe('taken');
    say(only().id, 'bad', DAY + 5);
    expect(only().state).toBe('open'); // what was expected by mistake is watched again
  });

  it('judges bad what is then expected of another incident of the same novelty: refused, also the next day', () => {
    const { keeper, feed, say, rows } = keeperOf();
    feed(verdictOf({}));
    say([...rows.keys()][0]!, 'bad');
    const tomorrow = DAY + 24 * HOUR;
    keeper.tick(tomorrow);
    feed(verdictOf({ appendMs: tomorrow }), tomorrow);
    expect(rows.size).toBe(2);
    expect(say([...rows.keys()][1]!, 'expect-always', tomorrow)?.result).toBe('refused');
  });

  it('reopens what was closed: another occurrence, told, quiet counted anew, whose end is told as well', () => {
    const { keeper, feed, say, only, events, alerts } = keeperOf();
    feed(verdictOf({}));
    keeper.tick(DAY + 2 * HOUR);
    expect(say(only().id, 'reopen', DAY + 2 * HOUR)).toMatchObject({ occurrence: 2 });
    keeper.tick(DAY + 2 * HOUR + HOUR / 2);
    expect(only()).toMatchObject({ state: 'open', occurrences: 2 });
    keeper.tick(DAY + 4 * HOUR);
    expect(only().state).toBe('closed');
    expect(events()).toEqual(['opened', 'closed', 'updated', 'closed']);
    const ids = alerts.map(({ event, sequence }) => `${event}:${sequence}`); // an alert's id: one told twice is told once
    expect(new Set(ids).size).toBe(4);
  });

  it('expects the same thing twice: when one of both is reopened, the other is expected still, after a restart too', () => {
    const first = keeperOf();
    const later = DAY + 24 * HOUR;
    first.feed(verdictOf({ appendMs: DAY }));
    first.say(first.only().id, 'resolve', DAY + 1);
    first.feed(verdictOf({ appendMs: later }));
    const [one, two] = [...first.rows.keys()];
    first.say(one!, 'expect-once', later + 1);
    first.say(two!, 'expect-once', later + 2);
    first.say(two!, 'reopen', later + 3);
    first.say(two!, 'resolve', later + 4);
    const restarted = keeperOf({}, first.snapshot());
    for (const { feed, alerts, keeper } of [first, restarted]) {
      const before = alerts.length;
      feed(verdictOf({ appendMs: later + 5 }));
      expect(alerts.length).toBe(before);
      expect(keeper.open()).toEqual([]);
    }
  });

  it('expects what was there when that was said: what an amendment adds is not expected, after a restart either', () => {
    const first = keeperOf();
    const pattern = findingOf({ kind: 'attack-pattern', explanationKey: 'q · SQL injection' });
    const verdict = verdictOf({ client: '203.0.113.7', findings: [pattern], appendMs: DAY });
    first.feed(verdict);
    first.say(first.only().id, 'expect-once', DAY + 1);
    const amended = { ...verdict, revision: verdict.revision + 1, client: clientOf('198.51.100.8') };
    first.feed(amended, DAY + 2);
    const restarted = keeperOf({}, first.snapshot());
    for (const keeper of [first, restarted]) {
      const before = keeper.alerts.length;
      keeper.feed(verdictOf({ client: '198.51.100.8', findings: [pattern], appendMs: DAY + 3 }));
      expect(keeper.alerts.length).toBeGreaterThan(before);
    }
  });

  it('reopens it without a hit: nobody did anything', () => {
    const { feed, say, only } = keeperOf();
    feed(verdictOf({ client: '203.0.113.7' }), DAY);
    say(only().id, 'resolve', DAY + HOUR);
    say(only().id, 'reopen', DAY + 2 * HOUR);
    expect(only()).toMatchObject({ state: 'open', lastHitMs: DAY });
  });

  it('names an incident that was merged: the one that took it in is meant', () => {
    const { feed, say, rows, alerts } = keeperOf();
    feed(verdictOf({ client: '203.0.113.1', findings: [findingOf({ explanationKey: 'one' })] }), DAY);
    feed(verdictOf({ client: '203.0.113.2', findings: [findingOf({ explanationKey: 'two' })] }), DAY + 1);
    feed(verdictOf({ client: '203.0.113.2', findings: [findingOf({ explanationKey: 'one' })] }), DAY + 2);
    const [kept, merged] = [alerts[0]!.id, alerts[1]!.id];
    expect(rows.get(merged)?.state).toBe('merged');
    expect(say(merged, 'resolve')).toMatchObject({ incidentId: kept, saidOf: merged, result: 'taken' });
    expect(rows.get(kept)?.state).toBe('closed');
  });

  it('names what nobody knows: said so, and nothing happens', () => {
    const { say, rows } = keeperOf();
    for (const action of ['acknowledge', 'resolve', 'reopen', 'expect-once', 'expect-always', 'bad'] as const)
      expect(say('x'.repeat(9_999), action)).toMatchObject({
        result: 'unknown',
        occurrence: 0,
        incidentId: 'x'.repeat(500),
      });
    expect(rows.size).toBe(0);
  });

  it('is heard once, however often a word is read, also after a restart', () => {
    const first = keeperOf();
    first.feed(verdictOf({}));
    const word = {
      incidentId: first.only().id,
      action: 'resolve',
      by: 'ana',
      comment: '',
      atMs: 7,
      editId: '',
    } as const;
    expect(first.keeper.action(word, DAY + 1)).not.toBeNull();
    first.feed(verdictOf({}), DAY + 2); // open again
    const second = keeperOf({}, first.snapshot());
    expect(second.keeper.action(word, DAY + 3)).toBeNull();
    expect(second.keeper.open()).toHaveLength(1);
  });

  it('is remembered over a restart: expected stays silent, bad stays bad', () => {
    const first = keeperOf();
    first.feed(verdictOf({}));
    first.say(first.only().id, 'expect-once');
    first.feed(other('198.51.100.1'));
    const bad = [...first.rows.keys()][1]!;
    first.say(bad, 'bad');
    const second = keeperOf({}, first.snapshot());
    second.feed(verdictOf({ client: '198.51.100.2' }), DAY + 10);
    expect(second.alerts).toEqual([]);
    expect(second.say(bad, 'expect-once')?.result).toBe('refused');
  });

  it('does not make the amendment of an expected verdict a second one', () => {
    const { feed, say, only } = keeperOf();
    feed(verdictOf({}));
    say(only().id, 'expect-once');
    const verdict = verdictOf({ client: null });
    feed(verdict);
    feed({ ...verdict, revision: verdict.revision + 1, client: clientOf('198.51.100.9'), originState: 'known' });
    expect(only()).toMatchObject({ state: 'expected', traceCount: 2 });
  });

  it('moves the budget with what is said of soft incidents, not of certain ones', () => {
    const { keeper, feed, say, rows } = keeperOf();
    feed(verdictOf({}));
    const soft = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'odd' });
    feed(verdictOf({ client: '198.51.100.1', findings: [soft], p: 1e-6 }));
    expect(keeper.budget(DAY)).toMatchObject({ softLastDay: 1, benignLastWeek: 0 });
    for (const id of rows.keys()) say(id, 'expect-once');
    expect(keeper.budget(DAY)).toMatchObject({ softLastDay: 1, benignLastWeek: 1 });
    say([...rows.keys()][1]!, 'bad');
    expect(keeper.budget(DAY)).toMatchObject({ benignLastWeek: 0, trueLastWeek: 1 });
  });

  it('counts one story once in the budget: merged soft incidents are one, and one that became certain is none', () => {
    const { keeper, feed } = keeperOf();
    const soft = (key: string) => findingOf({ kind: 'whole-tree', hard: false, explanationKey: key });
    feed(verdictOf({ client: '203.0.113.1', findings: [soft('one')], p: 1e-6 }), DAY);
    feed(verdictOf({ client: '203.0.113.2', findings: [soft('two')], p: 1e-6 }), DAY + 1);
    expect(keeper.budget(DAY).softLastDay).toBe(2);
    feed(verdictOf({ client: '203.0.113.2', findings: [soft('one')], p: 1e-6 }), DAY + 2);
    expect(keeper.budget(DAY).softLastDay).toBe(1);
    feed(verdictOf({ client: '203.0.113.1' }), DAY + 3);
    expect(keeper.budget(DAY).softLastDay).toBe(0);
  });
});
