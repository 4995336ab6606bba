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
import type { Alert, Delivery, IncidentWord } from '../schemas/alerts/incident.ts';
import type { AlertsConfig } from '../schemas/config/alerts.ts';
import type { IncidentsConfig } from '../schemas/config/responder.ts';
import { decodeAlertReplay } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { createAlertDesk } from './alert-desk.ts';
import { createBudgetMetrics } from './budget-metrics.ts';
import type { Response, ResponseStatus } from './decisions/response.ts';
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
  /** While it is off it ends what is in force. */
  readonly response?: Response | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Takes secrets out of a text before it is told. */
  look?(text: string): string;
}

export interface ResponderStatus {
  readonly openIncidents: number;
  readonly pendingDeliveries: number;
  readonly lastAlertMs: number;
  readonly lag: number;
  /** Target and realised rates; null while another process owns the findings. */
  readonly budget: BudgetState | null;
  /** Absent while it is off. */
  readonly response?: ResponseStatus;
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
/** Characters of a snapshot that are made without a break. */
const SLICE = 500_000;
/** Deliveries in flight may end within this at a stop; later ones are made by the next run. */
const MAX_DRAIN_MS = 2_000;

export function createResponder(config: ResponderConfig, deps: ResponderDeps): Responder {
  const { log, store, logger, metrics } = deps;
  const untilReached = createUntilReached({ role: 'responder', logger, isStopping: () => stopping });
  const rows = createWaitingRows();
  let findings: Findings | undefined;
  let assignment: Assignment | undefined;
  let nextOffset = 0;
  let lastRowsMs = 0;
  let lastSnapshotMs = 0;
  let snapshotEveryMs = SNAPSHOT_MS;
  let dirty = false;
  let storeAway = false;
  let stopping = false;
  let saving: Promise<void> | undefined;
  let consumer: Consumer | undefined;

  const budgetMetrics = createBudgetMetrics(metrics, () => findings?.budget() ?? null);
  const desk = createAlertDesk(
    { ...config.alerts, database: config.database },
    { rows, logger, metrics, now: deps.now, random: deps.random, ...(deps.look && { look: deps.look }) },
  );

  const sink: KeeperSink = {
    incident(incident) {
      rows.incident(incident);
      dirty = true;
      desk.changed(incident);
    },
    alert: desk.tell,
  };

  function word(said: IncidentWord): void {
    rows.word(said);
    desk.word(said);
  }

  async function assigned(given: Assignment): Promise<number> {
    const { createCollective, response } = deps;
    const [snapshot, recent, stored] = await untilReached(() =>
      Promise.all([store.loadSnapshot(), store.recentDeliveries(), response?.stored() ?? []]),
    );
    const { latest } = await untilReached(() => log.offsets('findings'));
    assignment = given;
    desk.open(recent);
    const createDecisions = response && ((state: unknown) => response.own(state, stored, rows.decision));
    findings = createFindings(
      { ...config.incidents, sensitiveTables: config.sensitiveTables ?? [] },
      {
        sink,
        createCollective,
        createDecisions,
        metrics,
        logger,
        word,
        judged: budgetMetrics.judged,
        digest: desk.digest,
      },
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
    if (record.kind === RecordKind.alertReplay) {
      const replay = decodeAlertReplay(record.value);
      if (replay !== null) desk.replay(replay);
    }
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
    let parts: Iterable<string> | undefined;
    if (withState && findings !== undefined) {
      // what changed has to be on its way before a snapshot says that it has
      const { digest: entries, rates } = findings.changes();
      rows.changes(entries, rates, findings.budget());
      parts = findings.stateParts();
    }
    const offset = nextOffset;
    const owner = assignment;
    if (withState) dirty = false;
    try {
      await rows.store(store);
      storeAway = false;
      if (parts === undefined || owner === undefined) return;
      const state = await textOf(parts);
      if (assignment !== owner) return; // another owner's now
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
      await deps.response?.start();
      consumer = log.consumer({
        topic: 'findings',
        group: 'responder',
        idleMs: 250,
        handler: {
          assigned,
          revoked() {
            void desk.close(0);
            deps.response?.disown();
            assignment = undefined;
            findings = undefined;
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
      await desk.close(Math.min(MAX_DRAIN_MS, deadlineMs / 2));
      const saved = (async () => {
        await saving;
        await save(true);
      })();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, Math.max(0, endMs - deps.now()));
      await Promise.race([saved, late.promise]); // what is not stored is made again from the log
      clearTimeout(timer);
      await consumer?.stop(Math.max(0, endMs - deps.now()));
      await deps.response?.stop(Math.max(0, endMs - deps.now()));
      if (consumer === undefined) end();
    },
    async status() {
      const lag = await consumer?.lag();
      const response = deps.response?.status();
      return {
        openIncidents: findings?.openIncidents ?? 0,
        pendingDeliveries: desk.pending(),
        lastAlertMs: desk.lastAlertMs,
        lag: lag === undefined ? 0 : [...lag.values()].reduce((a, b) => a + b, 0),
        budget: findings?.budget() ?? null,
        ...(response !== undefined && response.mode !== 'off' && { response }),
      };
    },
  };
}

/** The parts as one text; whatever waits comes between slices of a few milliseconds. */
async function textOf(parts: Iterable<string>): Promise<string> {
  const all: string[] = [];
  let length = 0;
  for (const part of parts) {
    all.push(part);
    length += part.length;
    if (length < SLICE) continue;
    length = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return all.join('');
}
