/** What was judged bad, in a real ClickHouse: the word that stands, of the incident or of another about the same novelty. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJudgedBad } from '../../../runtime/clickhouse/stored-words.ts';
import { type Incident, type IncidentWord, NO_STORY } from '../../../schemas/alerts/incident.ts';
import { noClickHouse, startTestServer, type TestServer } from './server.ts';

const NOVELTY = { kind: 'service-pair', explanationKey: 'gateway → payments' } as const;

const incident = (id: string, explanationKey: string, atMs: number): Incident => ({
  id,
  revision: 1,
  state: 'open',
  mergedInto: '',
  class: 'security',
  kind: NOVELTY.kind,
  explanationKey,
  entity: '',
  service: 'payments',
  operation: 'GET /items',
  title: 'one',
  matchText: '',
  severity: 1,
  p: 0.1,
  client: {
    address: null,
    source: 'none',
    confidence: 'none',
    reason: 'no-peer-data',
    hops: [],
    entrySpanId: '',
    entryTraceId: '',
    user: null,
    session: null,
  },
  clients: [],
  users: [],
  services: ['payments'],
  startMs: atMs,
  endMs: atMs,
  openedMs: atMs,
  closedMs: 0,
  traceCount: 1,
  traceIds: ['t'],
  occurrences: 1,
  version: 'v',
  release: '',
  hard: true,
  findings: [],
  story: NO_STORY,
});

describe.skipIf(noClickHouse)('what was judged bad', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  test('stands until it is reopened, for every incident about the same', async () => {
    const nowMs = Date.now();
    const { store, clickhouse } = server;
    await store.insertIncidents([
      incident('a', NOVELTY.explanationKey, nowMs),
      incident('b', NOVELTY.explanationKey, nowMs),
      incident('c', 'gateway → search', nowMs),
    ]);
    let at = nowMs;
    const say = (action: IncidentWord['action'], result: IncidentWord['result'] = 'taken'): Promise<void> => {
      const word = { incidentId: 'a', saidOf: 'a', occurrence: 1, action, by: 'bob', comment: '', editId: '' };
      return store.insertIncidentActions([{ ...word, atMs: ++at, takenMs: at, result }]);
    };
    const of = (id: string, explanationKey: string = NOVELTY.explanationKey) =>
      readJudgedBad(clickhouse, { id, kind: NOVELTY.kind, explanationKey });

    await say('acknowledge');
    expect(await of('a')).toBeUndefined();
    await say('bad');
    await say('resolve');
    await say('expect-once', 'refused');
    expect(await of('a')).toEqual({ id: 'a', by: 'bob' });
    expect(await of('b')).toEqual({ id: 'a', by: 'bob' });
    expect(await of('c', 'gateway → search')).toBeUndefined();
    await say('reopen');
    expect([await of('a'), await of('b')]).toEqual([undefined, undefined]);
  });
});
