/** Records and stream time of a partition into the core; then all that it said into the log. */
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import type { LogRecord } from '../runtime/log/port.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import { decodeOriginAnswer, decodeOriginAsk } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { Core } from './core/core.ts';
import type { Owned } from './owned.ts';
import type { Saying } from './saying.ts';
import type { Storing } from './storing.ts';
import type { Versions } from './versions.ts';
import { pause, STORE_WAIT_MS, within } from './waits.ts';

export interface Reading {
  batch(partition: number, records: readonly LogRecord[]): Promise<void>;
  /** Nothing came: time goes on alone. */
  idle(partition: number, nowMs: number): Promise<void>;
}

export interface ReadingDeps {
  readonly partitions: ReadonlyMap<number, Owned>;
  readonly core: Core;
  readonly saying: Saying;
  readonly storing: Storing;
  readonly versions: Versions;
  /** After each turn, beside everything else. */
  lookAtRetention(): void;
  isStopping(): boolean;
  readonly metrics: Metrics;
  readonly now: () => number;
}

/** Stream time moves in steps, so that closes do not depend on how records were grouped into batches. */
export const STEP_MS = 100;
/**
 * On an idle partition wall time moves stream time, but so far behind that no record still on its way into the log carries
 * an earlier append time (a commit of the embedded log takes up to 170 ms): else a replay would close otherwise.
 */
const IDLE_LAG_MS = 300;
const PROBE_MS = 1_000;

export function createReading(deps: ReadingDeps): Reading {
  const { partitions, core, saying, storing, versions } = deps;
  const badRecords = deps.metrics.counter(
    'detector_unreadable_total',
    'Records of the spans topic that could not be read',
  );

  async function batch(partition: number, records: readonly LogRecord[]): Promise<void> {
    const owned = partitions.get(partition);
    if (owned === undefined) return;
    const first = records[0]!;
    const last = records.at(-1)!;
    owned.firstMs = Math.min(owned.firstMs, first.appendMs);
    await versionsFor(owned, first.appendMs, last.appendMs);
    if (partitions.get(partition) !== owned) return; // taken away meanwhile
    for (const record of records) {
      repeatUntil(owned, record.offset);
      advance(owned, record.appendMs);
      take(record);
    }
    owned.position = last.offset + 1;
    await saying.say(owned);
    deps.lookAtRetention();
    await storing.afterBatch();
  }

  async function idle(partition: number, nowMs: number): Promise<void> {
    const owned = partitions.get(partition);
    if (owned === undefined) return;
    const streamMs = nowMs - IDLE_LAG_MS;
    await versionsFor(owned, streamMs, streamMs);
    if (partitions.get(partition) !== owned) return;
    repeatUntil(owned, owned.position);
    advance(owned, streamMs);
    await saying.say(owned);
    deps.lookAtRetention();
    await storing.afterBatch();
  }

  function take(record: LogRecord): void {
    const { partition, offset, appendMs, value } = record;
    if (record.kind === RecordKind.spans) core.spans(partition, offset, appendMs, value);
    else if (record.kind === RecordKind.originAsk) {
      const ask = decodeOriginAsk(value);
      if (ask === null) badRecords.add(1);
      else core.ask(partition, offset, appendMs, ask);
    } else if (record.kind === RecordKind.originAnswer) {
      const answer = decodeOriginAnswer(value);
      if (answer === null) badRecords.add(1);
      else core.answered(answer);
    }
  }

  /** From `offset` on nothing was said of the partition: what was said before, also when stream time went on alone, is over first. */
  function repeatUntil(owned: Owned, offset: number): void {
    if (owned.repeats === null || offset < owned.repeats.until.position) return;
    const { until } = owned.repeats;
    if (owned.position <= until.position && until.step * STEP_MS <= deps.now()) advance(owned, until.step * STEP_MS);
    owned.repeats = null;
  }

  function advance(owned: Owned, streamMs: number): void {
    const step = Math.floor(streamMs / STEP_MS);
    if (step <= owned.step) return;
    owned.step = step;
    core.advance(owned.assignment.partition, step * STEP_MS, deps.now());
  }

  /**
   * Holds the partition until the versions that can judge what is open are loaded. When the store stays away, alerts go on
   * with the last version; what it judged is read again, and judged by the right one, when the store is back.
   */
  async function versionsFor(owned: Owned, fromMs: number, toMs: number): Promise<void> {
    const oldestMs = Math.max(Math.min(owned.firstMs, fromMs), fromMs - core.warmUpMs);
    const began = deps.now();
    while (!storing.alertOnly) {
      try {
        return await within(STORE_WAIT_MS, versions.ready(oldestMs, toMs));
      } catch (error) {
        if (deps.isStopping()) throw new SpanwardenError('STOPPED', 'the detector is stopping', { cause: error });
        if (!isRetryable(error)) throw error;
        if (deps.now() - began >= 2 * STORE_WAIT_MS) storing.enterAlertOnly();
        else await pause(PROBE_MS);
      }
    }
  }

  return { batch, idle };
}
