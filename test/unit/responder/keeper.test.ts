import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createIncidentKeeper,
  type IncidentEvent,
  type KeeperConfig,
  type KeeperSnapshot,
} from '../../../responder/incidents/keeper.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { clientOf, DAY, findingOf, verdictOf } from './verdicts.ts';

const CONFIG: KeeperConfig = {
  budgetPerDay: 5,
  softIncidents: true,
  quietSecurityMs: 3_600_000,
  quietOperationalMs: 60_000,
  candidateWaitMs: 2_500,
  overlapMs: 30_000,
  stormPerMinute: 5,
  maxOpen: 1_000,
};

function keeperOf(config: Partial<KeeperConfig> = {}, snapshot?: KeeperSnapshot) {
  const alerts: { event: IncidentEvent; id: string; sequence: number; incident: Incident; members: number }[] = [];
  const rows = new Map<string, Incident>();
  const keeper = createIncidentKeeper(
    { ...CONFIG, ...config },
    {
      incident: (incident) => rows.set(incident.id, structuredClone(incident)),
      alert: (event, incident, sequence, _verdict, members) =>
        alerts.push({ event, id: incident.id, sequence, incident: structuredClone(incident), members: members.length }),
    },
    snapshot,
  );
  const feed = (verdict: Verdict, appendMs = verdict.appendMs, segmentsPerDay = 100_000) =>
    keeper.verdict({ verdict, segmentsPerDay }, appendMs);
  return { keeper, alerts, rows, feed };
}

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

  it('closes an incident whose only verdict is withdrawn', () => {
    const { feed, rows } = keeperOf();
    const verdict = verdictOf({});
    feed(verdict);
    feed({ ...verdict, stage: 3, state: 'withdrawn', revision: verdict.revision + 4, findings: [] });
    expect([...rows.values()][0]!.state).toBe('closed');
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
  const second = (service: string, ms: number, count: number, aboveMaximum: number) => ({
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
        shift: 0,
      },
    ],
    traces: {},
  });

  it('is an attack when its seconds were quiet elsewhere', () => {
    const { keeper, feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [slow('reports', DAY, DAY + 3000)] }));
    keeper.load.add(second('gateway', DAY + 1000, 100, 2));
    keeper.tick(DAY + 2_499);
    expect(alerts).toHaveLength(0);
    keeper.tick(DAY + 2_500);
    expect(alerts).toHaveLength(1);
    expect(alerts[0]!.incident).toMatchObject({ class: 'security', kind: 'self-time' });
  });

  it('is load, and no alert, when another service was slow in the same seconds', () => {
    const { keeper, feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [slow('reports', DAY, DAY + 3000)], p: 1e-3 }));
    keeper.load.add(second('gateway', DAY + 1000, 20, 3));
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
