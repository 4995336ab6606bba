/**
 * Detector and responder in a world that a test moves by hand: a log in memory, a clock, a store that counts every row. A
 * process may be killed between any two writes; the log and the store stay.
 */

import type { BaselineEntry } from '../../../baseline/model.ts';
import { createActorEvents } from '../../../detector/core/actor-events.ts';
import { createKeyedHash } from '../../../detector/core/keyed-hash.ts';
import type { RowBatch, StoredVerdict } from '../../../detector/rows.ts';
import { createDetector } from '../../../detector/service.ts';
import { createVersions } from '../../../detector/versions.ts';
import { createResponder } from '../../../responder/service.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import { createMemoryStore } from '../../../runtime/log/memory-store.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { Alert, Incident } from '../../../schemas/alerts/incident.ts';
import { actorsSection } from '../../../schemas/config/actors.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { detectorSection } from '../../../schemas/config/detector.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { incidentsSection } from '../../../schemas/config/responder.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { decodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { Verdict } from '../../../schemas/log/verdict.ts';
import { createSpanHead, readSpanHead } from '../../../schemas/otlp/read-span.ts';
import { hexOfPair } from '../../../schemas/otlp/text.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createSensitiveTest } from '../../../traces/redaction/names.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';
import { EPOCH_MS, tracesData, type WireSpan } from '../traces/otlp.ts';
import { loadInto, newKit } from './traffic.ts';

export const ASSEMBLY = assemblySection.parse({
  graceMs: 1_000,
  absenceGraceMs: 3_000,
  idleMs: 6_000,
  maxAgeMs: 12_000,
  lateMs: 8_000,
});

export interface WorldOptions {
  readonly versions: ReadonlyMap<string, readonly BaselineEntry[]>;
  readonly partitions?: number;
  readonly maxUnstoredBytes?: number;
}

/** Rows as ClickHouse would keep them before any merge. */
export interface Rows {
  /** Times that each span was inserted, by trace id + span id. */
  readonly spans: Map<string, number>;
  readonly verdicts: Map<string, Verdict[]>;
  readonly incidents: Map<string, Incident>;
  readonly alerts: Map<string, Set<string>>;
  /** Segments judged by hour and version. */
  readonly judged: Map<string, number>;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

export async function createWorld(options: WorldOptions) {
  let nowMs = EPOCH_MS;
  const now = (): number => nowMs;
  const logStore = createMemoryStore({ now });
  const outside = createMemoryLog({ now, store: logStore });
  await outside.ensureTopic('spans', { partitions: options.partitions ?? 1, retentionMs: 1e9 });
  for (const topic of ['findings', 'actor-events', 'baselines'] as const)
    await outside.ensureTopic(topic, { partitions: 1, retentionMs: 1e9 });

  const rows: Rows = {
    spans: new Map(),
    verdicts: new Map(),
    incidents: new Map(),
    alerts: new Map(),
    judged: new Map(),
  };
  let snapshot: { nextOffset: number; state: string } | null = null;
  let away = false;
  let writes = 0;
  let dieAtWrite = Number.POSITIVE_INFINITY;
  let process: Process | undefined;
  const failures: unknown[] = [];

  interface Process {
    readonly log: MemoryLog;
    alive: boolean;
    readonly died: Promise<void>;
    readonly detector: ReturnType<typeof createDetector>;
    readonly die: () => void;
  }

  const gone = <T>(): Promise<T> => new Promise<T>(() => {});

  /** A write of `owner`: it may find the store away, or be the one during which the process dies. */
  async function write(owner: { alive: boolean }, effect: () => void): Promise<void> {
    await Promise.resolve();
    if (!owner.alive) return gone();
    if (away) throw unavailable();
    writes++;
    effect();
    if (writes >= dieAtWrite) {
      kill();
      return gone();
    }
  }

  async function readBack<T>(owner: { alive: boolean }, effect: () => T): Promise<T> {
    await Promise.resolve();
    if (!owner.alive) return gone();
    if (away) throw unavailable();
    return effect();
  }

  function createBatch(owner: { alive: boolean }): RowBatch {
    let spans: { readonly key: string; readonly partition: number }[] = [];
    let verdicts: Verdict[] = [];
    /** Spans and verdicts whose insert is under way. */
    let sending = [0, 0];
    return {
      add(segment, verdict, known) {
        for (const key of segment === null ? [] : keysOf(segment)) {
          const spanId = key.slice(32);
          if (known?.has(spanId)) continue;
          known?.add(spanId);
          spans.push({ key, partition: verdict.partition });
        }
        verdicts.push(verdict);
      },
      drop(partition) {
        spans = spans.filter((span, i) => i < sending[0]! || span.partition !== partition);
        verdicts = verdicts.filter((verdict, i) => i < sending[1]! || verdict.partition !== partition);
      },
      get spans() {
        return spans.length;
      },
      get bytes() {
        return 400 * spans.length + 300 * verdicts.length;
      },
      async flush() {
        const verdictCount = verdicts.length;
        try {
          if (spans.length > 0) {
            const sent = spans.slice();
            sending = [sent.length, 0];
            await write(owner, () => {
              for (const { key } of sent) rows.spans.set(key, (rows.spans.get(key) ?? 0) + 1);
            });
            spans = spans.slice(sent.length);
          }
          if (verdictCount > 0) {
            const sent = verdicts.slice(0, verdictCount);
            sending = [0, sent.length];
            await write(owner, () => {
              for (const verdict of sent) {
                const known = rows.verdicts.get(verdict.id) ?? [];
                known.push(verdict);
                rows.verdicts.set(verdict.id, known);
              }
            });
            verdicts = verdicts.slice(sent.length);
          }
        } finally {
          sending = [0, 0];
        }
      },
    };
  }

  /** A write into the log is one that the process may die after, too. */
  const mortal = (owner: { alive: boolean }, log: MemoryLog): MemoryLog => ({
    ...log,
    async produce(topic, records) {
      await log.produce(topic, records);
      if (!owner.alive) return gone();
      writes++;
      if (writes >= dieAtWrite) {
        kill();
        return gone();
      }
    },
  });

  function kill(): void {
    if (process === undefined) return;
    process.alive = false;
    process.log.crash();
    process.die();
    process = undefined;
    dieAtWrite = Number.POSITIVE_INFINITY;
  }

  async function start(): Promise<void> {
    const owner = { alive: true };
    const { promise: died, resolve: die } = Promise.withResolvers<void>();
    const log = createMemoryLog({ now, store: logStore });
    const logger = createLogger({ name: 'test', level: 'silent' });
    const metrics = createMetrics();
    const kit = newKit();
    const detector = createDetector(
      {
        assembly: ASSEMBLY,
        detector: {
          ...detectorSection.parse({ originWaitMs: 2_000, flushMs: 300 }),
          // below what the configuration allows, so that a few requests are too many
          ...(options.maxUnstoredBytes !== undefined && { maxUnstoredBytes: options.maxUnstoredBytes }),
        },
        keepsAll: true,
      },
      {
        log: mortal(owner, log),
        store: {
          createBatch: () => createBatch(owner),
          storedSpanIds: (traceIds) =>
            readBack(owner, () => {
              const found = new Map<string, Set<string>>();
              for (const key of rows.spans.keys()) {
                const traceId = key.slice(0, 32);
                if (!traceIds.includes(traceId)) continue;
                found.set(traceId, (found.get(traceId) ?? new Set()).add(key.slice(32)));
              }
              return found;
            }),
          storedVerdicts: (partition, fromOffset) =>
            readBack(owner, () => {
              const found = new Map<string, StoredVerdict>();
              for (const [id, all] of rows.verdicts) {
                const { revision, spanCount, firstOffset, partition: own } = newest(all);
                if (own === partition && firstOffset >= fromOffset) found.set(id, { revision, spanCount, firstOffset });
              }
              return found;
            }),
          clientsOfTrace: (traceId) =>
            readBack(owner, () => {
              for (const all of rows.verdicts.values()) {
                const verdict = newest(all);
                if (verdict.traceId === traceId && verdict.state !== 'withdrawn')
                  return verdict.originState === 'known' ? verdict.origins : [verdict.client];
              }
              return [];
            }),
          reachable: () => readBack(owner, () => true),
        },
        versions: createVersions({
          log,
          logger,
          now,
          load: (version) => readBack(owner, () => loadInto(options.versions.get(version)!, kit)),
        }),
        inventory: { see: () => {}, flush: async () => {}, drop: () => {} },
        redact: (verdict) => verdict,
        actorEvents: createActorEvents(actorsSection.parse({}), {
          symbols: kit.symbols,
          redactor: createRedactor(redactionSection.parse({})),
          hash: createKeyedHash('', 'objects'),
        }),
        createAssembler: (sink) => createAssembler(ASSEMBLY, { sink }),
        segment: kit.segment,
        read: kit.reader.read,
        isSensitive: createSensitiveTest(redactionSection.parse({})),
        logger,
        metrics,
        now,
      },
    );
    const responder = createResponder(
      { incidents: incidentsSection.parse({}), alerts: alertsSection.parse({}), database: 'test' },
      {
        log,
        store: {
          insertIncidents: (incidents) =>
            write(owner, () => {
              for (const incident of incidents) {
                const before = rows.incidents.get(incident.id);
                if (before === undefined || before.revision <= incident.revision)
                  rows.incidents.set(incident.id, incident);
              }
            }),
          insertAlerts: (alerts) =>
            write(owner, () => {
              for (const { id, body } of alerts) rows.alerts.set(id, (rows.alerts.get(id) ?? new Set()).add(body));
            }),
          insertDeliveries: () => write(owner, () => {}),
          insertIncidentActions: () => write(owner, () => {}),
          insertDigest: () => write(owner, () => {}),
          insertJudgedHours: (hours) =>
            write(owner, () => {
              for (const hour of hours) {
                const key = `${hour.hourMs} ${hour.version}`;
                rows.judged.set(key, Math.max(rows.judged.get(key) ?? 0, hour.segments));
              }
            }),
          insertBudget: () => write(owner, () => {}),
          saveSnapshot: (nextOffset, state) =>
            write(owner, () => {
              snapshot = { nextOffset, state };
            }),
          loadSnapshot: () => readBack(owner, () => snapshot),
          recentDeliveries: () => readBack(owner, (): { alert: Alert; delivery: never }[] => []),
        },
        createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
        logger,
        metrics,
        now,
        random: () => 0,
      },
    );
    process = Object.assign(owner, { log, detector, died, die });
    const current = process;
    for (const role of [detector, responder]) {
      role.ended.catch((error: unknown) => {
        if (current.alive) failures.push(error);
      });
      await role.start();
    }
    await settle();
  }

  async function settle(): Promise<void> {
    // rows are inserted beside the handlers: until nothing more comes of it
    for (let round = 0; round < 3; round++) {
      await Promise.race([process?.log.settled(), process?.died]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Moves the clock, in small steps, as long polls would. */
  async function pass(ms: number, stepMs = 200): Promise<void> {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + stepMs);
      await Promise.race([process?.log.tick(), process?.died]);
      await settle();
    }
  }

  return {
    rows,
    outside,
    now,
    start,
    kill,
    pass,
    get running() {
      return process !== undefined;
    },
    get detector() {
      return process?.detector;
    },
    get snapshotBytes() {
      return snapshot?.state.length ?? 0;
    },
    /** The process dies during the `count`-th write from now. */
    dieAfterWrites(count: number) {
      dieAtWrite = writes + count;
    },
    setAway(value: boolean) {
      away = value;
    },
    /** What the collector writes: one record a trace. */
    async send(spans: readonly WireSpan[]): Promise<void> {
      const byTrace = new Map<string, WireSpan[]>();
      for (const span of spans) byTrace.set(span.traceId!, [...(byTrace.get(span.traceId!) ?? []), span]);
      await outside.produce(
        'spans',
        [...byTrace].map(([key, own]) => ({ kind: RecordKind.spans, key, value: tracesData(own) })),
      );
    },
    /** Events for actors as the log holds them. */
    async events(): Promise<ActorEvent[]> {
      const { latest } = await outside.offsets('actor-events');
      const records = await outside.read('actor-events', 0, 0, latest[0]! + 1);
      return records.flatMap(({ value }) => decodeActorEvents(value)!);
    },
    async announce(version: string, alerting = true): Promise<void> {
      const announcement = { version, parent: '', offsets: [0], segments: 1, alerting };
      await outside.produce('baselines', [{ kind: RecordKind.version, key: version, value: encodeJson(announcement) }]);
    },
    committed: async (partition = 0): Promise<number> => {
      const joined = await logStore.write('memory', [
        { type: 'join', topic: 'spans', group: 'detector', member: 'a look', leaseMs: 0, from: 'earliest' },
      ]);
      return (joined[0] as { committed?: readonly number[] }).committed?.[partition] ?? -1;
    },
  };
}

const unavailable = (): Error => new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'away');

/** The row a merge would leave: the highest revision, of equals the last. */
export const newest = (all: readonly Verdict[]): Verdict =>
  all.reduce((best, one) => (one.revision >= best.revision ? one : best));

function keysOf(spans: SegmentSpans): string[] {
  const keys: string[] = [];
  const head = createSpanHead();
  for (let i = 0; i < spans.spanCount; i++) {
    const at = i * PLACE_STRIDE;
    readSpanHead(spans.records[spans.places[at]!]!, spans.places[at + 5]!, spans.places[at + 6]!, head);
    keys.push(spans.traceId + hexOfPair(head.spanIdHigh, head.spanIdLow));
  }
  return keys;
}
