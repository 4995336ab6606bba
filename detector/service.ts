/**
 * The detector role: spans in; rows in ClickHouse, findings, questions and counts in the log out. Everything a record
 * causes is durable before its offset is committed (ARCHITECTURE decision 7); a crash anywhere is a replay.
 */
import { SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import type { Assignment, Consumer, Log, LogRecord, NewRecord } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { AssemblyConfig } from '../schemas/config/assembly.ts';
import type { DetectorConfig } from '../schemas/config/detector.ts';
import { decodeOriginAnswer, decodeOriginAsk, encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { ClientRecord, Verdict } from '../schemas/log/verdict.ts';
import { type Core, type CoreDeps, type CoreEffects, createCore } from './core/core.ts';
import { createRows, type RowStore, type StoredVerdict } from './rows.ts';
import type { Versions } from './versions.ts';

export interface DetectorStore extends RowStore {
  /** Newest verdict by id of the segments that begin at `fromOffset` or later. */
  storedVerdicts(partition: number, fromOffset: number): Promise<ReadonlyMap<string, StoredVerdict>>;
  /** Clients of the segments of a trace; empty when it is not stored. */
  clientsOfTrace(traceId: string, spanId: string): Promise<readonly ClientRecord[]>;
  /** Whether the store answers again. */
  reachable(): Promise<boolean>;
}

export interface Inventory {
  /** Facts of the segment just judged. */
  see(...seen: Parameters<CoreEffects['seen']>): void;
  /** Writes what is new; may fail, and is then tried again. */
  flush(): Promise<void>;
}

export interface DetectorDeps extends Omit<CoreDeps, 'versionAt'> {
  readonly log: Log;
  readonly store: DetectorStore;
  readonly versions: Versions;
  readonly inventory: Inventory;
  /** Removes secrets from a verdict before it leaves (CONVENTIONS "Redaction"). */
  redact(verdict: Verdict): Verdict;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface DetectorStatus {
  readonly version: string;
  readonly alerting: boolean;
  readonly segments: number;
  readonly spans: number;
  readonly clientsResolved: number;
  readonly alertOnly: boolean;
  readonly lag: number;
  readonly largestLag: number;
}

export interface Detector extends Service {
  status(): Promise<DetectorStatus>;
  /** Resolves after stop(); rejects when the role fails by itself. */
  readonly ended: Promise<void>;
}

/** Stream time moves in steps, so that closes do not depend on how records were grouped into batches. */
const STEP_MS = 100;
const PROBE_MS = 1_000;

export function createDetector(
  config: {
    readonly assembly: AssemblyConfig;
    readonly detector: DetectorConfig;
    /** Whether the spans of every trace are stored; if not, what a later verdict makes worth keeping is looked up. */
    readonly keepsAll: boolean;
  },
  deps: DetectorDeps,
): Detector {
  const { log, store, versions, inventory, logger, metrics } = deps;
  const segmentsJudged = metrics.counter(
    'detector_segments_total',
    'Segments judged for the first time, by whether the client is known',
  );
  const resolved = segmentsJudged.with({ client: 'known' });
  const unresolved = segmentsJudged.with({ client: 'unknown' });
  const spansJudged = metrics.counter('detector_spans_total', 'Spans of segments judged for the first time');
  const findingsSaid = metrics.counter('detector_findings_total', 'Verdicts written to the findings topic');
  const badRecords = metrics.counter('detector_unreadable_total', 'Records and segments that could not be read');
  const insertedSpans = metrics.counter('detector_spans_stored_total', 'Spans handed to ClickHouse');

  const { keepsAll } = config;
  const rows = createRows(store);
  const assignments = new Map<number, Assignment>();
  const positions = new Map<number, number>();
  const steps = new Map<number, number>();
  const commits = new Map<number, number>();
  let findings: NewRecord[] = [];
  let questions: NewRecord[] = [];
  const core: Core = newCore();
  let alertOnly = false;
  let lastFlushMs = deps.now();
  let lastProbeMs = 0;
  let flushing: Promise<void> | undefined;
  let consumer: Consumer | undefined;
  let stopping = false;

  function newCore(): Core {
    const effects: CoreEffects = {
      store(verdict, spans, stored) {
        if (alertOnly) return;
        rows.add(verdict, spans, keepsAll || stored !== 'all' ? stored : 'some');
      },
      finding(verdict, segmentsPerDay) {
        findingsSaid.add(1);
        findings.push({
          kind: RecordKind.verdict,
          key: verdict.id,
          value: encodeJson({ verdict: deps.redact(verdict), segmentsPerDay }),
        });
      },
      collective(counts) {
        findings.push({ kind: RecordKind.collective, key: `${counts.partition}`, value: encodeJson(counts) });
      },
      ask(ask) {
        questions.push({ kind: RecordKind.originAsk, key: ask.producerTraceId, value: encodeJson(ask) });
      },
      answer(answer) {
        questions.push({ kind: RecordKind.originAnswer, key: answer.traceId, value: encodeJson(answer) });
      },
      lookUp(ask) {
        void store.clientsOfTrace(ask.producerTraceId, ask.producerSpanId).then(
          (clients) => core.found(ask, clients),
          () => {}, // the wait decides
        );
      },
      seen(segment, verdict) {
        (verdict.client.address === null ? unresolved : resolved).add(1);
        spansJudged.add(segment.spanCount);
        inventory.see(segment, verdict);
      },
    };
    const { originWaitMs, maxRemembered } = config.detector;
    return createCore(
      { assembly: config.assembly, originWaitMs, maxRemembered },
      { createAssembler: deps.createAssembler, segment: deps.segment, read: deps.read, versionAt: versions.at },
      effects,
    );
  }

  async function assigned(given: Assignment): Promise<number> {
    const { partition, committed } = given;
    assignments.set(partition, given);
    commits.set(partition, committed);
    return startAt(partition, committed);
  }

  /** Where to read from, so that segments which straddle `offset` are whole; what is stored from there on is looked up. */
  async function startAt(partition: number, offset: number): Promise<number> {
    await lookBack(partition, offset);
    core.resume(partition, offset);
    const start = await untilStored(() => rewind(log, 'spans', partition, offset, core.warmUpMs));
    positions.set(partition, start);
    return start;
  }

  /** What is stored of the records from `offset` on: a crash, or a former owner, may have left more than was committed. */
  async function lookBack(partition: number, offset: number): Promise<void> {
    const verdicts = await untilStored(() => store.storedVerdicts(partition, offset));
    const { latest } = await untilStored(() => log.offsets('spans'));
    rows.replay(
      partition,
      verdicts,
      Math.min(latest[partition] ?? offset, offset + verdicts.size + config.detector.replayMargin),
    );
  }

  async function untilStored<T>(call: () => Promise<T>): Promise<T> {
    for (let told = false; ; ) {
      try {
        return await call();
      } catch (error) {
        if (stopping || (error instanceof SpanwardenError && !error.retryable)) throw error;
        if (!told) logger.warn({ err: error }, 'waiting for ClickHouse');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
      }
    }
  }

  function forget(partition: number): void {
    core.drop(partition);
    rows.drop(partition);
    steps.delete(partition);
  }

  function revoked(partition: number): void {
    forget(partition);
    assignments.delete(partition);
    positions.delete(partition);
    commits.delete(partition);
  }

  async function versionsFor(records: readonly LogRecord[]): Promise<void> {
    const load = async (): Promise<void> => {
      await versions.ready(records[0]!.appendMs);
      await versions.ready(records.at(-1)!.appendMs);
    };
    try {
      await load();
    } catch (error) {
      if (versions.at(records.at(-1)!.appendMs) === null) await untilStored(load);
      else logger.warn({ err: error }, 'a baseline version cannot be loaded now; judging by the last one');
    }
  }

  async function batch(partition: number, records: readonly LogRecord[]): Promise<void> {
    await versionsFor(records);
    for (const record of records) {
      advance(partition, record.appendMs);
      take(record);
    }
    positions.set(partition, records.at(-1)!.offset + 1);
    await say();
    await afterBatch();
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

  function advance(partition: number, streamMs: number): void {
    const step = Math.floor(streamMs / STEP_MS);
    if (step <= (steps.get(partition) ?? 0)) return;
    steps.set(partition, step);
    core.advance(partition, step * STEP_MS);
  }

  /** What the core said becomes durable in the log before anything else goes on. */
  async function say(): Promise<void> {
    while (findings.length > 0 || questions.length > 0) {
      const saidFindings = findings;
      const saidQuestions = questions;
      findings = [];
      questions = [];
      await untilLogged(async () => {
        if (saidFindings.length > 0) await log.produce('findings', saidFindings);
        if (saidQuestions.length > 0) await log.produce('spans', saidQuestions);
      });
    }
  }

  async function untilLogged(call: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (stopping || !(error instanceof SpanwardenError) || !error.retryable) throw error;
        await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      }
    }
  }

  async function afterBatch(): Promise<void> {
    const sinceMs = deps.now() - lastFlushMs;
    if (rows.spans >= config.detector.flushSpans || sinceMs >= config.detector.flushMs) flush();
    // reading goes on while rows are inserted, but never further ahead than one batch of them
    if (rows.spans >= 2 * config.detector.flushSpans && !alertOnly) await flushing;
    if (rows.bytes > config.detector.maxUnstoredBytes && !alertOnly) {
      alertOnly = true;
      rows.clear();
      logger.error({}, 'ClickHouse is away: traces are scored and alerted, but not stored until it is back');
    }
    if (alertOnly) await tryReturn();
  }

  function flush(): void {
    lastFlushMs = deps.now();
    flushing ??= (async () => {
      const before = rows.spans;
      await rows.flush();
      insertedSpans.add(before);
      await inventory.flush();
      await commit();
    })()
      .catch((error: unknown) => {
        if (!storeAway) logger.warn({ err: error }, 'rows cannot be stored now; they are kept and tried again');
        storeAway = true;
      })
      .then(() => {
        flushing = undefined;
      });
  }

  let storeAway = false;

  async function commit(): Promise<void> {
    storeAway = false;
    if (alertOnly) return;
    for (const [partition, assignment] of assignments) {
      const floor = Math.min(core.floor(partition), rows.floor(partition), positions.get(partition) ?? 0);
      if (floor <= (commits.get(partition) ?? 0)) continue;
      if (await consumer?.commit(assignment, floor)) commits.set(partition, floor);
    }
  }

  /** Back from alert-only mode: everything since the last commit is read again and stored; ids make it silent. */
  async function tryReturn(): Promise<void> {
    if (deps.now() - lastProbeMs < PROBE_MS) return;
    lastProbeMs = deps.now();
    if (!(await store.reachable().catch(() => false))) return;
    for (const [partition, assignment] of assignments) {
      const from = commits.get(partition) ?? assignment.committed;
      forget(partition);
      consumer?.seek(partition, await startAt(partition, from));
    }
    alertOnly = false;
    logger.info({}, 'ClickHouse is back: reading again from the last commit');
  }

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  ended.catch(() => {}); // whoever waits for it hears of it

  return {
    name: 'detector',
    ended,
    async start() {
      metrics.gauge('detector_unstored_bytes', 'Bytes of rows that are not durable yet', () => rows.bytes);
      consumer = log.consumer({
        topic: 'spans',
        group: 'detector',
        idleMs: STEP_MS,
        handler: {
          assigned,
          revoked,
          batch,
          async idle(partition, nowMs) {
            await versions.ready(nowMs).catch(() => {});
            advance(partition, nowMs);
            await say();
            await afterBatch();
          },
        },
      });
      await consumer.start();
      consumer.ended.then(end, fail);
    },
    async stop(deadlineMs) {
      stopping = true;
      const endMs = deps.now() + deadlineMs;
      for (const partition of assignments.keys()) consumer?.pause(partition);
      await flushing;
      flush();
      await flushing;
      await consumer?.stop(Math.max(0, endMs - deps.now()));
    },
    async status() {
      const lag = [...((await consumer?.lag()) ?? new Map<number, number>()).values()];
      const known = segmentsJudged.value({ client: 'known' });
      const segments = segmentsJudged.value();
      return {
        version: versions.latest?.version ?? '',
        alerting: versions.latest?.alerting ?? false,
        segments,
        spans: spansJudged.value(),
        clientsResolved: segments === 0 ? 0 : known / segments,
        alertOnly,
        lag: lag.reduce((a, b) => a + b, 0),
        largestLag: Math.max(0, ...lag),
      };
    },
  };
}
