/**
 * The responder role: findings in; incidents, alerts and deliveries out. Single owner of the `findings` partition. Alerts
 * go out at once; rows, a snapshot of the state with its offset, and the commit follow, so that a crash repeats work but
 * neither an incident nor, at a receiver that heeds `webhook-id`, an alert.
 */
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Assignment, Consumer, Log, LogRecord } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { BudgetState } from '../schemas/alerts/budget.ts';
import type { DayDigest } from '../schemas/alerts/digest.ts';
import type { Alert, Delivery } from '../schemas/alerts/incident.ts';
import type { AlertsConfig, IncidentsConfig } from '../schemas/config/responder.ts';
import { createAlert } from './alerts/body.ts';
import { createDigestAlert } from './alerts/digest-body.ts';
import { createOutbox, type Outbox } from './alerts/outbox.ts';
import { postAlert } from './alerts/webhook.ts';
import { createBudgetMetrics } from './budget-metrics.ts';
import { type CollectiveJudge, createFindings, type Findings } from './findings.ts';
import type { KeeperSink } from './incidents/lifecycle.ts';
import { createWaitingRows, type RowStore } from './rows.ts';

export interface ResponderStore extends RowStore {
  saveSnapshot(nextOffset: number, state: string): Promise<void>;
  loadSnapshot(): Promise<{ nextOffset: number; state: string } | null>;
  /** Alerts of the last days with their newest delivery by destination. */
  recentDeliveries(): Promise<readonly { alert: Alert; delivery: Delivery }[]>;
}

export interface ResponderConfig {
  readonly incidents: IncidentsConfig;
  /** `learning.sensitiveTables`. */
  readonly sensitiveTables?: readonly string[];
  readonly alerts: AlertsConfig;
  readonly database: string;
}

export interface ResponderDeps {
  readonly log: Log;
  readonly store: ResponderStore;
  /** From the snapshot of an earlier run, or afresh. */
  createCollective(snapshot: unknown): CollectiveJudge;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface ResponderStatus {
  readonly openIncidents: number;
  readonly pendingDeliveries: number;
  readonly lastAlertMs: number;
  readonly lag: number;
  /** Target and realised rates; null while another process owns the findings. */
  readonly budget: BudgetState | null;
}

export interface Responder extends Service {
  status(): Promise<ResponderStatus>;
  /** Resolves after stop(); rejects when the role fails by itself. */
  readonly ended: Promise<void>;
}

/** Without records wall time moves log time, but behind what may still be on its way into the log. */
const IDLE_LAG_MS = 300;
const ROWS_MS = 1_000;
/** Longest time between a change and its snapshot: 5 s, more for a large one. */
const SNAPSHOT_MS = 5_000;
const SNAPSHOT_MS_A_MEGABYTE = 2_000;
/** Deliveries in flight may end within this at a stop; later ones are made by the next run. */
const MAX_DRAIN_MS = 2_000;

export function createResponder(config: ResponderConfig, deps: ResponderDeps): Responder {
  const { log, store, logger, metrics } = deps;
  const alertsMade = metrics.counter('responder_alerts_total', 'Alerts made, by event and class');
  const attempts = metrics.counter('responder_delivery_attempts_total', 'Attempts to deliver an alert, by result');

  const untilReached = createUntilReached({ role: 'responder', logger, isStopping: () => stopping });
  const rows = createWaitingRows();
  let findings: Findings | undefined;
  let outbox: Outbox | undefined;
  let assignment: Assignment | undefined;
  let nextOffset = 0;
  let lastAlertMs = 0;
  let lastRowsMs = 0;
  let lastSnapshotMs = 0;
  let snapshotEveryMs = SNAPSHOT_MS;
  let dirty = false;
  let storeAway = false;
  let stopping = false;
  let saving: Promise<void> | undefined;
  let consumer: Consumer | undefined;

  const budgetMetrics = createBudgetMetrics(metrics, () => findings?.budget() ?? null);
  const context = { traceLink: config.alerts.traceLink, database: config.database };

  const sink: KeeperSink = {
    incident(incident) {
      rows.incident(incident);
      dirty = true;
    },
    alert(event, incident, sequence, atMs, members) {
      if (event === 'closed' && !config.alerts.resolve) return;
      const alert = createAlert(event, incident, sequence, members, atMs, context);
      rows.alert(alert);
      lastAlertMs = deps.now();
      alertsMade.add(1, { event, class: incident.class });
      logger.info(
        { incident: incident.id, event, class: incident.class, kind: incident.kind, title: incident.title },
        'alert',
      );
      outbox?.add(alert, incident.class);
    },
  };

  /** To those destinations that want it. */
  const digest = config.alerts.destinations.some((destination) => destination.digest)
    ? {
        afterMs: config.alerts.digestHour * 3_600_000,
        tell(day: DayDigest, budget: BudgetState, atMs: number) {
          const alert = createDigestAlert(day, budget, atMs, context);
          rows.alert(alert);
          outbox?.add(alert, 'digest');
        },
      }
    : null;

  function newOutbox(): Outbox {
    const destinations = config.alerts.destinations.map(({ name, url, secret, classes, digest }) => ({
      name,
      classes,
      digest,
      post: (alert: Alert, signal: AbortSignal) =>
        postAlert({ url, secret, timeoutMs: config.alerts.timeoutMs }, alert, deps.now, signal),
    }));
    return createOutbox(config.alerts, destinations, {
      now: deps.now,
      random: deps.random,
      record(delivery) {
        rows.delivery(delivery);
        if (delivery.state === 'pending') return;
        attempts.add(1, { destination: delivery.destination, result: delivery.state });
        if (delivery.state === 'failed') logger.warn({ ...delivery }, 'delivery failed, will be tried again');
      },
      onDead(alert, destination, error) {
        logger.error(
          { alert: alert.id, incident: alert.incidentId, destination, error },
          'alert given up: dead letter',
        );
      },
    });
  }

  async function assigned(given: Assignment): Promise<number> {
    const [snapshot, recent] = await untilReached(() => Promise.all([store.loadSnapshot(), store.recentDeliveries()]));
    const { latest } = await untilReached(() => log.offsets('findings'));
    assignment = given;
    outbox = newOutbox();
    for (const { alert, delivery } of recent) {
      if (delivery.state === 'failed' || delivery.state === 'pending') outbox.restore(alert, delivery);
      else outbox.markDone(alert.id, delivery.destination);
    }
    const { createCollective } = deps;
    findings = createFindings(
      { ...config.incidents, sensitiveTables: config.sensitiveTables ?? [] },
      { sink, createCollective, metrics, logger, word: rows.word, judged: budgetMetrics.judged, digest },
      snapshot?.state ?? null,
    );
    nextOffset = snapshot?.nextOffset ?? given.committed;
    if (nextOffset > latest[given.partition]!) {
      logger.error(
        { offset: nextOffset, end: latest[given.partition] },
        'the state was kept beside another log: findings are read from the commit in this one',
      );
      nextOffset = given.committed;
    }
    return nextOffset;
  }

  function take(record: LogRecord): void {
    if (findings === undefined) return;
    findings.take(record);
    nextOffset = record.offset + 1;
    dirty = true;
  }

  /** Rows first, then the snapshot with its offset, then the commit. What cannot be stored now is tried again. */
  function save(force: boolean): Promise<void> {
    const nowMs = deps.now();
    if (saving !== undefined || (!force && nowMs - lastRowsMs < ROWS_MS)) return saving ?? Promise.resolve();
    lastRowsMs = nowMs;
    saving = storeAll(dirty && (force || nowMs - lastSnapshotMs >= snapshotEveryMs))
      .catch((error: unknown) => {
        if (!storeAway) logger.warn({ err: error }, 'incidents cannot be stored now; alerts still go out');
        storeAway = true;
      })
      .finally(() => {
        saving = undefined;
      });
    return saving;
  }

  async function storeAll(withState: boolean): Promise<void> {
    let state: string | undefined;
    if (withState && findings !== undefined) {
      // what changed has to be on its way before a snapshot says that it has
      const { digest: entries, rates } = findings.changes();
      rows.changes(entries, rates, findings.budget());
      state = findings.stateText();
    }
    const offset = nextOffset;
    const owner = assignment;
    if (withState) dirty = false;
    try {
      await rows.store(store);
      storeAway = false;
      if (state === undefined || owner === undefined) return;
      await store.saveSnapshot(offset, state);
      lastSnapshotMs = deps.now();
      snapshotEveryMs = SNAPSHOT_MS + Math.floor(state.length / 1e6) * SNAPSHOT_MS_A_MEGABYTE;
      await consumer?.commit(owner, offset);
    } catch (error) {
      if (assignment !== owner) return; // another owner's now
      dirty ||= withState;
      throw error;
    }
  }

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  ended.catch(() => {}); // whoever waits for it hears of it

  return {
    name: 'responder',
    ended,
    async start() {
      consumer = log.consumer({
        topic: 'findings',
        group: 'responder',
        idleMs: 250,
        handler: {
          assigned,
          revoked() {
            void outbox?.stop(0);
            assignment = undefined;
            findings = undefined;
            outbox = undefined;
            rows.clear();
          },
          async batch(_partition, records) {
            for (const record of records) take(record);
            void save(false);
          },
          async idle(_partition, nowMs) {
            if (findings === undefined) return;
            findings.advance(nowMs - IDLE_LAG_MS);
            void save(false);
          },
        },
      });
      await consumer.start();
      consumer.ended.then(end, (error: unknown) => (stopping ? end() : fail(error)));
    },
    async stop(deadlineMs) {
      if (stopping) return ended.catch(() => {});
      stopping = true;
      budgetMetrics.stop();
      const endMs = deps.now() + deadlineMs;
      if (assignment !== undefined) consumer?.pause(assignment.partition);
      await outbox?.stop(Math.min(MAX_DRAIN_MS, deadlineMs / 2));
      const saved = (async () => {
        await saving;
        await save(true);
      })();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, Math.max(0, endMs - deps.now()));
      await Promise.race([saved, late.promise]); // what is not stored is made again from the log
      clearTimeout(timer);
      await consumer?.stop(Math.max(0, endMs - deps.now()));
      if (consumer === undefined) end();
    },
    async status() {
      const lag = await consumer?.lag();
      return {
        openIncidents: findings?.openIncidents ?? 0,
        pendingDeliveries: outbox?.pending() ?? 0,
        lastAlertMs,
        lag: lag === undefined ? 0 : [...lag.values()].reduce((a, b) => a + b, 0),
        budget: findings?.budget() ?? null,
      };
    },
  };
}
