/**
 * The detector role: spans in; rows in ClickHouse, findings, questions and counts in the log out. Everything a record
 * causes is durable before its offset is committed (ARCHITECTURE decision 7); a crash anywhere is a replay.
 */
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Assignment, Consumer, Log, LogRecord, NewRecord, TopicOffsets } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { AssemblyConfig } from '../schemas/config/assembly.ts';
import type { DetectorConfig } from '../schemas/config/detector.ts';
import type { ActorEvent } from '../schemas/log/actor-event.ts';
import { encodeActorEvents, mostBytes } from '../schemas/log/actor-events-codec.ts';
import { decodeOriginAnswer, decodeOriginAsk, encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind, type TopicName } from '../schemas/log/topics.ts';
import type { ClientRecord, Verdict } from '../schemas/log/verdict.ts';
import type { Segment } from '../traces/segment.ts';
import type { ActorEvents } from './core/actor-events.ts';
import { type Core, type CoreDeps, type CoreEffects, createCore } from './core/core.ts';
import { createLookUps } from './look-ups.ts';
import { beginningAt, type Owned, ownedFrom } from './owned.ts';
import { createRows, type RowStore, type StoredVerdict } from './rows.ts';
import { saidEvents } from './said-events.ts';
import { createStoring } from './storing.ts';
import type { Versions } from './versions.ts';
import { pause, settles, within } from './waits.ts';

export interface DetectorStore extends RowStore {
  /** Newest verdict by id of the segments that begin at `fromOffset` or later, of the day of `sinceMs` and later. */
  storedVerdicts(partition: number, fromOffset: number, sinceMs: number): Promise<ReadonlyMap<string, StoredVerdict>>;
  /** Clients of the segments of a trace; empty when it is not stored. */
  clientsOfTrace(traceId: string, spanId: string): Promise<readonly ClientRecord[]>;
  /** Whether the store answers again. */
  reachable(): Promise<boolean>;
}

export interface Inventory {
  /** Facts of the segment just judged; `counted` is false when a former owner counted its calls. */
  see(segment: Segment, verdict: Verdict, counted: boolean): void;
  /** Writes what is new; may fail, and is then tried again. */
  flush(): Promise<void>;
  /** The partition was taken away, or is read again: what was not written yet is forgotten. */
  drop(partition: number): void;
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

export interface DetectorStatus {
  readonly version: string;
  readonly alerting: boolean;
  readonly segments: number;
  readonly spans: number;
  /** Share of requests whose client is known with more than low confidence; work behind queues does not count. */
  readonly clientsResolved: number;
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

/** Stream time moves in steps, so that closes do not depend on how records were grouped into batches. */
const STEP_MS = 100;
/**
 * On an idle partition wall time moves stream time, but so far behind that no record still on its way into the log carries
 * an earlier append time (a commit of the embedded log takes up to 170 ms): else a replay would close otherwise.
 */
const IDLE_LAG_MS = 300;
const PROBE_MS = 1_000;
/** How near retention is to what is not committed is looked up so often. */
const MARGIN_MS = 10_000;
/** Reading stops for rows on their way into ClickHouse, and for a version, no longer than this: alerts cannot wait. */
const STORE_WAIT_MS = 5_000;
/** Actor events in a record, and their bytes at most: brokers refuse records of a megabyte. */
const MAX_EVENTS = 1_000;
const MAX_EVENT_BYTES = 524_288;

export function createDetector(config: DetectorOptions, deps: DetectorDeps): Detector {
  const { log, store, versions, inventory, logger, metrics } = deps;
  const segmentsJudged = metrics.counter(
    'detector_segments_total',
    'Segments judged for the first time, by whether the client is known: for sure, as a guess, not at all, across a queue',
  );
  const resolved = segmentsJudged.with({ client: 'known' });
  const unsure = segmentsJudged.with({ client: 'unsure' });
  const unresolved = segmentsJudged.with({ client: 'unknown' });
  /** Asked for across a queue: not a matter of what the edge sends. */
  const queued = segmentsJudged.with({ client: 'queued' });
  const spansJudged = metrics.counter('detector_spans_total', 'Spans of segments judged for the first time');
  const findingsSaid = metrics.counter('detector_findings_total', 'Verdicts written to the findings topic');
  const eventsSaid = metrics.counter(
    'detector_actor_events_total',
    'Events written for actors: what was asked and answered, and what was found in it',
  );
  const badRecords = metrics.counter('detector_unreadable_total', 'Records of the spans topic that could not be read');

  const untilReached = createUntilReached({ role: 'detector', logger, isStopping: () => stopping });
  const rows = createRows(store);
  const partitions = new Map<number, Owned>();
  let findings: NewRecord[] = [];
  let questions: NewRecord[] = [];
  /** By partition. */
  const events = new Map<number, ActorEvent[]>();
  const lookUps = createLookUps(
    ({ producerTraceId, producerSpanId }) => store.clientsOfTrace(producerTraceId, producerSpanId),
    (ask, clients) => core.found(ask, clients),
  );
  const core: Core = newCore();
  const storing = createStoring(config.detector, {
    rows,
    partitions,
    flushInventory: () => inventory.flush(),
    reachable: () => store.reachable(),
    commit: async (owned, offset) => (await consumer?.commit(owned.assignment, offset)) ?? false,
    confirmed: () => consumer?.confirmed() ?? false,
    prepareReread,
    logger,
    metrics,
    now: deps.now,
  });
  let lastMarginMs = 0;
  /** What the log held when last looked at. */
  let held: TopicOffsets = { earliest: [], latest: [] };
  let consumer: Consumer | undefined;
  let stopping = false;

  function newCore(): Core {
    const effects: CoreEffects = {
      store(verdict, spans, stored) {
        if (storing.alertOnly) return;
        rows.add(verdict, spans, config.keepsAll || stored !== 'all' ? stored : 'some');
      },
      finding(verdict, segmentsPerDay) {
        findingsSaid.add(1);
        const redacted = deps.redact(verdict);
        findings.push({
          kind: RecordKind.verdict,
          key: verdict.id,
          value: encodeJson({ verdict: redacted, segmentsPerDay }),
        });
        const event = deps.actorEvents.findings(redacted);
        if (event !== null) keepEvent(verdict.partition, event);
      },
      collective(counts) {
        findings.push({ kind: RecordKind.collective, key: `${counts.partition}`, value: encodeJson(counts) });
      },
      judged(counts) {
        findings.push({ kind: RecordKind.judged, key: `${counts.partition}`, value: encodeJson(counts) });
      },
      ask(ask) {
        questions.push({ kind: RecordKind.originAsk, key: ask.producerTraceId, value: encodeJson(ask) });
      },
      answer(answer) {
        questions.push({ kind: RecordKind.originAnswer, key: answer.traceId, value: encodeJson(answer) });
      },
      lookUp(ask) {
        lookUps.add(ask);
      },
      seen(segment, verdict) {
        if (partitions.get(verdict.partition)?.repeats === null)
          keepEvent(verdict.partition, deps.actorEvents.request(segment, verdict));
        if (storing.alertOnly) return; // it will be read again
        const { address, confidence } = verdict.client;
        if (verdict.asynchronous) queued.add(1);
        else if (address === null) unresolved.add(1);
        else (confidence === 'high' || confidence === 'medium' ? resolved : unsure).add(1);
        spansJudged.add(segment.spanCount);
        inventory.see(segment, verdict, !rows.isReplay(verdict));
      },
    };
    const { originWaitMs, maxRemembered } = config.detector;
    return createCore(
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
  }

  // ——— partitions ———

  async function assigned(assignment: Assignment): Promise<number> {
    const { partition } = assignment;
    await settles(STORE_WAIT_MS, storing.settled()); // what was given away may still be on its way into the store
    const start = await startOf(assignment);
    const said = await untilReached(async () => {
      const { latest } = await log.offsets('spans');
      return saidEvents(log, partition, latest[partition]!);
    });
    partitions.set(partition, ownedFrom(assignment, start.offset, said));
    begin(partition, assignment.committed, start);
    return start.offset;
  }

  /** Partitions that are held already must not wait for a store that is away: alerts go on, this one is looked up later. */
  async function startOf(assignment: Assignment): Promise<Start> {
    if (!versions.alerting) return untilReached(() => lookBack(assignment));
    try {
      if (!storing.alertOnly) return await within(STORE_WAIT_MS, lookBack(assignment));
    } catch (error) {
      if (!isRetryable(error)) throw error;
      storing.enterAlertOnly();
    }
    const { partition, committed } = assignment;
    const offset = await untilReached(() => rewind(log, 'spans', partition, committed, core.warmUpMs));
    return { offset, notBeforeMs: 0, verdicts: new Map(), untilOffset: committed };
  }

  interface Start {
    readonly offset: number;
    /** A former owner may still be writing until then. */
    readonly notBeforeMs: number;
    readonly verdicts: ReadonlyMap<string, StoredVerdict>;
    readonly untilOffset: number;
  }

  /**
   * Where to read from, so that segments which straddle the committed offset are whole; and what is stored of the records
   * from there on: a crash, or a former owner, may have left more than was committed.
   */
  async function lookBack({ partition, committed, generation }: Assignment): Promise<Start> {
    const offset = await rewind(log, 'spans', partition, committed, core.warmUpMs);
    const [first] = await log.read('spans', partition, offset, 1);
    const { earliest, latest } = await log.offsets('spans');
    const verdicts =
      first === undefined
        ? new Map<string, StoredVerdict>()
        : await store.storedVerdicts(partition, offset, first.appendMs);
    let last = committed;
    // what lies beyond the end was stored of another log: its topic was made anew
    for (const { firstOffset } of verdicts.values())
      if (firstOffset > last && firstOffset < latest[partition]!) last = firstOffset;
    const isFirst = verdicts.size === 0 && committed <= earliest[partition]! && generation <= 1;
    const notBeforeMs = isFirst ? 0 : deps.now() + config.detector.handOverMs;
    return { offset, notBeforeMs, verdicts, untilOffset: last + config.detector.replayMargin };
  }

  function begin(partition: number, committed: number, { verdicts, untilOffset, notBeforeMs }: Start): void {
    rows.replay(partition, verdicts, untilOffset, notBeforeMs);
    core.resume(partition, committed);
  }

  /** From where each partition would be read again; the function given begins that, unless one was handed over meanwhile. */
  async function prepareReread(): Promise<() => boolean> {
    const starts: [Owned, Start][] = [];
    for (const owned of partitions.values()) {
      starts.push([owned, await lookBack({ ...owned.assignment, committed: owned.committed })]);
    }
    return () => {
      if (starts.length !== partitions.size) return false;
      if (starts.some(([owned]) => partitions.get(owned.assignment.partition) !== owned)) return false;
      for (const [owned, start] of starts) {
        const { partition } = owned.assignment;
        forget(partition);
        begin(partition, owned.committed, start);
        if (owned.repeats === null && owned.eventsSaid !== null) owned.repeats = { until: owned.eventsSaid, own: true };
        Object.assign(owned, beginningAt(start.offset));
        consumer?.seek(partition, start.offset);
      }
      return true;
    };
  }

  function forget(partition: number): void {
    core.drop(partition);
    rows.drop(partition);
    inventory.drop(partition);
    events.delete(partition);
  }

  function revoked(partition: number): void {
    forget(partition);
    deps.actorEvents.drop(partition);
    partitions.delete(partition);
    if (partitions.size === 0) rows.clear(); // the next owner reads them again
  }

  // ——— records ———

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
    await say(owned);
    lookAtRetention();
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
    await say(owned);
    lookAtRetention();
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

  /** What was said before is not said again; of findings only what its own process does not know to have told. */
  function keepEvent(partition: number, event: ActorEvent): void {
    const owned = partitions.get(partition);
    if (owned === undefined || owned.repeats?.own === false) return;
    const kept = events.get(partition);
    if (kept === undefined) events.set(partition, [event]);
    else kept.push(event);
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
        if (stopping) throw new SpanwardenError('STOPPED', 'the detector is stopping', { cause: error });
        if (!isRetryable(error)) throw error;
        if (deps.now() - began >= 2 * STORE_WAIT_MS) storing.enterAlertOnly();
        else await pause(PROBE_MS);
      }
    }
  }

  /** What the core said becomes durable in the log before anything else goes on. */
  async function say(owned: Owned): Promise<void> {
    const { partition } = owned.assignment;
    while (findings.length > 0 || questions.length > 0 || events.has(partition)) {
      const newEvents = actorRecords(owned);
      const saidFindings = findings;
      const saidQuestions = questions;
      findings = [];
      questions = [];
      // one by one: what is in the log is not written again because the next cannot be
      await untilLogged('actor-events', newEvents);
      await untilLogged('findings', saidFindings);
      await untilLogged('spans', saidQuestions);
    }
    owned.said = Math.min(core.floor(owned.assignment.partition), owned.position);
  }

  /** The last record says how far the partition is read now: only then all of them are in the log. */
  function actorRecords(owned: Owned): NewRecord[] {
    const { partition } = owned.assignment;
    const said = events.get(partition) ?? [];
    if (said.length === 0) return [];
    events.delete(partition);
    for (const { part } of said) eventsSaid.add(1, { part });
    const before = owned.eventsSaid ?? { partition, position: 0, step: 0 };
    if (owned.repeats === null) owned.eventsSaid = { partition, position: owned.position, step: owned.step };
    const records: NewRecord[] = [];
    for (let from = 0; from < said.length; ) {
      let to = from;
      for (let bytes = 0; to < said.length && to - from < MAX_EVENTS; to++) {
        bytes += mostBytes(said[to]!);
        if (bytes > MAX_EVENT_BYTES && to > from) break;
      }
      const reached = to < said.length ? before : (owned.eventsSaid ?? before);
      const value = encodeActorEvents(reached, said.slice(from, to));
      records.push({ kind: RecordKind.actorEvents, key: '', value, partition: 0 });
      from = to;
    }
    return records;
  }

  async function untilLogged(topic: TopicName, records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (;;) {
      try {
        return await log.produce(topic, records);
      } catch (error) {
        if (stopping || !isRetryable(error)) throw error;
        await pause(STEP_MS);
      }
    }
  }

  // ——— retention ———

  /** Beside everything else: records that retention removes before they are committed are lost to a replay. */
  function lookAtRetention(): void {
    const nowMs = deps.now();
    if (nowMs - lastMarginMs < MARGIN_MS) return;
    lastMarginMs = nowMs;
    log.offsets('spans').then(
      (offsets) => {
        held = offsets;
      },
      () => {}, // the next look will tell
    );
  }

  function retentionMargin(partition: number, { committed }: Owned): number {
    const [from = 0, to = 0] = [held.earliest[partition], held.latest[partition]];
    return to <= from ? 1 : Math.min(1, Math.max(0, committed - from) / (to - from));
  }

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
        () => [...partitions].map(([partition, owned]) => [retentionMargin(partition, owned), { partition }]),
      );
      consumer = log.consumer({
        topic: 'spans',
        group: 'detector',
        idleMs: STEP_MS,
        handler: { assigned, revoked, batch, idle },
      });
      await consumer.start();
      consumer.ended.then(end, (error: unknown) => (stopping ? end() : fail(error)));
    },
    async stop(deadlineMs) {
      if (stopping) return ended.catch(() => {});
      stopping = true;
      const endMs = deps.now() + deadlineMs;
      for (const partition of partitions.keys()) consumer?.pause(partition);
      await within(deadlineMs, storing.drain()).catch(() => {}); // the next run stores it
      await consumer?.stop(Math.max(0, endMs - deps.now()));
      if (consumer === undefined) end();
    },
    owns: (partition) => partitions.has(partition),
    async status() {
      const lag = [...((await consumer?.lag()) ?? new Map<number, number>()).values()];
      const known = segmentsJudged.value({ client: 'known' });
      const segments = segmentsJudged.value();
      const asked = segments - segmentsJudged.value({ client: 'queued' });
      return {
        version: versions.latest?.version ?? '',
        alerting: versions.alerting,
        segments,
        spans: spansJudged.value(),
        clientsResolved: asked === 0 ? 0 : known / asked,
        alertOnly: storing.alertOnly,
        lag: lag.reduce((a, b) => a + b, 0),
        largestLag: Math.max(0, ...lag),
      };
    },
  };
}
