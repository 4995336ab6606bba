/**
 * The detector role: spans in; rows in ClickHouse, findings, questions and counts in the log out. Everything a record
 * causes is durable before its offset is committed (ARCHITECTURE decision 7); a crash anywhere is a replay.
 */
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Consumer, Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { AssemblyConfig } from '../schemas/config/assembly.ts';
import type { DetectorConfig } from '../schemas/config/detector.ts';
import type { ClientRecord, Verdict } from '../schemas/log/verdict.ts';
import type { ActorEvents } from './core/actor-events.ts';
import { type CoreDeps, createCore } from './core/core.ts';
import { createEffects, type Inventory, type Judged } from './effects.ts';
import { createLookUps } from './look-ups.ts';
import type { Owned } from './owned.ts';
import { createReading, STEP_MS } from './reading.ts';
import { createRetention } from './retention.ts';
import { createRows, type RowStore, type StoredVerdict } from './rows.ts';
import { createSaying } from './saying.ts';
import { createStoring } from './storing.ts';
import { createTakingOver } from './taking-over.ts';
import type { Versions } from './versions.ts';
import { within } from './waits.ts';

export interface DetectorStore extends RowStore {
  /** Newest verdict by id of the segments that begin at `fromOffset` or later, of the day of `sinceMs` and later. */
  storedVerdicts(partition: number, fromOffset: number, sinceMs: number): Promise<ReadonlyMap<string, StoredVerdict>>;
  /** Clients of the segments of a trace; empty when it is not stored. */
  clientsOfTrace(traceId: string, spanId: string): Promise<readonly ClientRecord[]>;
  /** Whether the store answers again. */
  reachable(): Promise<boolean>;
}

export interface DetectorDeps extends Omit<CoreDeps, 'versionAt'> {
  readonly log: Log;
  readonly store: DetectorStore;
  readonly versions: Versions;
  readonly inventory: Inventory;
  /** Removes secrets from a verdict before it leaves (CONVENTIONS "Redaction"). */
  redact(verdict: Verdict): Verdict;
  /** What requests say about who made them, redacted. */
  readonly actorEvents: ActorEvents;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface DetectorStatus extends Judged {
  readonly version: string;
  readonly alerting: boolean;
  readonly alertOnly: boolean;
  readonly lag: number;
  readonly largestLag: number;
}

export interface Detector extends Service {
  status(): Promise<DetectorStatus>;
  /** Whether this process reads the partition now: what one detector of several is to do goes by partition 0. */
  owns(partition: number): boolean;
  /** Resolves after stop(); rejects when the role fails by itself. */
  readonly ended: Promise<void>;
}

export interface DetectorOptions {
  readonly assembly: AssemblyConfig;
  readonly detector: DetectorConfig;
  /** Whether the spans of every trace are stored; if not, what a later verdict makes worth keeping is looked up. */
  readonly keepsAll: boolean;
}

export function createDetector(config: DetectorOptions, deps: DetectorDeps): Detector {
  const { log, store, versions, inventory, actorEvents, logger, metrics, now } = deps;
  const { originWaitMs, maxRemembered } = config.detector;
  const partitions = new Map<number, Owned>();
  let consumer: Consumer | undefined;
  let stopping = false;
  const isStopping = (): boolean => stopping;

  const rows = createRows(store);
  const retention = createRetention(log, now);
  const saying = createSaying({ log, partitions, floor: (partition) => core.floor(partition), isStopping, metrics });
  const lookUps = createLookUps(
    ({ producerTraceId, producerSpanId }) => store.clientsOfTrace(producerTraceId, producerSpanId),
    (ask, clients) => core.found(ask, clients),
  );
  const { effects, judged } = createEffects(config.keepsAll, {
    rows,
    saying,
    lookUps,
    inventory,
    partitions,
    isAlertOnly: () => storing.alertOnly,
    redact: deps.redact,
    actorEvents,
    metrics,
  });
  const core = createCore(
    { assembly: config.assembly, originWaitMs, maxRemembered },
    {
      createAssembler: deps.createAssembler,
      segment: deps.segment,
      read: deps.read,
      isSensitive: deps.isSensitive,
      versionAt: versions.at,
    },
    effects,
  );
  const storing = createStoring(config.detector, {
    rows,
    partitions,
    flushInventory: () => inventory.flush(),
    reachable: () => store.reachable(),
    commit: async (owned, offset) => (await consumer?.commit(owned.assignment, offset)) ?? false,
    confirmed: () => consumer?.confirmed() ?? false,
    prepareReread: () => takingOver.prepareReread(),
    logger,
    metrics,
    now,
  });
  const takingOver = createTakingOver(config.detector, {
    log,
    partitions,
    core,
    rows,
    storing,
    versions,
    storedVerdicts: (partition, fromOffset, sinceMs) => store.storedVerdicts(partition, fromOffset, sinceMs),
    untilReached: createUntilReached({ role: 'detector', logger, isStopping }),
    seek: (partition, offset) => consumer?.seek(partition, offset),
    forget(partition) {
      inventory.drop(partition);
      saying.drop(partition);
    },
    drop: (partition) => actorEvents.drop(partition),
    now,
  });
  const reading = createReading({
    partitions,
    core,
    saying,
    storing,
    versions,
    lookAtRetention: retention.look,
    isStopping,
    metrics,
    now,
  });

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  ended.catch(() => {}); // whoever waits for it hears of it

  return {
    name: 'detector',
    ended,
    async start() {
      metrics.gauge('detector_unstored_bytes', 'Bytes of rows that are not durable yet', () => rows.bytes);
      metrics.gauge('detector_alert_only', '1 while traces are scored and alerted but not stored', () =>
        storing.alertOnly ? 1 : 0,
      );
      metrics.gauge(
        'detector_retention_margin',
        'Share of the records held by the log that are durable in ClickHouse, by partition: near 0, retention is about to remove others',
        () => [...partitions].map(([partition, owned]) => [retention.margin(partition, owned), { partition }]),
      );
      consumer = log.consumer({
        topic: 'spans',
        group: 'detector',
        idleMs: STEP_MS,
        handler: {
          assigned: takingOver.assigned,
          revoked: takingOver.revoked,
          batch: reading.batch,
          idle: reading.idle,
        },
      });
      await consumer.start();
      consumer.ended.then(end, (error: unknown) => (stopping ? end() : fail(error)));
    },
    async stop(deadlineMs) {
      if (stopping) return ended.catch(() => {});
      stopping = true;
      const endMs = now() + deadlineMs;
      for (const partition of partitions.keys()) consumer?.pause(partition);
      await within(deadlineMs, storing.drain()).catch(() => {}); // the next run stores it
      await consumer?.stop(Math.max(0, endMs - now()));
      if (consumer === undefined) end();
    },
    owns: (partition) => partitions.has(partition),
    async status() {
      const lag = [...((await consumer?.lag()) ?? new Map<number, number>()).values()];
      return {
        ...judged(),
        version: versions.latest?.version ?? '',
        alerting: versions.alerting,
        alertOnly: storing.alertOnly,
        lag: lag.reduce((a, b) => a + b, 0),
        largestLag: Math.max(0, ...lag),
      };
    },
  };
}
