import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeeperSnapshot } from '../../../responder/incidents/keeper.ts';
import type { Finding, Verdict } from '../../../schemas/log/verdict.ts';
import { keeperOf } from './keeping.ts';
import { clientOf, DAY, findingOf, verdictOf } from './verdicts.ts';

describe('incident keeper', () => {
  it('makes one incident and one alert of one novelty; later hits only count', () => {
    const { feed, alerts, rows } = keeperOf();
    for (let i = 0; i < 50; i++) feed(verdictOf({}));
    expect(alerts.map((a) => a.event)).toEqual(['opened']);
    expect([...rows.values()]).toHaveLength(1);
    expect([...rows.values()][0]).toMatchObject({ traceCount: 50, kind: 'statement', class: 'security' });
    expect(alerts[0]!.incident.client.address).toBe('203.0.113.7');
  });

  it('takes a replayed verdict once', () => {
    const { feed, alerts, rows } = keeperOf();
    const verdict = verdictOf({});
    feed(verdict);
    feed(verdict);
    expect(alerts).toHaveLength(1);
    expect([...rows.values()][0]!.traceCount).toBe(1);
  });

  it('sends one update when another client does the same, and none for its later hits', () => {
    const { feed, alerts } = keeperOf();
    feed(verdictOf({ client: '203.0.113.7' }));
    feed(verdictOf({ client: '203.0.113.8' }));
    feed(verdictOf({ client: '203.0.113.8' }));
    expect(alerts.map((a) => a.event)).toEqual(['opened', 'updated']);
  });

  it('tells of a crowd at 2, 4, 8, … clients, not of each', () => {
    const { feed, alerts } = keeperOf();
    for (let i = 0; i < 60; i++) feed(verdictOf({ client: `203.0.113.${i}` }));
    const updates = alerts.filter((a) => a.event === 'updated');
    expect(updates.map((a) => a.incident.clients.length)).toEqual([2, 4, 8, 16, 32]);
    expect(new Set(updates.map((a) => a.sequence)).size).toBe(5);
  });

  it('does not open an incident for a soft finding above the budget, and opens one below', () => {
    const soft = findingOf({ kind: 'unseen-edge', hard: false, explanationKey: 'a → b' });
    const { feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [soft], p: 1e-3, client: '198.51.100.1' }), DAY, 100_000);
    expect(alerts).toHaveLength(0);
    feed(verdictOf({ findings: [soft], p: 1e-5, client: '198.51.100.1' }), DAY, 100_000);
    expect(alerts).toHaveLength(1);
  });

  it('lets a later origin name the client without a second alert', () => {
    const { feed, alerts, rows } = keeperOf();
    const verdict = verdictOf({ client: null });
    feed(verdict);
    feed({ ...verdict, revision: verdict.revision + 1, client: clientOf('203.0.113.9'), originState: 'known' });
    expect(alerts).toHaveLength(1);
    expect([...rows.values()][0]!.client.address).toBe('203.0.113.9');
    expect([...rows.values()][0]!.traceCount).toBe(1);
  });

  describe('of a batch nobody can say whose message it was', () => {
    const batchOf = (...addresses: string[]): Verdict => {
      const origins = addresses.map((address) => ({ ...clientOf(address), source: 'origin' as const }));
      const client = { ...clientOf(null), source: 'origin' as const, reason: 'several-origins' };
      return { ...verdictOf({ client: null }), client, origins, originState: 'known', asynchronous: true };
    };

    it('until one client is behind every batch that showed it: then an update names it', () => {
      const { feed, alerts, rows } = keeperOf();
      feed(batchOf('203.0.113.7', '203.0.113.8', '203.0.113.9'));
      expect(alerts[0]!.incident.client).toMatchObject({ address: null, reason: 'several-origins' });
      expect(alerts[0]!.incident.clients).toEqual(['203.0.113.7', '203.0.113.8', '203.0.113.9']);
      feed(batchOf('203.0.113.5', '203.0.113.8', '203.0.113.9'));
      expect(alerts).toHaveLength(1);
      feed(batchOf('203.0.113.9', '203.0.113.4'));
      feed(batchOf('203.0.113.9', '203.0.113.3'));
      expect(alerts.map((a) => a.event)).toEqual(['opened', 'updated']);
      expect(alerts[1]!.incident.client).toMatchObject({
        address: '203.0.113.9',
        confidence: 'medium',
        reason: 'several-origins',
      });
      expect([...rows.values()].map(({ clients }) => clients)).toEqual([['203.0.113.9']]);
    });

    it('or somebody did it alone', () => {
      const { feed, alerts } = keeperOf();
      feed(batchOf('203.0.113.7', '203.0.113.8'));
      feed(verdictOf({ client: '203.0.113.8' }));
      expect(alerts.map(({ event, incident }) => [event, incident.client.address])).toEqual([
        ['opened', null],
        ['updated', '203.0.113.8'],
      ]);
    });

    it('and an amendment of the same batch is no second one', () => {
      const { feed, alerts, rows } = keeperOf();
      const batch = batchOf('203.0.113.7', '203.0.113.8');
      feed(batch);
      feed({ ...batch, origins: batch.origins.slice(1), revision: batch.revision + 2 });
      expect(alerts).toHaveLength(1);
      expect([...rows.values()][0]!.client.address).toBe(null);
    });

    it('nor does it say anything while nobody knows who else was in it', () => {
      const { feed, alerts, rows } = keeperOf();
      const unknown = { originState: 'unknown' as const };
      feed({ ...batchOf('203.0.113.7'), ...unknown });
      feed({ ...batchOf('203.0.113.7'), ...unknown });
      expect(alerts).toHaveLength(1);
      expect([...rows.values()][0]).toMatchObject({ client: { address: null }, clients: [] });
    });

    it('so what those who shared it do elsewhere is no part of it', () => {
      const { feed, alerts } = keeperOf();
      feed(batchOf('203.0.113.7', '203.0.113.8'));
      feed(
        verdictOf({ client: '203.0.113.8', findings: [findingOf({ kind: 'egress', explanationKey: 'elsewhere' })] }),
      );
      expect(alerts.map(({ event, incident }) => [event, incident.kind])).toEqual([
        ['opened', 'statement'],
        ['opened', 'egress'],
      ]);
    });

    it('and a snapshot of an earlier release is read', () => {
      const first = keeperOf();
      first.feed(verdictOf({ client: null }));
      const snapshot = JSON.parse(JSON.stringify(first.keeper.snapshot())) as KeeperSnapshot;
      for (const state of snapshot.incidents)
        for (const added of [
          'suspects',
          'strangers',
          'reopenedMs',
          'lastHitBy',
          'release',
          'judged',
          'expecting',
          'expectedOf',
        ])
          Reflect.deleteProperty(state, added);
      for (const added of ['absences', 'rates', 'budget', 'digest', 'words']) Reflect.deleteProperty(snapshot, added);
      const second = keeperOf({}, snapshot);
      second.feed(batchOf('203.0.113.7', '203.0.113.8'));
      expect([...second.rows.values()][0]!.clients).toEqual(['203.0.113.7', '203.0.113.8']);
    });
  });

  describe('a hard finding is not swallowed', () => {
    const soft = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'GET /search · catalog' });
    const errors = findingOf({ kind: 'status', hard: false, explanationKey: 'GET /search · 500' });

    it('by a soft incident of the same client: people hear of it as an update', () => {
      const { feed, alerts, rows } = keeperOf();
      feed(verdictOf({ findings: [soft], p: 1e-6 }));
      feed(verdictOf({ findings: [findingOf()] }));
      feed(verdictOf({ findings: [findingOf()] }));
      expect(alerts.map((a) => [a.event, a.incident.class, a.incident.kind])).toEqual([
        ['opened', 'security', 'whole-tree'],
        ['updated', 'security', 'statement'],
      ]);
      expect([...rows.values()].map((i) => i.kind)).toEqual(['statement']);
    });

    it('by an operational incident: it opens for those who hear of security alone', () => {
      const { feed, alerts } = keeperOf();
      feed(verdictOf({ findings: [errors], p: 1e-6 }));
      feed(verdictOf({ findings: [findingOf()] }));
      expect(alerts.map((a) => [a.event, a.incident.class])).toEqual([
        ['opened', 'operational'],
        ['opened', 'security'],
      ]);
      // other ids: a receiver of both classes must not take the second for a repetition
      expect(new Set(alerts.map((a) => `${a.event} ${a.id} ${a.sequence}`)).size).toBe(2);
    });

    it('by the amendment of a verdict that was soft', () => {
      const { feed, alerts } = keeperOf();
      const verdict = verdictOf({ findings: [soft], p: 1e-6 });
      feed(verdict);
      feed({ ...verdict, revision: verdict.revision + 2, findings: [soft, findingOf({ kind: 'required-child' })] });
      expect(alerts.map((a) => [a.event, a.incident.kind])).toEqual([
        ['opened', 'whole-tree'],
        ['updated', 'required-child'],
      ]);
    });

    it('by a merge: what was about security stays so', () => {
      const { feed, rows } = keeperOf();
      feed(verdictOf({ client: '203.0.113.1', findings: [errors], p: 1e-6 }), DAY);
      feed(verdictOf({ client: '203.0.113.2', findings: [findingOf()] }), DAY + 1);
      feed(verdictOf({ client: '203.0.113.1', findings: [findingOf()] }), DAY + 2);
      expect([...rows.values()].filter((i) => i.state === 'open').map((i) => [i.class, i.kind])).toEqual([
        ['security', 'statement'],
      ]);
    });

    it('by a service that is slow for everybody, not even after a restart', () => {
      const slow = findingOf({ kind: 'collective', hard: false, explanationKey: 'catalog', service: 'catalog' });
      const trace = '9'.padStart(32, '0');
      const first = keeperOf();
      first.keeper.operational(slow, [trace], 'v1', DAY);
      expect(first.alerts.map((a) => a.incident.class)).toEqual(['operational']);
      const restarted = keeperOf({}, JSON.parse(JSON.stringify(first.keeper.snapshot())) as KeeperSnapshot);
      for (const keeper of [first, restarted]) {
        keeper.feed(verdictOf({ traceId: trace }), DAY + 1_000);
        expect(keeper.alerts.at(-1)).toMatchObject({ event: 'opened', incident: { class: 'security' } });
        expect(keeper.keeper.open()).toHaveLength(2);
      }
    });
  });

  it('merges an unattributed incident into its client’s when the origin becomes known', () => {
    const { feed, alerts, keeper } = keeperOf();
    const verdict = verdictOf({ client: null, findings: [findingOf({ explanationKey: 'worker' })] });
    feed(verdict, DAY);
    feed(verdictOf({ client: '203.0.113.9', findings: [findingOf({ explanationKey: 'gateway' })] }), DAY + 1);
    feed(
      { ...verdict, revision: verdict.revision + 1, client: clientOf('203.0.113.9'), originState: 'known' },
      DAY + 2,
    );
    expect(keeper.open()).toHaveLength(1);
    expect(keeper.open()[0]).toMatchObject({ traceCount: 2, clients: ['203.0.113.9'] });
    expect(alerts.map((a) => a.event)).toEqual(['opened', 'opened', 'updated']);
  });

  it('does not reopen a quiet incident for the amendment of a verdict it counted', () => {
    const { feed, keeper, alerts, rows } = keeperOf({ quietSecurityMs: 1_000 });
    const verdict = verdictOf({});
    feed(verdict, DAY);
    keeper.tick(DAY + 5_000);
    feed({ ...verdict, revision: verdict.revision + 2 }, DAY + 6_000);
    expect([...rows.values()].map((i) => [i.state, i.traceCount])).toEqual([['closed', 1]]);
    expect(alerts.map((a) => a.event)).toEqual(['opened', 'closed']);
  });

  it('keeps its snapshot bounded, and goes on counting where a forgotten incident stopped', () => {
    const { feed, keeper, alerts } = keeperOf({ quietSecurityMs: 1_000, stormPerMinute: 100_000 });
    const long = 'x'.repeat(10_000);
    const novelty = (i: number) =>
      verdictOf({
        client: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
        findings: [findingOf({ explanationKey: `k${i}`, seen: long })],
      });
    for (let i = 0; i < 4_000; i++) feed(novelty(i), DAY + i);
    keeper.tick(DAY + 3_600_000);
    const text = JSON.stringify(keeper.snapshot());
    expect(text.length).toBeLessThan(12e6);
    const after = keeperOf({ stormPerMinute: 100_000 }, JSON.parse(text) as KeeperSnapshot);
    after.feed(novelty(0), DAY + 3_700_000);
    const first = alerts.find((a) => a.event === 'opened')!;
    expect(after.alerts.map((a) => [a.event, a.id, a.sequence])).toEqual([['opened', first.id, '2']]);
    expect(after.alerts[0]!.incident.revision).toBeGreaterThan(first.incident.revision);
  });

  it('closes an incident whose only verdict is withdrawn', () => {
    const { feed, rows } = keeperOf();
    const verdict = verdictOf({});
    feed(verdict);
    feed({ ...verdict, stage: 3, state: 'withdrawn', revision: verdict.revision + 4, findings: [] });
    expect([...rows.values()][0]!.state).toBe('closed');
  });

  describe('takes back what a verdict was told of when its amendment finds nothing', () => {
    const odd = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'odd' });
    const amended = (verdict: Verdict, by: number, findings: readonly Finding[] = []): Verdict => ({
      ...verdict,
      revision: verdict.revision + by,
      findings,
    });

    it('in the digest', () => {
      const { keeper, feed, rows } = keeperOf();
      const verdict = verdictOf({ findings: [odd], p: 1e-3 });
      feed(verdict);
      expect(keeper.changes().digest).toMatchObject([{ count: 1 }]);
      feed(amended(verdict, 1));
      expect(keeper.changes().digest).toMatchObject([{ count: 0 }]);
      feed(amended(verdict, 2, [odd]));
      expect(keeper.changes().digest).toMatchObject([{ count: 1 }]);
      expect(rows.size).toBe(0);
    });

    it('of a soft incident, which ends with the last of its verdicts, once each; something found again opens it', () => {
      const { feed, only, events } = keeperOf();
      const verdicts = [1, 2].map(() => verdictOf({ findings: [odd], p: 1e-6 }));
      for (const verdict of verdicts) feed(verdict);
      feed(amended(verdicts[0]!, 1));
      feed(amended(verdicts[0]!, 2));
      expect(only().state).toBe('open');
      feed(amended(verdicts[1]!, 1));
      expect([only().state, events()]).toEqual(['closed', ['opened', 'closed']]);
      feed(amended(verdicts[1]!, 2, [odd]));
      expect(only()).toMatchObject({ state: 'open', occurrences: 2 });
    });

    it('but not of a certain one', () => {
      const { feed, only, events } = keeperOf();
      const verdict = verdictOf({});
      feed(verdict);
      feed(amended(verdict, 1));
      expect([only().state, events()]).toEqual(['open', ['opened']]);
    });
  });

  it('does not count a certain incident as a soft one when something soft opens it again', () => {
    const { keeper, feed, only } = keeperOf();
    feed(verdictOf({}));
    keeper.tick(DAY + 3_601_000);
    feed(verdictOf({ findings: [findingOf({ hard: false })], p: 1e-6 }), DAY + 3_602_000);
    expect(only()).toMatchObject({ state: 'open', occurrences: 2, hard: true });
    expect(keeper.budget(DAY + 3_602_000).softLastDay).toBe(0);
  });

  it('merges incidents that come to share a client, keeps the oldest id and sends one update', () => {
    const { feed, alerts, rows } = keeperOf();
    feed(verdictOf({ client: '203.0.113.1', findings: [findingOf({ explanationKey: 'one' })] }), DAY);
    feed(verdictOf({ client: '203.0.113.2', findings: [findingOf({ explanationKey: 'two' })] }), DAY + 1);
    feed(verdictOf({ client: '203.0.113.2', findings: [findingOf({ explanationKey: 'one' })] }), DAY + 2);
    const first = alerts[0]!.id;
    expect([...rows.values()].filter((i) => i.state === 'merged').map((i) => i.mergedInto)).toEqual([first]);
    expect(alerts.map((a) => a.event)).toEqual(['opened', 'opened', 'updated']);
  });

  it('collapses a storm into one alert that lists its members', () => {
    const { keeper, feed, alerts } = keeperOf();
    for (let i = 0; i < 12; i++)
      feed(verdictOf({ client: `203.0.113.${i}`, findings: [findingOf({ explanationKey: `k${i}` })] }), DAY + i);
    expect(alerts.filter((a) => a.event === 'opened')).toHaveLength(5);
    keeper.tick(DAY + 120_000);
    expect(alerts.filter((a) => a.event === 'storm').map((a) => a.members)).toEqual([7]);
  });

  it('tells of a storm that goes on ever more rarely, at last once a minute; what is operational does not delay what is about security', () => {
    const { keeper, feed, alerts } = keeperOf();
    for (let i = 0; i < 3_000; i++) {
      const appendMs = DAY + i * 100;
      keeper.tick(appendMs);
      feed(
        verdictOf({
          client: `10.0.${i >> 8}.${i & 255}`,
          findings: [findingOf({ kind: 'status', hard: true, explanationKey: `k${i}` })],
          appendMs,
        }),
      );
    }
    const storms = alerts.filter((a) => a.event === 'storm');
    expect(storms.map(({ atMs }) => Math.floor((atMs - DAY) / 1_000))).toEqual([10, 30, 70, 130, 190, 250]);
    expect(storms.every(({ members }) => members <= 200)).toBe(true);
    feed(verdictOf({ client: '203.0.113.7', findings: [findingOf()], appendMs: DAY + 300_000 }));
    expect(alerts.at(-1)).toMatchObject({ event: 'opened', incident: { class: 'security' } });
  });

  it('gives every alert the time of what it tells of, whenever the clock is looked at', () => {
    const told = [250, 40_000].map((stepMs) => {
      const { keeper, feed, alerts } = keeperOf({ quietSecurityMs: 5_000 });
      feed(verdictOf({ traceId: 'a'.repeat(32) }), DAY);
      for (let ms = stepMs; ms <= 40_000; ms += stepMs) keeper.tick(DAY + ms);
      return alerts.map((a) => [a.event, a.atMs]);
    });
    expect(told[0]).toEqual(told[1]);
    expect(told[0]).toEqual([
      ['opened', DAY],
      ['closed', DAY + 5_000],
    ]);
  });

  it('closes when quiet, and reopens as a new occurrence of the same incident', () => {
    const { keeper, feed, alerts, rows } = keeperOf();
    feed(verdictOf({}), DAY);
    keeper.tick(DAY + 3_700_000);
    expect([...rows.values()][0]!.state).toBe('closed');
    feed(verdictOf({}), DAY + 3_800_000);
    expect([...rows.values()]).toHaveLength(1);
    expect([...rows.values()][0]).toMatchObject({ state: 'open', occurrences: 2 });
    expect(alerts.map((a) => `${a.event} ${a.sequence}`)).toEqual(['opened 1', 'closed 1', 'opened 2']);
  });
});

describe('a slow node', () => {
  const slow = (service: string, startMs: number, endMs: number) =>
    findingOf({
      kind: 'self-time',
      group: 'timing',
      hard: false,
      candidate: true,
      explanationKey: service,
      service,
      startMs,
      endMs,
    });
  const second = (service: string, ms: number, count: number, aboveMaximum: number, aboveMs?: number) => ({
    partition: 0,
    window: Math.floor(ms / 1000),
    windowMs: 1000,
    version: 'v1',
    keys: [
      {
        service,
        label: `${service} x`,
        feature: 'self' as const,
        count,
        exceedances: aboveMaximum,
        expected: 0,
        aboveMaximum,
        ...(aboveMs !== undefined && { aboveMs }),
        shift: 0,
      },
    ],
    traces: {},
  });

  it.each([
    ['an attack beside delays a hundredth of its size: they do not explain it', 5 * 25, 1],
    ['load beside delays of its size', 5 * 2_000, 0],
  ])('is %s', (_, aboveMs, told) => {
    const { keeper, feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [{ ...slow('reports', DAY, DAY + 3000), excessMs: 2_800 }], p: 1e-3 }));
    keeper.load(second('gateway', DAY + 1000, 20, 5, aboveMs));
    keeper.tick(DAY + 5_000);
    expect(alerts).toHaveLength(told);
  });

  it('is an attack when its seconds were quiet elsewhere', () => {
    const { keeper, feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [slow('reports', DAY, DAY + 3000)] }));
    keeper.load(second('gateway', DAY + 1000, 100, 2));
    keeper.tick(DAY + 2_499);
    expect(alerts).toHaveLength(0);
    keeper.tick(DAY + 2_500);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]!.incident).toMatchObject({ class: 'security', kind: 'self-time' });
  });

  it('is load, and no alert, when another service was slow in the same seconds', () => {
    const { keeper, feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [slow('reports', DAY, DAY + 3000)], p: 1e-3 }));
    keeper.load(second('gateway', DAY + 1000, 20, 3));
    keeper.tick(DAY + 5_000);
    expect(alerts).toHaveLength(0);
  });

  it('names the client of the node that ended first; victims send no update', () => {
    const { keeper, feed, alerts, rows } = keeperOf();
    feed(verdictOf({ client: '198.51.100.2', findings: [slow('reports', DAY + 100, DAY + 3100)] }), DAY);
    feed(verdictOf({ client: '203.0.113.66', findings: [slow('reports', DAY, DAY + 3000)] }), DAY);
    keeper.tick(DAY + 2_500);
    expect(alerts.map((a) => [a.event, a.incident.client.address])).toEqual([['opened', '203.0.113.66']]);
    expect([...rows.values()][0]!.traceCount).toBe(2);
  });
});

it('names the cause also when it was no candidate itself: a statement that is sometimes slow anyway', () => {
  const node = (candidate: boolean, startMs: number, endMs: number) =>
    findingOf({
      kind: 'self-time',
      group: 'timing',
      hard: false,
      candidate,
      explanationKey: 'reports',
      service: 'reports',
      startMs,
      endMs,
    });
  const { keeper, feed, alerts } = keeperOf();
  const soft = { p: 1e-3, findings: [node(false, DAY, DAY + 5000)] };
  feed(verdictOf({ client: '203.0.113.66', ...soft }), DAY + 100);
  feed(verdictOf({ client: '198.51.100.9', p: 1e-3, findings: [node(false, DAY + 4000, DAY + 4100)] }), DAY + 100);
  feed(verdictOf({ client: '198.51.100.2', findings: [node(true, DAY + 1000, DAY + 5100)] }), DAY + 200);
  keeper.tick(DAY + 3_000);
  expect(alerts.map((a) => a.incident.client.address)).toEqual(['203.0.113.66']);
});

it('names the cause although its own seconds were busy: what waited for it was quiet elsewhere', () => {
  const node = (startMs: number, endMs: number) =>
    findingOf({
      kind: 'self-time',
      group: 'timing',
      hard: false,
      candidate: true,
      explanationKey: 'reports',
      service: 'reports',
      startMs,
      endMs,
    });
  const busy = {
    partition: 0,
    window: Math.floor(DAY / 1000),
    windowMs: 1000,
    version: 'v1',
    keys: [
      {
        service: 'gateway',
        label: 'gateway x',
        feature: 'self' as const,
        count: 20,
        exceedances: 5,
        expected: 0,
        aboveMaximum: 5,
        shift: 0,
      },
    ],
    traces: {},
  };
  const { keeper, feed, alerts } = keeperOf();
  keeper.load(busy);
  feed(verdictOf({ client: '203.0.113.66', p: 1e-3, findings: [node(DAY, DAY + 5000)] }), DAY);
  keeper.tick(DAY + 2_600);
  expect(alerts).toHaveLength(0);
  feed(verdictOf({ client: '198.51.100.2', p: 1e-3, findings: [node(DAY + 2000, DAY + 5100)] }), DAY + 1_500);
  keeper.tick(DAY + 4_500);
  expect(alerts.map((a) => a.incident.client.address)).toEqual(['203.0.113.66']);
});

it('names the cause even when a victim is judged first and the cause is not due yet', () => {
  const slow = (startMs: number, endMs: number) =>
    findingOf({
      kind: 'self-time',
      group: 'timing',
      hard: false,
      candidate: true,
      explanationKey: 'reports',
      service: 'reports',
      startMs,
      endMs,
    });
  const { keeper, feed, alerts } = keeperOf();
  feed(verdictOf({ client: '198.51.100.2', findings: [slow(DAY + 1000, DAY + 5100)] }), DAY);
  feed(verdictOf({ client: '203.0.113.66', findings: [slow(DAY, DAY + 5000)] }), DAY + 900);
  keeper.tick(DAY + 2_500);
  expect(alerts.map((a) => a.incident.client.address)).toEqual(['203.0.113.66']);
});

it('a snapshot taken anywhere and a replay from there give the same incidents and the same alert ids', () => {
  const verdicts = Array.from({ length: 12 }, (_, i) =>
    verdictOf({
      client: `203.0.113.${i % 4}`,
      appendMs: DAY + i * 1000,
      findings: [findingOf({ explanationKey: `k${i % 3}`, candidate: false, hard: i % 2 === 0 })],
    }),
  );
  const whole = keeperOf();
  for (const verdict of verdicts) {
    whole.keeper.tick(verdict.appendMs);
    whole.feed(verdict);
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), (cut, overlap) => {
      const before = keeperOf();
      for (const verdict of verdicts.slice(0, cut)) {
        before.keeper.tick(verdict.appendMs);
        before.feed(verdict);
      }
      const snapshot = JSON.parse(JSON.stringify(before.keeper.snapshot())) as KeeperSnapshot;
      const after = keeperOf({}, snapshot);
      for (const verdict of verdicts.slice(Math.max(0, cut - overlap))) {
        after.keeper.tick(verdict.appendMs);
        after.feed(verdict);
      }
      const told = new Set([...before.alerts, ...after.alerts].map((a) => `${a.event} ${a.id} ${a.sequence}`));
      expect(told).toEqual(new Set(whole.alerts.map((a) => `${a.event} ${a.id} ${a.sequence}`)));
      expect(after.keeper.open().map((i) => [i.id, i.traceCount])).toEqual(
        whole.keeper.open().map((i) => [i.id, i.traceCount]),
      );
    }),
  );
});
