/** Words of operators, the digest and the rates in ClickHouse: what the views say of them, however often they were written. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDigest } from '../../../runtime/clickhouse/read-digest.ts';
import type { BudgetState } from '../../../schemas/alerts/budget.ts';
import type { DigestEntry } from '../../../schemas/alerts/digest.ts';
import type { IncidentWord } from '../../../schemas/alerts/incident.ts';
import type { IncidentActionKind } from '../../../schemas/log/incident-action.ts';
import { keeperOf } from '../../unit/responder/keeping.ts';
import { DAY, findingOf, verdictOf } from '../../unit/responder/verdicts.ts';
import { noClickHouse, startTestServer, type TestServer } from '../clickhouse/server.ts';

let server: TestServer;
const HOUR = Math.floor(DAY / 3_600_000) * 3_600_000;

describe.skipIf(noClickHouse)('rows of the responder', () => {
  beforeAll(async () => {
    server = await startTestServer({ incidentsTtlDays: 18_250, verdictsTtlDays: 18_250 });
  });
  afterAll(() => server?.stop());

  const wordOf = (incidentId: string, action: IncidentActionKind, at: number, more: Partial<IncidentWord> = {}) => ({
    incidentId,
    saidOf: incidentId,
    occurrence: 1,
    action,
    by: 'ana',
    comment: `word ${at}`,
    editId: '',
    atMs: DAY + at,
    takenMs: DAY + at,
    result: 'taken' as const,
    ...more,
  });

  it('an incident shows the last word on its present occurrence; a judgement outweighs what came after it', async () => {
    const { feed, say, rows, keeper } = keeperOf();
    const stories: Readonly<Record<string, readonly [IncidentActionKind[], string]>> = {
      nobody: [[], 'new open'],
      seen: [['acknowledge'], 'acknowledged open'],
      done: [['acknowledge', 'resolve'], 'resolved closed'],
      expected: [['expect-once', 'acknowledge'], 'expected expected'],
      bad: [['bad', 'acknowledge', 'expect-once'], 'bad open'],
      again: [['bad', 'reopen'], 'new open'],
    };
    const idOf = new Map<string, string>();
    for (const [i, key] of Object.keys(stories).entries()) {
      const before = new Set(rows.keys());
      feed(verdictOf({ client: `198.51.100.${i}`, findings: [findingOf({ explanationKey: key })] }));
      idOf.set(key, [...rows.keys()].find((id) => !before.has(id))!);
    }
    const words = Object.entries(stories).flatMap(([key, [actions]]) =>
      actions.map((action, i) => say(idOf.get(key)!, action, DAY + i)!),
    );
    // twice, as after a crash
    for (let i = 0; i < 2; i++) {
      await server.store.insertIncidents([...rows.values()]);
      await server.store.insertIncidentActions(words);
    }
    const read = () =>
      server.rows<{ key: string; said: string }>(
        `SELECT explanation_key AS key, concat(review, ' ', toString(state)) AS said FROM ${server.clickhouse.database}.incidents_latest`,
      );
    const shown = Object.fromEntries((await read()).map(({ key, said }) => [key, said]));
    expect(shown).toEqual(Object.fromEntries(Object.entries(stories).map(([key, [, said]]) => [key, said])));
    // another occurrence is new again
    feed(verdictOf({ client: '198.51.100.77', findings: [findingOf({ explanationKey: 'done' })] }), DAY + 10);
    await server.store.insertIncidents([...rows.values()]);
    expect((await read()).find(({ key }) => key === 'done')?.said).toBe('new open');
    expect(keeper.open().length).toBeGreaterThan(0);
  });

  it('a word on an incident that the responder no longer holds shows all the same', async () => {
    const { feed, only, keeper } = keeperOf();
    feed(verdictOf({ client: null, findings: [findingOf({ explanationKey: 'long ago' })] }));
    keeper.tick(DAY + 2 * 3_600_000);
    await server.store.insertIncidents([only()]);
    await server.store.insertIncidentActions([
      wordOf(only().id, 'expect-always', 5, { occurrence: 0, result: 'unknown', editId: 'e1' }),
      wordOf('nothing at all', 'bad', 6, { occurrence: 0, result: 'unknown' }),
    ]);
    const [row] = await server.rows(
      `SELECT toString(state) AS state, toString(review) AS review, reviewed_by, review_comment, edit_id FROM ${server.clickhouse.database}.incidents_latest WHERE id = '${only().id}'`,
    );
    expect(row).toEqual({
      state: 'expected',
      review: 'expected',
      reviewed_by: 'ana',
      review_comment: 'word 5',
      edit_id: 'e1',
    });
    const events = await server.rows<{ what: string }>(
      `SELECT what FROM ${server.clickhouse.database}.incident_timeline WHERE incident_id = '${only().id}' AND event = 'said'`,
    );
    expect(events).toEqual([{ what: 'expect-always by ana: word 5' }]);
  });

  it('the digest is read ranked, in its newest state, with target and realised rates', async () => {
    const entry = (key: string, fields: Partial<DigestEntry> = {}): DigestEntry => ({
      day: '2026-01-05',
      kind: 'whole-tree',
      explanationKey: key,
      revision: DAY,
      class: 'security',
      service: 'catalog',
      operation: 'GET /search',
      count: 1,
      clients: ['203.0.113.7'],
      p: 5e-4,
      severity: 2,
      expected: 'this',
      seen: 'that',
      matchText: 'similarity 0.9',
      traceId: 'a'.repeat(32),
      firstMs: DAY,
      lastMs: DAY,
      ...fields,
    });
    await server.store.insertDigest([entry('often'), entry('strange', { p: 1e-5 }), entry('told', { p: 1e-6 })]);
    await server.store.insertDigest([entry('often', { count: 7, revision: DAY + 9 })]);
    await server.store.insertDigest([entry('told', { count: 0, revision: DAY + 9 }), entry('often', { count: 3 })]);
    const hour = { hourMs: HOUR, version: 'v1', segments: 1_000, below: [30, 3, 0], hard: [10, 1, 0] };
    await server.store.insertJudgedHours([{ ...hour, segments: 500, below: [1, 1, 0] }, hour]);
    await server.store.insertJudgedHours([hour, { ...hour, version: 'v2', segments: 0 }]);
    const budget: BudgetState = {
      hourMs: HOUR,
      atMs: DAY + 5,
      targetPerDay: 5,
      threshold: 5e-5,
      shift: -0.1,
      drift: 2,
      driftNominal: 0.01,
      segmentsPerDay: 100_000,
      segmentsLastDay: 90_000,
      expectedLastDay: 9,
      softLastDay: 3,
      benignLastWeek: 1,
      trueLastWeek: 0,
    };
    await server.store.insertBudget([budget, { ...budget, atMs: DAY, drift: 9 }]);
    const said = await readDigest(server.clickhouse, '2026-01-05', 10);
    expect(said.entries.map(({ rank, explanation_key, requests }) => [rank, explanation_key, requests])).toEqual([
      [1, 'strange', 1],
      [2, 'often', 7],
    ]);
    expect(said.rates).toEqual([
      { nominal: 0.01, segments: 1_000, realised: 0.02 },
      { nominal: 0.001, segments: 1_000, realised: 0.002 },
      { nominal: 0.0001, segments: 1_000, realised: 0 },
    ]);
    expect(said.budget).toMatchObject({ target_per_day: 5, expected_last_day: 9, drift: 2, soft_last_day: 3 });
    expect(await readDigest(server.clickhouse, '2026-01-06', 10)).toEqual({ entries: [], rates: [], budget: null });
  });
});
