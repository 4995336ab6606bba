/** The responder over a log in memory and a store that can be away, with a receiver on loopback: crashes, restarts, outages. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createResponder, type Responder } from '../../../responder/service.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../runtime/telemetry/metrics.ts';
import type { BudgetState, RateHour } from '../../../schemas/alerts/budget.ts';
import type { DigestEntry } from '../../../schemas/alerts/digest.ts';
import type { Alert, Delivery, Incident, IncidentWord } from '../../../schemas/alerts/incident.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { incidentsSection } from '../../../schemas/config/responder.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import type { CollectiveCounts } from '../../../schemas/log/collective.ts';
import type { IncidentActionKind } from '../../../schemas/log/incident-action.ts';
import type { JudgedCounts } from '../../../schemas/log/judged.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { findingOf, verdictOf } from '../../unit/responder/verdicts.ts';
import { type BodyReceiver, SECRET, startBodyReceiver } from '../roles/receiver.ts';
import { until } from '../roles/running.ts';

let log: MemoryLog;
let receiver: BodyReceiver;
let answers: number[];
let responder: Responder | undefined;
let metrics: Metrics;
let snapshot: { nextOffset: number; state: string } | null;
let incidents: Map<string, Incident>;
let alerts: Map<string, Alert>;
let deliveries: Map<string, { delivery: Delivery }>;
let words: IncidentWord[];
let digest: Map<string, DigestEntry>;
let hours: Map<number, RateHour>;
let budgets: Map<number, BudgetState>;
let judged: CollectiveCounts[];
let away: boolean;
let reads: number;

beforeEach(async () => {
  log = createMemoryLog();
  await log.ensureTopic('findings', { partitions: 1, retentionMs: 1e9 });
  answers = [];
  receiver = await startBodyReceiver(() => answers.shift() ?? 204);
  snapshot = null;
  incidents = new Map();
  alerts = new Map();
  deliveries = new Map();
  words = [];
  digest = new Map();
  hours = new Map();
  budgets = new Map();
  judged = [];
  away = false;
  reads = 0;
});

afterEach(async () => {
  await responder?.stop(1_000);
  responder = undefined;
  await log.stop(1_000);
  await receiver.stop();
});

const unlessAway = async <T>(effect: () => T): Promise<T> => {
  if (away) throw new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'away');
  return effect();
};

async function start(settings: { alerts?: object; incidents?: object } = {}): Promise<void> {
  metrics = createMetrics();
  const own = log;
  const ifAlive = <T>(effect: () => T): Promise<T> => (own === log ? unlessAway(effect) : new Promise<T>(() => {}));
  responder = createResponder(
    {
      incidents: incidentsSection.parse({ ...settings.incidents }),
      alerts: alertsSection.parse({
        destinations: [{ name: 'test', url: receiver.url, secret: SECRET }],
        ...settings.alerts,
      }),
      database: 'test',
    },
    {
      log: own,
      store: {
        insertIncidents: (rows) => ifAlive(() => rows.forEach((row) => void incidents.set(row.id, row))),
        insertAlerts: (rows) => ifAlive(() => rows.forEach((row) => void alerts.set(row.id, row))),
        insertDeliveries: (rows) =>
          ifAlive(() =>
            rows.forEach((row) => void deliveries.set(`${row.alertId} ${row.destination}`, { delivery: row })),
          ),
        insertIncidentActions: (rows) => ifAlive(() => void words.push(...rows)),
        insertDigest: (rows) => ifAlive(() => rows.forEach((row) => void digest.set(`${row.day} ${row.kind}`, row))),
        insertJudgedHours: (rows) => ifAlive(() => rows.forEach((row) => void hours.set(row.hourMs, row))),
        insertBudget: (rows) => ifAlive(() => rows.forEach((row) => void budgets.set(row.hourMs, row))),
        saveSnapshot: (nextOffset, state) =>
          ifAlive(() => {
            snapshot = { nextOffset, state };
          }),
        loadSnapshot: () =>
          ifAlive(() => {
            reads++;
            return snapshot;
          }),
        recentDeliveries: () =>
          ifAlive(() =>
            [...deliveries.values()].map(({ delivery }) => ({ alert: alerts.get(delivery.alertId)!, delivery })),
          ),
      },
      createCollective: () => ({ add: (counts) => void judged.push(counts), judge: () => [], snapshot: () => null }),
      logger: createLogger({ name: 'test', level: 'silent' }),
      metrics,
      now: Date.now,
      random: () => 0,
    },
  );
  await responder.start();
}

/** As kill -9: what is under way never ends; the log's records and the store's rows stay. */
async function crash(settings: Parameters<typeof start>[0] = {}): Promise<void> {
  const store = log.store;
  log.crash();
  log = createMemoryLog({ store });
  responder = undefined;
  await start(settings);
}

const say = (...verdicts: readonly Verdict[]): Promise<void> =>
  log.produce(
    'findings',
    verdicts.map((verdict) => ({
      kind: RecordKind.verdict,
      key: verdict.id,
      value: encodeJson({ verdict, segmentsPerDay: 100_000 }),
    })),
  );

const bodiesOf = () => [...receiver.bodies.values()].map((bodies) => bodies.size);

describe('responder', () => {
  it('tells people before anything is stored, and stores when the store is back', async () => {
    await start();
    await until('taken over', () => reads > 0);
    away = true;
    await say(verdictOf({}));
    await until('the alert', () => receiver.bodies.size === 1);
    expect([incidents.size, alerts.size]).toEqual([0, 0]);
    away = false;
    await until('its rows', () => incidents.size === 1 && alerts.size === 1);
    await until('that it was delivered', () => [...deliveries.values()][0]?.delivery.state === 'delivered');
    expect([...alerts.keys()]).toEqual([...receiver.bodies.keys()]);
  });

  it('waits for the store at start: without its state it cannot know what it told', async () => {
    await start();
    await until('a first snapshot', async () => {
      if (reads === 0) return false;
      await say(verdictOf({}));
      return receiver.bodies.size > 0;
    });
    await responder!.stop(2_000);
    expect(snapshot).not.toBeNull();
    away = true;
    log = createMemoryLog({ store: log.store });
    await start();
    await say(verdictOf({ client: '198.51.100.9', findings: [findingOf({ explanationKey: 'other' })] }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(receiver.bodies.size).toBe(1);
    away = false;
    await until('the other alert', () => receiver.bodies.size === 2);
  });

  it('stopped while it waits for the store ends without a failure', async () => {
    away = true;
    await start();
    await responder!.stop(500);
    await responder!.ended;
  });

  it('after a crash tells nothing twice, and delivers what was not delivered under the same id and with the same body', async () => {
    answers = [204, ...new Array<number>(20).fill(500)];
    await start();
    await say(verdictOf({}));
    await until('the first alert', () => receiver.bodies.size === 1);
    await say(verdictOf({ client: '198.51.100.9', findings: [findingOf({ explanationKey: 'other' })] }));
    await until('a delivery that failed', () =>
      [...deliveries.values()].some(({ delivery }) => delivery.state === 'failed'),
    );
    const before = [...receiver.bodies.keys()];
    answers = [];
    await crash();
    await until('delivered in the end', () =>
      [...deliveries.values()].every(({ delivery }) => delivery.state === 'delivered'),
    );
    expect([...receiver.bodies.keys()]).toEqual(before);
    expect(bodiesOf()).toEqual([1, 1]);
  });

  it('after a crash before anything was stored makes the same alerts again', async () => {
    await start();
    await until('taken over', () => reads > 0);
    away = true;
    const slow = { ...findingOf({ kind: 'self-time', group: 'timing' }), hard: false, candidate: true };
    await say(verdictOf({}), verdictOf({ client: '198.51.100.9', findings: [slow] }));
    await until('both alerts', () => receiver.bodies.size === 2);
    away = false;
    await crash();
    await until('rows of both', () => alerts.size === 2);
    expect(receiver.bodies.size).toBe(2);
    expect(bodiesOf()).toEqual([1, 1]);
  });

  it('says that an incident was withdrawn only where people asked for it', async () => {
    const verdict = verdictOf({});
    const withdrawn: Verdict = {
      ...verdict,
      stage: 3,
      state: 'withdrawn',
      revision: verdict.revision + 5,
      findings: [],
    };
    await start();
    await say(verdict, withdrawn);
    await until('closed', () => [...incidents.values()][0]?.state === 'closed');
    expect([...alerts.values()].map(({ type }) => type)).toEqual(['incident.opened']);
    await responder!.stop(2_000);
    log = createMemoryLog({ store: log.store });
    await start({ alerts: { resolve: true } });
    const other = verdictOf({ client: '198.51.100.9', findings: [findingOf({ explanationKey: 'other' })] });
    await say(other, { ...withdrawn, id: other.id, traceId: other.traceId, revision: other.revision + 5 });
    await until('its end', () => [...alerts.values()].some(({ type }) => type === 'incident.closed'));
  });

  it('takes counts of a window once, and passes over what it cannot read', async () => {
    await start();
    const counts: CollectiveCounts = { partition: 0, window: 5, windowMs: 20_000, version: 'v', keys: [], traces: {} };
    const record = { kind: RecordKind.collective, key: '0', value: encodeJson(counts) };
    await log.produce('findings', [
      record,
      record,
      { kind: RecordKind.verdict, key: 'x', value: new TextEncoder().encode('{"verdict":7}') },
    ]);
    await say(verdictOf({}));
    await until('the alert after all that', () => receiver.bodies.size === 1);
    expect(judged).toHaveLength(1);
    expect(metrics.counter('responder_unreadable_total', '').value()).toBe(1);
    expect(metrics.counter('responder_windows_repeated_total', '').value()).toBe(1);
  });

  const softOf = (explanationKey: string) =>
    findingOf({ kind: 'whole-tree', group: 'structure', hard: false, explanationKey });
  const act = (incidentId: string, action: IncidentActionKind, atMs = 1) => ({
    kind: RecordKind.incidentAction,
    key: incidentId,
    value: encodeJson({ incidentId, action, by: 'ana', comment: 'a drill', atMs, editId: '' }),
  });

  it('obeys an operator once, also when the word is said again and after a crash', async () => {
    await start({ alerts: { resolve: true } });
    await say(verdictOf({}));
    await until('the incident', () => incidents.size === 1);
    const [id] = incidents.keys();
    await log.produce('findings', [
      act(id!, 'expect-once'),
      act(id!, 'expect-once'),
      act('nobody knows it', 'resolve'),
    ]);
    await until('its end', () => incidents.get(id!)?.state === 'expected');
    await say(verdictOf({}));
    await until('another hit', () => incidents.get(id!)?.traceCount === 2);
    await until('the message', () => receiver.bodies.size === 2);
    await until('its row', () => words.length === 2);
    expect(words.map(({ incidentId, action, by, result }) => [incidentId, action, by, result])).toEqual([
      [id, 'expect-once', 'ana', 'taken'],
      ['nobody knows it', 'resolve', 'ana', 'unknown'],
    ]);
    await crash({ alerts: { resolve: true } });
    await say(verdictOf({ client: '198.51.100.9', findings: [findingOf({ explanationKey: 'other' })] }));
    await until('what is new', () => receiver.bodies.size === 3);
    expect([...alerts.values()].map(({ type }) => type)).toEqual([
      'incident.opened',
      'incident.closed',
      'incident.opened',
    ]);
    expect(incidents.get(id!)).toMatchObject({ state: 'expected', traceCount: 2 });
    expect(metrics.counter('responder_unreadable_total', '').value()).toBe(0);
  });

  it('keeps the digest and the realised rate, each window once, and sends the digest of a day to those who want it', async () => {
    const yesterday = Date.now() - 86_400_000;
    const destinations = [{ name: 'test', url: receiver.url, secret: SECRET, digest: true }];
    await start({ alerts: { destinations, digestHour: 0 } });
    const window = Math.floor(yesterday / 20_000);
    const counts: JudgedCounts = {
      partition: 3,
      window,
      windowMs: 20_000,
      version: 'v1',
      segmentsPerDay: 100_000,
      segments: 1_000,
      below: [12, 2, 1],
      hard: [1, 1, 1],
    };
    const record = { kind: RecordKind.judged, key: '3', value: encodeJson(counts) };
    await log.produce('findings', [record, record]);
    await say(verdictOf({ appendMs: yesterday, findings: [softOf('a → b')], p: 9e-4 }));
    await until('the rows', () => digest.size === 1 && hours.size === 1 && budgets.size === 1);
    expect([...hours.values()]).toMatchObject([{ version: 'v1', segments: 1_000, below: [12, 2, 1] }]);
    expect([...digest.values()]).toMatchObject([{ kind: 'whole-tree', explanationKey: 'a → b', count: 1, p: 9e-4 }]);
    expect((await responder!.status()).budget).toMatchObject({ targetPerDay: 5, threshold: 5e-5 });
    expect(await metrics.text()).toMatch(/spanwarden_responder_soft_threshold(\{[^}]*\})? 0.00005/);
    expect(await metrics.text()).toMatch(/responder_judged_below_total\{nominal="0.01"\} 12/);
    await until('a snapshot', () => snapshot !== null);
    // the day turns: what the first start saw is not told, what comes after it is
    const text = JSON.parse(snapshot!.state) as { keeper: { digest: { given: string } } };
    text.keeper.digest.given = new Date(yesterday - 86_400_000).toISOString().slice(0, 10);
    await responder!.stop(2_000);
    snapshot = { ...snapshot!, state: JSON.stringify(text) };
    log = createMemoryLog({ store: log.store });
    await start({ alerts: { destinations, digestHour: 0 } });
    await until('the digest', () => [...alerts.values()].some(({ type }) => type === 'digest'));
    await until('that it arrived', () => receiver.bodies.size === 1);
    const body = JSON.parse([...alerts.values()].find(({ type }) => type === 'digest')!.body);
    expect(body.data.digest.entries).toMatchObject([{ kind: 'whole-tree', explanation: 'a → b', count: 1 }]);
  });
});
