/** Decisions in ClickHouse: the newest revision stands; and how many requests one met, counted over stored verdicts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, readListed, readReported } from '../../../cli/decisions/reading.ts';
import { countMatched, insertDecisions, readDecisions } from '../../../runtime/clickhouse/stored-decisions.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { type Verdict, verdictId } from '../../../schemas/log/verdict.ts';
import { decisionOf } from '../../unit/decisions/decided.ts';
import { incidentOf } from '../../unit/decisions/deciding.ts';
import { clientOf, findingOf, verdictOf } from '../../unit/responder/verdicts.ts';
import { noClickHouse, startTestServer, type TestServer } from '../clickhouse/server.ts';

let server: TestServer;
const NOW = Date.now();
const MINUTE = 60_000;

const decided = (fields: Partial<Decision> = {}): Decision =>
  decisionOf({ createdMs: NOW - 30 * MINUTE, expiresMs: NOW + 30 * MINUTE, ...fields });

describe.skipIf(noClickHouse)('decisions in ClickHouse', () => {
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  it('come back as they were written, the newest revision of each', async () => {
    const one = decided({
      id: 'abcd000000000001',
      value: '2001:db8::7',
      target: 'operations',
      operations: ['POST /checkout', 'GET /o/{id}'],
      reason: 'it\'s "odd" \\ \u2028 é',
      matched: 7,
      matchedOrdinary: 2,
    });
    const other = decided({
      id: 'abce000000000002',
      scope: 'user',
      value: 'mallory',
      state: 'simulated',
      createdMs: NOW - MINUTE,
    });
    const refused = decided({ id: 'f000000000000003', state: 'refused' });
    const over = decided({ id: 'f000000000000004', expiresMs: NOW - 2 * MINUTE, createdMs: NOW - 40 * MINUTE });
    await insertDecisions(server.clickhouse, [one, other, refused, over]);
    const undone: Decision = { ...one, revision: 2, state: 'undone', undoneBy: 'ana', undoneMs: NOW };
    await insertDecisions(server.clickhouse, [undone]);
    await insertDecisions(server.clickhouse, [one]); // a replay
    const read = (filter: Parameters<typeof readDecisions>[1]) => readDecisions(server.clickhouse, filter);
    const ids = async (filter: Parameters<typeof readDecisions>[1]) => (await read(filter)).map(({ id }) => id);
    expect((await read({ about: one.id }))[0]).toEqual(undone);
    expect((await read({ about: 'mallory' }))[0]).toEqual(other);
    expect(await ids({})).toEqual([other.id, one.id, refused.id, over.id]);
    expect(await ids({ states: ['simulated', 'enforced'] })).toEqual([other.id, over.id]);
    expect(await ids({ endingAfterMs: NOW - MINUTE, states: ['simulated', 'enforced'] })).toEqual([other.id]);
    expect(await ids({ sinceMs: NOW - 2 * MINUTE })).toEqual([other.id]);
    expect(await ids({ about: 'abc' })).toEqual([other.id, one.id]);
    expect(await ids({ limit: 1 })).toEqual([other.id]);
    expect(await ids({ about: "' OR 1=1 --" })).toEqual([]);
    const view = await server.rows<{ state: string }>(
      `SELECT state FROM ${server.clickhouse.database}.decisions_latest WHERE id = '${one.id}'`,
    );
    expect(view).toEqual([{ state: 'undone' }]);
  });

  it('are reported beside any number of refusals, and listed while they are in force, however old', async () => {
    const DAY = 86_400_000;
    const old = decided({ id: 'c000000000000001', createdMs: NOW - 9 * DAY, expiresMs: NOW + 9 * DAY });
    const made = decided({ id: 'c000000000000002', state: 'simulated', createdMs: NOW - 2 * DAY, value: '192.0.2.77' });
    const refused = Array.from({ length: 300 }, (_, i) =>
      decided({
        id: `d${String(i).padStart(15, '0')}`,
        state: 'refused',
        reason: i < 290 ? 'shared: by more than 5' : 'cap: more than 20',
        value: `192.0.2.${i % 7}`,
      }),
    );
    await insertDecisions(server.clickhouse, [old, made, ...refused]);
    const asked: Asked = { nowMs: NOW, withinMs: undefined, most: 200, state: undefined, inForce: false };
    const report = await readReported(server.clickhouse, asked);
    expect(report.isCut).toBe(false);
    expect(report.made.map(({ id }) => id)).toContain(made.id);
    expect(report.made.map(({ id }) => id)).not.toContain(old.id);
    expect(report.made.filter(({ state }) => state === 'refused')).toEqual([]);
    expect(report.refused.slice(0, 2)).toMatchObject([
      { reason: 'shared: by more than 5', count: 290 },
      { reason: 'cap: more than 20', count: 10 },
    ]);
    expect(report.refused[0]?.values).toHaveLength(5);
    expect((await readReported(server.clickhouse, { ...asked, most: 1 })).isCut).toBe(true);
    const list = async (more: Partial<Asked>) =>
      (await readListed(server.clickhouse, { ...asked, ...more })).found.map(({ id }) => id);
    expect(await list({ inForce: true })).toContain(old.id);
    expect(await list({ inForce: true, withinMs: 7 * DAY })).not.toContain(old.id);
    expect(await list({ most: 10_000 })).not.toContain(old.id);
    expect(await readListed(server.clickhouse, { ...asked, most: 3 })).toMatchObject({ isCut: true });
  });

  it('stand in the timeline of their incident', async () => {
    const incident = incidentOf({ id: 'an-incident', openedMs: NOW - 50 * MINUTE });
    await server.store.insertIncidents([incident]);
    await insertDecisions(server.clickhouse, [
      decided({
        id: 'a1',
        incidentId: incident.id,
        state: 'undone',
        undoneBy: 'ana',
        undoneMs: NOW - MINUTE,
        revision: 2,
      }),
      decided({ id: 'a2', incidentId: incident.id, state: 'refused', reason: 'shared: by many', value: '203.0.113.8' }),
      decided({ id: 'a3', incidentId: incident.id, scope: 'user', value: 'mallory', createdMs: NOW - 20 * MINUTE }),
    ]);
    const events = await server.rows<{ what: string; client_address: string }>(
      `SELECT what, client_address FROM ${server.clickhouse.database}.incident_timeline
       WHERE incident_id = '${incident.id}' AND event = 'decision' ORDER BY at, what`,
    );
    expect(events).toEqual([
      { what: 'decided for ip 203.0.113.7, everything: ban: a test', client_address: '203.0.113.7' },
      { what: 'refused for ip 203.0.113.8, everything: shared: by many', client_address: '203.0.113.8' },
      { what: 'decided for user mallory, everything: ban: a test', client_address: '' },
      { what: 'undone by ana for ip 203.0.113.7, everything: ban: a test', client_address: '203.0.113.7' },
    ]);
  });

  it('know how many requests they met, and how many ordinary ones', async () => {
    const batch = server.store.createBatch();
    const add = (atMs: number, address: string | null, fields: Partial<Verdict> = {}): void => {
      const odd = fields.anomalous ?? false;
      const verdict = verdictOf({ client: address, appendMs: atMs, findings: odd ? [findingOf()] : [] });
      batch.add(null, { ...verdict, anomalous: odd, startMs: atMs, endMs: atMs + 5, ...fields });
    };
    const ATTACKER = '198.51.100.7';
    add(NOW - 31 * MINUTE, ATTACKER); // before
    for (let i = 0; i < 6; i++) add(NOW - 20 * MINUTE + i, ATTACKER, { operation: 'GET /search' });
    for (let i = 0; i < 3; i++) add(NOW - 10 * MINUTE + i, ATTACKER, { anomalous: true, operation: 'POST /checkout' });
    add(NOW - 10 * MINUTE, ATTACKER, { operation: 'POST /checkout' });
    add(NOW - 10 * MINUTE, ATTACKER, { asynchronous: true, operation: 'mail process' });
    add(NOW - 10 * MINUTE, '198.51.100.8');
    add(NOW - 10 * MINUTE, '2001:db8::9');
    add(NOW - 10 * MINUTE, null);
    add(NOW - 5 * MINUTE, '203.0.113.1', { client: { ...clientOf('203.0.113.1'), user: 'mallory' } });
    // two segments of one trace are one request, an odd one
    const traceId = 'f'.repeat(32);
    const segment = (span: string) => ({
      traceId,
      entrySpanId: span.repeat(16),
      id: verdictId(NOW - 9 * MINUTE, traceId, span.repeat(16)),
    });
    add(NOW - 9 * MINUTE, ATTACKER, segment('a'));
    add(NOW - 9 * MINUTE, ATTACKER, { ...segment('b'), anomalous: true });
    await batch.flush();
    const count = (fields: Partial<Decision>, nowMs = NOW) => countMatched(server.clickhouse, decided(fields), nowMs);
    expect(await count({ value: ATTACKER })).toEqual({ matched: 11, matchedOrdinary: 7 });
    expect(await count({ value: ATTACKER }, NOW - 15 * MINUTE)).toEqual({ matched: 6, matchedOrdinary: 6 });
    expect(await count({ value: ATTACKER, undoneMs: NOW - 15 * MINUTE, state: 'undone' })).toMatchObject({
      matched: 6,
    });
    expect(await count({ scope: 'range', value: '198.51.100.0/24' })).toEqual({ matched: 12, matchedOrdinary: 8 });
    expect(await count({ scope: 'range', value: '2001:db8::/64' })).toMatchObject({ matched: 1 });
    expect(await count({ scope: 'user', value: 'mallory' })).toMatchObject({ matched: 1 });
    expect(await count({ value: ATTACKER, target: 'operations', operations: ['POST /checkout'] })).toEqual({
      matched: 4,
      matchedOrdinary: 1,
    });
    expect(await count({ value: '192.0.2.99' })).toEqual({ matched: 0, matchedOrdinary: 0 });
  });
});
