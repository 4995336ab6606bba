/** What belongs to no attacker: a new release is one incident to review, spans that do not come are one notice a service. */
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../schemas/log/verdict.ts';
import { keeperOf } from './keeping.ts';
import { DAY, findingOf, verdictOf } from './verdicts.ts';

const RELEASE = 'orders@1.4.0';
const HOUR = 3_600_000;
const novelty = (key: string, fields: Partial<Finding> = {}): Finding =>
  findingOf({ kind: 'unseen-edge', group: 'structure', hard: false, explanationKey: key, release: RELEASE, ...fields });
const stranger = (i: number, ...findings: readonly Finding[]) =>
  verdictOf({ client: `198.51.100.${i}`, findings, p: 1e-6 });

describe('a new release', () => {
  it('is one incident of class inventory that lists what it brought, told once and when there is much more', () => {
    const { feed, only, rows, alerts } = keeperOf();
    for (let i = 0; i < 100; i++) feed(stranger(i, novelty(`orders → thing ${i % 5}`)), DAY + i);
    expect(rows.size).toBe(1);
    expect(only()).toMatchObject({
      class: 'inventory',
      kind: 'release',
      explanationKey: RELEASE,
      service: 'orders',
      release: RELEASE,
      title: 'New release 1.4.0 of orders: 5 novelties to review',
      traceCount: 100,
      clients: [],
      hard: false,
    });
    expect(only().findings.map(({ explanationKey, count }) => [explanationKey, count])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [`orders → thing ${i}`, 20]),
    );
    expect(alerts.map(({ event, incident }) => [event, incident.findings.length])).toEqual([
      ['opened', 1],
      ['updated', 4],
    ]);
  });

  it('takes in a call between services and a statement that only it made, certain as they are', () => {
    const { feed, rows, alerts } = keeperOf();
    const pair = novelty('orders → billing', { kind: 'service-pair', hard: true });
    const statement = novelty('GET /orders · SELECT invoices', { kind: 'statement', hard: true, parameter: '' });
    feed(stranger(1, pair, statement));
    expect([...rows.values()].map(({ kind, findings }) => [kind, findings.length])).toEqual([['release', 2]]);
    expect(alerts.map(({ incident }) => incident.class)).toEqual(['inventory']);
  });

  it.each<[string, Finding]>([
    ['an egress', novelty('GET /orders · public', { kind: 'egress', hard: true })],
    ['a broken rule', novelty('orders → authorise', { kind: 'required-child', hard: true })],
    ['a missing ancestor', novelty('gateway → orders', { kind: 'required-ancestor', hard: true })],
    [
      'a statement on a sensitive table',
      novelty('GET /orders · SELECT shop.payments', { kind: 'statement', hard: true, parameter: '' }),
    ],
    [
      'a statement that a parameter broke out into',
      novelty('GET /orders · SELECT orders', { kind: 'statement', hard: true, parameter: 'q' }),
    ],
  ])('does not excuse %s: a security alert that names the release', (_, finding) => {
    const { feed, rows, alerts } = keeperOf({ sensitiveTables: ['pay*'] });
    feed(stranger(1, novelty('orders → billing'), finding));
    const security = alerts.filter(({ incident }) => incident.class === 'security');
    expect(security.map(({ event, incident }) => [event, incident.kind, incident.release])).toEqual([
      ['opened', finding.kind, RELEASE],
    ]);
    expect(security[0]!.incident.title).toContain(`(release ${RELEASE})`);
    const release = [...rows.values()].find(({ kind }) => kind === 'release')!;
    expect(release.findings.map(({ kind }) => kind).sort()).toEqual([finding.kind, 'unseen-edge'].sort());
  });

  it('does not excuse what a client sends, nor what an operator blocked', () => {
    for (const kind of ['attack-pattern', 'blocked'] as const) {
      const { feed, alerts, rows } = keeperOf();
      feed(stranger(1, novelty('GET /orders · q', { kind, hard: true })));
      expect(alerts.map(({ incident }) => [incident.class, incident.kind])).toEqual([['security', kind]]);
      expect([...rows.values()].some((incident) => incident.kind === 'release')).toBe(false);
    }
  });

  it('swallows nothing: not what its clients do, not the same novelty of another version', () => {
    const { feed, alerts } = keeperOf();
    const pair = novelty('orders → billing', { kind: 'service-pair', hard: true });
    feed(stranger(1, pair));
    feed(stranger(1, findingOf({ kind: 'egress', explanationKey: 'x' })));
    const { release: _, ...unreleased } = pair;
    feed(stranger(2, unreleased));
    expect(alerts.map(({ incident }) => incident.kind)).toEqual(['release', 'egress', 'service-pair']);
  });

  it('is not made odd twice: what is soft beside its novelties opens nothing by itself, unless it carries the evidence', () => {
    const beside = (share: number) => {
      const { feed, rows } = keeperOf();
      const rest = findingOf({ kind: 'parameter', hard: false, explanationKey: 'GET /orders · id', share });
      feed(stranger(1, novelty('orders → billing', { share: 1 - share }), rest));
      return [...rows.values()].map(({ kind }) => kind);
    };
    expect(beside(0.1)).toEqual(['release']);
    expect(beside(0.9)).toEqual(['release', 'parameter']);
  });

  it('is the same incident for a day without a word, comes back without an alert, and an operator ends it', () => {
    const { keeper, feed, say, only, events } = keeperOf();
    feed(stranger(1, novelty('a')));
    keeper.tick(DAY + 23 * HOUR);
    expect(only().state).toBe('open');
    keeper.tick(DAY + 25 * HOUR);
    expect(only().state).toBe('closed');
    feed(stranger(2, novelty('b')), DAY + 26 * HOUR);
    expect(only()).toMatchObject({ state: 'open', occurrences: 2 });
    say(only().id, 'expect-always', DAY + 26 * HOUR);
    feed(stranger(3, novelty('c')), DAY + 27 * HOUR);
    expect(only()).toMatchObject({ state: 'expected', traceCount: 3 });
    expect(events()).toEqual(['opened', 'closed', 'closed']);
  });

  it('of many novelties keeps a bounded list', () => {
    const { feed, only, alerts } = keeperOf();
    for (let i = 0; i < 500; i++) feed(stranger(i % 200, novelty(`k${i}`)), DAY + i);
    expect(only().findings).toHaveLength(64);
    expect(only().title).toContain('64 or more');
    expect(alerts.map(({ event }) => event)).toEqual(['opened', 'updated', 'updated', 'updated']);
  });
});

describe('missing telemetry', () => {
  const missing = (service: string, key: string) =>
    findingOf({ kind: 'missing-telemetry', group: 'structure', hard: false, service, explanationKey: key });

  it('is one notice a service, whatever p, and holds nothing against the client', () => {
    const { feed, rows, alerts } = keeperOf();
    for (let i = 0; i < 20; i++)
      feed(verdictOf({ client: `198.51.100.${i}`, p: 0.4, findings: [missing('orders', `edge ${i}`)] }), DAY + i);
    feed(verdictOf({ p: 0.4, findings: [missing('stock', 'edge')] }), DAY + 30);
    expect(
      [...rows.values()].map(({ class: c, service, traceCount, clients }) => [c, service, traceCount, clients]),
    ).toEqual([
      ['telemetry', 'orders', 20, []],
      ['telemetry', 'stock', 1, []],
    ]);
    expect(alerts.map(({ event }) => event)).toEqual(['opened', 'opened']);
  });

  it('beside an attack leaves the attack what it is', () => {
    const { feed, alerts } = keeperOf();
    feed(verdictOf({ findings: [missing('orders', 'edge'), findingOf()] }));
    feed(verdictOf({ client: '198.51.100.1', findings: [findingOf({ kind: 'egress', explanationKey: 'x' })] }));
    expect(alerts.map(({ incident }) => incident.kind)).toEqual(['missing-telemetry', 'statement', 'egress']);
  });

  it('is quiet for an hour before it is over, not a minute', () => {
    const { keeper, feed, only } = keeperOf();
    feed(verdictOf({ p: 0.4, findings: [missing('orders', 'edge')] }));
    keeper.tick(DAY + 30 * 60_000);
    expect(only().state).toBe('open');
    keeper.tick(DAY + 61 * 60_000);
    expect(only().state).toBe('closed');
  });
});

it('what an operator blocked leads whatever else is found', () => {
  const { feed, only } = keeperOf();
  feed(
    verdictOf({
      findings: [findingOf({ severity: 50 }), findingOf({ kind: 'blocked', explanationKey: 'GET /admin' })],
    }),
  );
  expect(only()).toMatchObject({ class: 'security', kind: 'blocked', hard: true });
});
