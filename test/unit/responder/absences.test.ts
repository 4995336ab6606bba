/** A call that stands as a single span was left out, or its span got lost: what others lack at the same time tells. */
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../schemas/log/verdict.ts';
import { keeperOf } from './keeping.ts';
import { DAY, findingOf, verdictOf } from './verdicts.ts';

const RULE = 'GET /orders → orders SELECT grants';
const absent = (fields: Partial<Finding> = {}) =>
  findingOf({
    kind: 'required-child',
    group: 'structure',
    evidence: 'absence',
    hard: false,
    candidate: true,
    explanationKey: RULE,
    ...fields,
  });
const without = (client: string | null, finding = absent()) => verdictOf({ client, findings: [finding], p: 8e-4 });

describe('a call left out that stands as a single span', () => {
  it('is near-certain where spans do not get lost, after what others lack had time to come', () => {
    const { keeper, feed, alerts } = keeperOf();
    feed(without('203.0.113.66'), DAY);
    keeper.tick(DAY + 2_400);
    expect(alerts).toEqual([]);
    keeper.tick(DAY + 2_500);
    expect(alerts.map(({ event, incident }) => [event, incident.kind, incident.hard])).toEqual([
      ['opened', 'required-child', true],
    ]);
  });

  it('is lost telemetry where many lack something at the same time', () => {
    const { keeper, feed, alerts } = keeperOf();
    for (let i = 0; i < 200; i++)
      feed(without(`198.51.100.${i}`, absent({ explanationKey: `rule ${i % 7}` })), DAY + i);
    keeper.tick(DAY + 10_000);
    expect(alerts).toEqual([]);
  });

  it('causes no more false alerts a day than chance may, however evenly spans get lost', () => {
    const { keeper, feed, alerts } = keeperOf();
    for (let i = 0; i < 300; i++) {
      const appendMs = DAY + i * 600_000;
      feed(without(`10.0.${i >> 8}.${i & 255}`, absent({ explanationKey: `rule ${i}` })), appendMs);
      keeper.tick(appendMs + 5_000);
    }
    expect(alerts.filter(({ event }) => event === 'opened').length).toBeLessThanOrEqual(5);
  });

  describe('is not covered up by what somebody else leaves out', () => {
    const other = (fields: Partial<Finding> = {}) =>
      absent({ explanationKey: 'GET /x → catalog INSERT log', ...fields });
    const guard = absent({ explanationKey: 'GET /pay → payments SELECT grants', service: 'payments' });
    const play = (covering: readonly (readonly [client: string, finding: Finding])[]) => {
      const { keeper, feed, rows } = keeperOf();
      for (const [i, [client, finding]] of covering.entries()) feed(without(client, finding), DAY + i);
      keeper.tick(DAY + 60_000);
      const later = DAY + 5 * 3_600_000;
      feed(without('203.0.113.66', guard), later);
      keeper.tick(later + 10_000);
      return [...rows.values()].some(({ explanationKey, hard }) => explanationKey === guard.explanationKey && hard);
    };

    it('at another service, by however many', () => {
      expect(play(Array.from({ length: 300 }, (_, i) => [`198.51.${i >> 8}.${i & 255}`, other()] as const))).toBe(true);
    });

    it('at the same one, by one machine with a whole /64', () => {
      const hops = Array.from({ length: 40 }, (_, i) => `2001:db8:1:2::${(i + 1).toString(16)}`);
      expect(play(hops.map((client) => [client, other({ service: 'payments' })] as const))).toBe(true);
    });

    it('at the same one, by many addresses that leave out one other call', () => {
      const many = Array.from({ length: 40 }, (_, i) => `198.51.100.${i}`);
      expect(play(many.map((client) => [client, other({ service: 'payments' })] as const))).toBe(true);
    });

    it('while this and that of the service gets lost, it waits', () => {
      const of = (i: number) => other({ service: 'payments', explanationKey: `rule ${i % 7}` });
      expect(play(Array.from({ length: 40 }, (_, i) => [`198.51.100.${i}`, of(i)] as const))).toBe(false);
    });
  });

  it('of ever more services is told of as many rules a day as chance may, after a restart too', () => {
    let running = keeperOf();
    let opened = 0;
    for (let i = 0; i < 100; i++) {
      const appendMs = DAY + i * 600_000;
      running.feed(without(`10.0.0.${i}`, absent({ explanationKey: `rule ${i}`, service: `s${i}` })), appendMs);
      running.keeper.tick(appendMs + 5_000);
      opened += running.alerts.filter(({ event }) => event === 'opened').length;
      running = keeperOf({}, running.snapshot());
    }
    expect(opened).toBe(5);
  });

  it('stands out in a lossy system too, when one client leaves the same call out again and again', () => {
    const { keeper, feed, alerts } = keeperOf();
    for (let i = 0; i < 20; i++) feed(without(`198.51.100.${i}`, absent({ explanationKey: `rule ${i}` })), DAY + i);
    const later = DAY + 2 * 3_600_000;
    keeper.tick(later);
    for (let i = 0; i < 4; i++) feed(without('203.0.113.66'), later + i * 1_000);
    keeper.tick(later + 10_000);
    expect(alerts.map(({ incident }) => [incident.client.address, incident.explanationKey])).toEqual([
      ['203.0.113.66', RULE],
    ]);
  });

  it('is not judged by how slow others are, and does not wait where something else is certain', () => {
    const { feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [absent(), findingOf({ kind: 'egress', explanationKey: 'x' })] }), DAY);
    expect(alerts.map(({ incident }) => incident.kind)).toEqual(['egress']);
  });

  it('does not make an ever longer queue: beyond 2,000 the one that waited longest is judged at once', () => {
    const { keeper, feed, alerts } = keeperOf({ budgetPerDay: 5_000 });
    for (let i = 0; i < 2_001; i++) feed(without(`10.0.${i >> 8}.${i & 255}`), DAY + (i === 0 ? 0 : 1));
    expect(keeper.snapshot().absences?.waiting).toHaveLength(2_000);
    expect(alerts.map(({ event, atMs, incident }) => [event, atMs, incident.client.address])).toEqual([
      ['opened', DAY + 1, '10.0.0.0'],
    ]);
    keeper.tick(DAY + 10_000);
    expect(keeper.snapshot().absences?.waiting).toEqual([]);
  });

  it('is forgotten when the segment was part of another after all; an amendment keeps its place', () => {
    const { keeper, feed, alerts } = keeperOf();
    const verdict = without('203.0.113.66');
    feed(verdict, DAY);
    feed({ ...verdict, revision: verdict.revision + 1 }, DAY + 2_000);
    feed({ ...verdict, revision: verdict.revision + 6, stage: 3, state: 'withdrawn', findings: [] }, DAY + 2_100);
    keeper.tick(DAY + 20_000);
    expect(alerts).toEqual([]);
    expect(keeper.snapshot().absences).toEqual({ noted: [], waiting: [], agreed: [] });
  });

  describe('is told in the order in which requests began, not in which they were heard of', () => {
    const certain = findingOf({ kind: 'egress', explanationKey: 'x' });
    const early = verdictOf({ client: '203.0.113.66', findings: [absent()], p: 8e-4, appendMs: DAY });
    const late = verdictOf({ client: '203.0.113.66', findings: [certain], appendMs: DAY + 20_000 });

    it('so that after a crash of the detector, when both come at once, the incident is the same', () => {
      const told = [20_000, 100].map((apartMs) => {
        const { keeper, feed, alerts, rows } = keeperOf();
        const heardMs = DAY + 60_000;
        keeper.tick(heardMs);
        feed(early, heardMs);
        keeper.tick(heardMs + apartMs);
        feed(late, heardMs + apartMs);
        keeper.tick(heardMs + apartMs + 10_000);
        return [alerts.map(({ event, id, sequence }) => [event, id, sequence]), [...rows.keys()]];
      });
      expect(told[1]).toEqual(told[0]);
    });

    it('while what began later does not go before something certain', () => {
      const { keeper, feed, alerts } = keeperOf();
      feed({ ...early, id: `${early.id}0`, appendMs: DAY + 30_000 }, DAY + 60_000);
      feed(late, DAY + 60_100);
      keeper.tick(DAY + 70_000);
      expect(alerts[0]!.incident.kind).toBe('egress');
    });

    it('and another client’s goes on waiting for what others lack', () => {
      const { keeper, feed } = keeperOf();
      feed(early, DAY + 60_000);
      feed({ ...late, client: { ...late.client, address: '203.0.113.67' } }, DAY + 60_100);
      expect(keeper.snapshot().absences?.waiting).toHaveLength(1);
    });
  });
});
