/** The responder over a log in memory and a store that can be away, with a receiver on loopback: crashes, restarts, outages. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createResponder, type Responder } from '../../../responder/service.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../runtime/telemetry/metrics.ts';
import type { Alert, Delivery, Incident } from '../../../schemas/alerts/incident.ts';
import { alertsSection, incidentsSection } from '../../../schemas/config/responder.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import type { CollectiveCounts } from '../../../schemas/log/collective.ts';
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
});
