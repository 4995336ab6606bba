/**
 * When rows go into ClickHouse and what is then committed; and what happens when it is away: rows wait up to a bound, then
 * everything is judged and alerted but not kept (alert-only mode), and read again when it is back (decision 7).
 */
import { isRetryable } from '../runtime/errors.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { DetectorConfig } from '../schemas/config/detector.ts';
import type { Owned } from './owned.ts';
import type { Rows } from './rows.ts';
import { STORE_WAIT_MS, settles } from './waits.ts';

export interface StoringDeps {
  readonly rows: Rows;
  readonly partitions: ReadonlyMap<number, Owned>;
  /** Writes what beside rows is to be stored. */
  flushInventory(): Promise<void>;
  /** Whether the store answers again. */
  reachable(): Promise<boolean>;
  /** False when the partition is another's by now. */
  commit(owned: Owned, offset: number): Promise<boolean>;
  /** False while partitions may be another's already: its rows must not be doubled by ours. */
  confirmed(): boolean;
  /** Looks up from where to read again; gives what begins it, which is false when partitions were handed over meanwhile. */
  prepareReread(): Promise<() => boolean>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface Storing {
  /** True while nothing is kept. */
  readonly alertOnly: boolean;
  enterAlertOnly(): void;
  /** After each turn of reading. Rejects when ClickHouse refuses the rows: no attempt will help. */
  afterBatch(): Promise<void>;
  /** Resolves when no insert is under way. */
  settled(): Promise<void>;
  /** Writes what is left. */
  drain(): Promise<void>;
}

const PROBE_MS = 1_000;
/** An insert that takes longer, while rows fill their bound, counts as a store that is away. */
const AWAY_AFTER_MS = 20_000;

export function createStoring(config: DetectorConfig, deps: StoringDeps): Storing {
  const { rows, partitions, logger, metrics, now } = deps;
  const { flushMs, flushSpans, maxUnstoredBytes } = config;
  const storedSpans = metrics.counter('detector_spans_stored_total', 'Spans handed to ClickHouse');
  const alertOnlyTimes = metrics.counter('detector_alert_only_total', 'Times ClickHouse was away for too long');
  let alertOnly = false;
  let storeAway = false;
  let lastFlushMs = now();
  let flushing: Promise<void> | undefined;
  let committing: Promise<void> | undefined;
  let commitFailed = false;
  let returning: Promise<void> | undefined;
  /** Set when the store is back: begins the reading again. */
  let reread: (() => boolean) | undefined;
  let lastProbeMs = 0;
  let rejected: unknown;

  async function afterBatch(): Promise<void> {
    if (rejected !== undefined) throw rejected;
    const due = (): number => rows.spans - rows.heldSpans(now());
    const isMuch = (): boolean => due() >= flushSpans || rows.bytes >= maxUnstoredBytes / 2;
    if (now() - lastFlushMs >= flushMs || (isMuch() && !storeAway)) flush();
    if (!deps.confirmed() && rows.bytes >= maxUnstoredBytes) storeAway = true;
    while (!alertOnly && !storeAway && (due() >= 2 * flushSpans || rows.bytes >= maxUnstoredBytes)) {
      // reading goes on while rows are inserted, but not much further ahead; a slow store is not yet one that is away
      const patienceMs = rows.bytes >= maxUnstoredBytes ? AWAY_AFTER_MS : STORE_WAIT_MS;
      flush(rows.bytes >= maxUnstoredBytes ? Number.POSITIVE_INFINITY : now());
      if (flushing === undefined) break; // not ours to write at present
      const leftMs = patienceMs - (now() - lastFlushMs);
      if (leftMs > 0 && (await settles(leftMs, settled()))) continue;
      storeAway = rows.bytes >= maxUnstoredBytes;
      break;
    }
    if (storeAway && !alertOnly && rows.bytes >= maxUnstoredBytes) enterAlertOnly();
    if (alertOnly) tryReturn();
  }

  /** What a former owner may still be writing waits, unless there is no room to wait. */
  function flush(whatMs = now()): void {
    if (alertOnly || flushing !== undefined || !deps.confirmed()) return;
    lastFlushMs = now();
    flushing = storeRows(whatMs)
      .catch((error: unknown) => {
        if (!isRetryable(error)) rejected = error;
        else if (!storeAway) logger.warn({ err: error }, 'rows cannot be stored now; they are kept and tried again');
        storeAway = true;
      })
      .then(() => {
        flushing = undefined;
      });
  }

  const settled = (): Promise<void> => flushing ?? Promise.resolve();

  async function storeRows(whatMs: number): Promise<void> {
    storedSpans.add(await rows.flush(whatMs));
    await deps.flushInventory();
    storeAway = false;
    committing ??= commitAll().finally(() => {
      committing = undefined;
    });
  }

  /** Beside the inserts: a group that cannot be committed to for a while is no store that is away. */
  async function commitAll(): Promise<void> {
    try {
      await commitStored();
      commitFailed = false;
    } catch (error) {
      if (!isRetryable(error)) rejected = error;
      else if (!commitFailed) logger.warn({ err: error }, 'what is stored cannot be committed now; it is tried again');
      commitFailed = true;
    }
  }

  async function commitStored(): Promise<void> {
    for (const [partition, owned] of partitions) {
      if (alertOnly) return;
      const floor = Math.min(owned.said, rows.floor(partition));
      if (floor <= owned.committed) continue;
      if (!(await deps.commit(owned, floor))) continue;
      owned.committed = floor;
      if (partitions.get(partition) === owned) rows.passed(partition, floor);
    }
  }

  function enterAlertOnly(): void {
    alertOnly = true;
    alertOnlyTimes.add(1);
    rows.clear();
    logger.error({}, 'ClickHouse is away: traces are scored and alerted, but not stored until it is back');
  }

  /** Looks, beside the reading, whether the store is back; then everything since the last commit is read again and stored. */
  function tryReturn(): void {
    if (reread !== undefined) {
      const begin = reread;
      reread = undefined;
      if (!begin()) return; // handed over meanwhile: look again
      alertOnly = false;
      storeAway = false;
      logger.info({}, 'ClickHouse is back: reading again from the last commit');
      return;
    }
    if (returning !== undefined || now() - lastProbeMs < PROBE_MS) return;
    lastProbeMs = now();
    returning = prepareReturn()
      .catch(() => {}) // not yet
      .then(() => {
        returning = undefined;
      });
  }

  async function prepareReturn(): Promise<void> {
    await flushing; // an insert that hangs may still succeed: what it stored must be seen
    if (await deps.reachable()) reread = await deps.prepareReread();
  }

  return {
    get alertOnly() {
      return alertOnly;
    },
    enterAlertOnly,
    afterBatch,
    settled,
    async drain() {
      await flushing;
      flush();
      await flushing;
      await committing;
    },
  };
}
