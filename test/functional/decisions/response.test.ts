/** From findings in the log to what a bouncer hears: over crashes, by a process that does not own the findings, with ClickHouse away. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createResponse } from '../../../responder/decisions/response.ts';
import { createResponder, type Responder } from '../../../responder/service.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { incidentsSection } from '../../../schemas/config/responder.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import type { DecisionAction } from '../../../schemas/log/decision-action.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { actorOf, BAN, clientRecord, DAY, incidentOf } from '../../unit/decisions/deciding.ts';
import { verdictOf } from '../../unit/responder/verdicts.ts';
import { until } from '../roles/running.ts';
import { KEY } from './serving.ts';

let log: MemoryLog;
let rows: Map<string, Decision>;
let snapshot: { nextOffset: number; state: string } | null;
let away: boolean;
let snapshots: boolean;
let failedReads: number;
const parts: { stop(deadlineMs: number): Promise<void> }[] = [];

beforeEach(async () => {
  log = createMemoryLog();
  await log.ensureTopic('findings', { partitions: 1, retentionMs: 1e9 });
  rows = new Map();
  snapshot = null;
  away = false;
  snapshots = true;
  failedReads = 0;
});
afterEach(async () => {
  for (const part of parts.splice(0).reverse()) await part.stop(1_000);
  await log.stop(1_000);
});

const unlessAway = async <T>(effect: () => T): Promise<T> => {
  if (away) throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'away');
  return effect();
};
const logger = createLogger({ name: 'test', level: 'silent' });

function newResponse(settings: object, redactUser = (user: string): string => user) {
  return createResponse(
    {
      response: responseSection.parse({
        mode: 'enforce',
        port: 0,
        rules: [BAN],
        keys: [{ name: 'edge', key: KEY }],
        pollMs: 100,
        ...settings,
      }),
      attribution: attributionSection.parse({}),
    },
    {
      decisionsEndingAfter: (sinceMs) => {
        if (away) failedReads++;
        return unlessAway(() => [...rows.values()].filter((one) => Math.max(one.expiresMs, one.undoneMs) > sinceMs));
      },
      redactUser,
      logger,
      metrics: createMetrics(),
      now: Date.now,
    },
  );
}

async function startOwner(settings: object = {}): Promise<{ responder: Responder; url: () => string }> {
  const response = newResponse(settings);
  const own = log;
  const ifAlive = <T>(effect: () => T): Promise<T> => (own === log ? unlessAway(effect) : new Promise<T>(() => {}));
  const nothing = (): Promise<void> => ifAlive(() => undefined);
  const responder = createResponder(
    { incidents: incidentsSection.parse({}), alerts: alertsSection.parse({}), database: 'test' },
    {
      log: own,
      store: {
        insertIncidents: nothing,
        insertAlerts: nothing,
        insertDeliveries: nothing,
        insertIncidentActions: nothing,
        insertDigest: nothing,
        insertJudgedHours: nothing,
        insertBudget: nothing,
        insertDecisions: (given) => ifAlive(() => given.forEach((one) => void rows.set(one.id, one))),
        saveSnapshot: (nextOffset, state) =>
          ifAlive(() => {
            if (!snapshots) throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'no snapshots');
            snapshot = { nextOffset, state };
          }),
        loadSnapshot: () => ifAlive(() => snapshot),
        recentDeliveries: () => ifAlive(() => []),
      },
      createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
      response,
      logger,
      metrics: createMetrics(),
      now: Date.now,
      random: () => 0,
    },
  );
  parts.push(responder);
  await responder.start();
  return { responder, url: () => response.status().url };
}

/** A process beside it that has no findings. */
async function startOther(settings: object = {}): Promise<string> {
  const response = newResponse(settings);
  parts.push(response);
  return (await response.start()).url;
}

const verdict = (one: Verdict) => ({
  kind: RecordKind.verdict,
  key: one.id,
  value: encodeJson({ verdict: one, segmentsPerDay: 100_000 }),
});
const actor = (one: ActorRecord) => ({ kind: RecordKind.actor, key: one.id, value: encodeJson(one) });
const undo = (about: string) => {
  const action: DecisionAction = { about, action: 'undo', by: 'ana', comment: '', atMs: Date.now() };
  return { kind: RecordKind.decisionAction, key: about, value: encodeJson(action) };
};
const decided = async (url: string): Promise<string[]> => {
  const answer = await fetch(`${url}/v1/decisions`, { headers: { 'x-api-key': KEY } });
  return ((await answer.json()) as { value: string }[] | null)?.map(({ value }) => value) ?? [];
};
const pull = async (url: string): Promise<unknown> =>
  (await fetch(`${url}/v1/decisions/stream`, { headers: { 'x-api-key': KEY } })).json();
const attack = (address: string) => {
  const nowMs = Date.now();
  return [
    verdict(verdictOf({ client: address, appendMs: nowMs })),
    actor(actorOf({ subject: { kind: 'client', key: address }, atMs: nowMs })),
  ];
};

describe('response', () => {
  it('bans who did it, tells at once, and lifts it by one word', async () => {
    const { url, responder } = await startOwner();
    await log.produce('findings', attack('203.0.113.7'));
    await until('the decision', async () => (await decided(url())).length === 1);
    expect(await decided(url())).toEqual(['203.0.113.7']);
    const check = await fetch(`${url()}/check/orders`, {
      headers: { 'x-api-key': KEY, 'x-forwarded-for': '203.0.113.7' },
    });
    expect(check.status).toBe(403);
    expect((await responder.status()).response).toMatchObject({ mode: 'enforce', inForce: 1 });
    await log.produce('findings', [undo('203.0.113.7')]);
    await until('its end', async () => (await decided(url())).length === 0);
    await until('its row', () => [...rows.values()].some(({ state }) => state === 'undone'));
  });

  it('simulates without a word to bouncers, and keeps the rows', async () => {
    const { url } = await startOwner({ mode: 'simulate' });
    await log.produce('findings', attack('203.0.113.7'));
    await until('its row', () => rows.size === 1);
    expect([...rows.values()]).toMatchObject([{ state: 'simulated', value: '203.0.113.7' }]);
    expect(await decided(url())).toEqual([]);
  });

  it('is the same after kill -9, before and after the snapshot: ids, times and what is handed out', async () => {
    snapshots = false;
    const first = await startOwner();
    await log.produce('findings', attack('203.0.113.7'));
    await until('its row', () => rows.size === 1);
    const before = [...rows.values()];
    for (const withSnapshot of [false, true]) {
      snapshots = withSnapshot;
      if (withSnapshot) await until('a snapshot', () => snapshot?.state.includes('203.0.113.7') === true);
      const store = log.store;
      log.crash();
      log = createMemoryLog({ store });
      rows.clear();
      const again = await startOwner();
      await until('it is handed out again', async () => (await decided(again.url())).length === 1);
      if (withSnapshot) continue;
      await until('its row again', () => rows.size === 1);
      expect([...rows.values()]).toEqual(before);
    }
    expect(first.url()).not.toBe('');
  });

  it.each(['simulate', 'off'])('what bouncers hold they let go when it is %s, whatever was lost', async (mode) => {
    for (const lost of [false, true]) {
      const first = await startOwner();
      await log.produce('findings', attack('203.0.113.7'));
      await until('the decision', async () => (await decided(first.url())).length === 1);
      await first.responder.stop(1_000);
      await log.stop(1_000);
      // the port of its successor may be another's for a bouncer: it goes on without `startup`
      log = createMemoryLog();
      await log.ensureTopic('findings', { partitions: 1, retentionMs: 1e9 });
      if (lost) snapshot = null;
      else snapshot = { ...snapshot!, nextOffset: 0 };
      const second = await startOwner({ mode });
      expect(await decided(second.url())).toEqual([]);
      const gone: string[] = [];
      await until('its end', async () => {
        const { deleted } = (await pull(second.url())) as { deleted: { value: string }[] };
        gone.push(...deleted.map(({ value }) => value));
        return gone.length > 0;
      });
      expect(gone).toEqual(['203.0.113.7']);
      await until('its row', () => [...rows.values()].every(({ state }) => state === 'undone'));
      await second.responder.stop(1_000);
      rows.clear();
      snapshot = null;
    }
  });

  it('undone is what an earlier run enforced, also when its state was lost; those who ask later hear of it', async () => {
    const first = await startOwner();
    await log.produce('findings', attack('203.0.113.7'));
    await until('its row', () => rows.size === 1);
    await first.responder.stop(1_000);
    await log.stop(1_000);
    log = createMemoryLog();
    await log.ensureTopic('findings', { partitions: 1, retentionMs: 1e9 });
    snapshot = null;
    const second = await startOwner();
    await until('it is handed out', async () => (await decided(second.url())).length === 1);
    await log.produce('findings', [undo('203.0.113.7')]);
    await until('its end', async () => (await decided(second.url())).length === 0);
    await until('its row', () => [...rows.values()].some(({ state }) => state === 'undone'));
    await second.responder.stop(1_000);
    const third = await startOwner();
    const gone: string[] = [];
    await until('it is told', async () => {
      const { deleted } = (await pull(third.url())) as { deleted: { value: string }[] };
      gone.push(...deleted.map(({ value }) => value));
      return gone.length > 0;
    });
    expect(gone).toEqual(['203.0.113.7']);
  });

  it('is handed out by a process without the findings too, which hears of ends, and holds what it knows while ClickHouse is away', async () => {
    const { url } = await startOwner();
    const other = await startOther();
    const simulating = await startOther({ mode: 'simulate' });
    await log.produce('findings', [...attack('203.0.113.7'), ...attack('203.0.113.8')]);
    await until('both know', async () => (await decided(url())).length === 2 && (await decided(other)).length === 2);
    await log.produce('findings', [undo('203.0.113.8')]);
    await until('it hears of the end', async () => (await decided(other)).length === 1);
    away = true;
    await until('reads that fail', () => failedReads >= 4);
    expect(await decided(other)).toEqual(['203.0.113.7']);
    expect(await decided(simulating)).toEqual([]);
    // one that was never reachable blocks nobody
    const fresh = await startOther();
    expect(await decided(fresh)).toEqual([]);
    const check = await fetch(`${fresh}/check/`, { headers: { 'x-api-key': KEY, 'x-forwarded-for': '203.0.113.7' } });
    expect([check.status, check.headers.get('x-spanwarden-risk')]).toEqual([200, '0']);
  });

  it('decides nothing about users who are named as never to be, also where records have them hashed', () => {
    const made: Decision[] = [];
    const users = { rules: [{ name: 'user', scope: 'user' }], allowUsers: ['ana'] };
    const response = newResponse(users, (user) => `hmac:${user}`);
    parts.push(response);
    const core = response.own(undefined, [], (decision) => made.push(decision));
    for (const [id, user] of ['ana', 'bob'].entries()) {
      core.actor(actorOf({ subject: { kind: 'user', key: `hmac:${user}` } }), DAY);
      core.incident(incidentOf({ id: `${id}`, client: clientRecord('203.0.113.7', { user: `hmac:${user}` }) }), DAY);
    }
    expect(made.map(({ state, value }) => [state, value])).toEqual([
      ['refused', 'hmac:ana'],
      ['enforced', 'hmac:bob'],
    ]);
  });

  it('blocks nobody whose sharers are not known, and says so', async () => {
    await startOwner({ factsWaitMs: 0 });
    await log.produce('findings', [verdict(verdictOf({ client: '203.0.113.7', appendMs: Date.now() }))]);
    await until('its row', () => rows.size === 1);
    expect([...rows.values()]).toMatchObject([{ state: 'refused', reason: expect.stringMatching(/^no-facts/) }]);
  });
});
