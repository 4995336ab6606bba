/**
 * The trainer role: spans in, baseline versions out. Scores each settled segment first, learns it after; publishes a
 * version when enough was learned, then says so over the `baselines` topic. Commits the offset that the version includes
 * and nothing else, so that a restart goes on from the last version.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { Learning, Progress } from '../baseline/learning/learning.ts';
import { type BaselineEntry, JudgementStage } from '../baseline/model.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import type { Assignment, Consumer, Log, LogRecord } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { TrainerConfig } from '../schemas/config/trainer.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { VersionAnnouncement } from '../schemas/log/version.ts';
import type { SegmentAssembler } from '../traces/assembly/assembler.ts';
import type { AssemblerSink } from '../traces/assembly/contract.ts';
import type { Segment, SegmentSpans } from '../traces/segment.ts';
import { createCutBook } from './cut.ts';

export interface TrainerStore {
  /** Everything of the version becomes durable; the same version twice changes nothing. */
  insertVersion(
    baseline: Baseline,
    previous: readonly BaselineEntry[],
    partials: ReadonlyMap<number, Uint8Array>,
  ): Promise<void>;
  /** The newest published version with its entries and the partials of its partitions; null before the first. */
  latestVersion(): Promise<PublishedVersion | null>;
}

export interface PublishedVersion {
  readonly baseline: Baseline;
  readonly entries: readonly BaselineEntry[];
  readonly partials: ReadonlyMap<number, Uint8Array>;
}

export interface TrainerDeps {
  readonly log: Log;
  readonly store: TrainerStore;
  readonly learning: Learning;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  createAssembler(sink: AssemblerSink): SegmentAssembler;
  readonly segment: Segment;
  read(spans: SegmentSpans, into: Segment): boolean;
}

export interface TrainerStatus {
  readonly version: string;
  readonly alerting: boolean;
  readonly progress: Progress;
  /** What keeps alerts from starting, in words; empty when they can. */
  readonly learning: readonly string[];
  readonly lag: number;
}

export interface Trainer extends Service {
  status(): Promise<TrainerStatus>;
  /** Resolves after stop(); rejects when the role fails by itself. */
  readonly ended: Promise<void>;
}

/** p* below which a segment is counted in quarantine (DETECTION §7). */
const QUARANTINE_P = 1e-4;
const RETRY_MS = 1_000;

export function createTrainer(config: TrainerConfig, deps: TrainerDeps): Trainer {
  const { log, store, learning, logger, metrics, segment } = deps;
  const learned = metrics.counter(
    'trainer_segments_learned_total',
    'Segments learned, by whether they were quarantined',
  );
  const learnedPlain = learned.with({ quarantined: 'no' });
  const learnedQuarantined = learned.with({ quarantined: 'yes' });
  const unreadable = metrics.counter('trainer_segments_unreadable_total', 'Segments that could not be read');
  const published = metrics.counter('trainer_versions_total', 'Baseline versions published');

  const cuts = createCutBook();
  const assignments = new Map<number, Assignment>();
  const positions = new Map<number, number>();
  let latest: PublishedVersion | null | undefined;
  let baseline: Baseline | null = null;
  let entries: readonly BaselineEntry[] = [];
  let lastPublishMs = deps.now();
  let lastSegments = 0;
  let publishing: Promise<void> | undefined;
  let consumer: Consumer | undefined;
  let stopping = false;

  const assembler = deps.createAssembler({
    closed: () => {},
    withdrawn: () => {},
    reused: () => {},
    forgotten: () => {},
    settled(spans) {
      if (cuts.takes(spans)) learn(spans);
    },
  });

  function learn(spans: SegmentSpans): void {
    if (!deps.read(spans, segment)) {
      unreadable.add(1);
      return;
    }
    const quarantined = baseline !== null && baseline.judge(segment, JudgementStage.absence).p < QUARANTINE_P;
    learning.learn(segment, spans, quarantined);
    (quarantined ? learnedQuarantined : learnedPlain).add(1);
  }

  async function assigned(given: Assignment): Promise<number> {
    latest ??= await untilStored(() => store.latestVersion());
    const { partition } = given;
    assignments.set(partition, given);
    let start = given.committed;
    if (latest !== null) {
      baseline ??= latest.baseline;
      entries = latest.entries;
      const partial = latest.partials.get(partition);
      if (partial !== undefined) {
        learning.restore(partition, partial);
        start = latest.baseline.manifest.offsets[partition] ?? start;
        lastSegments = learning.progress().segments;
        logger.info(
          { partition, version: latest.baseline.version, offset: start },
          'learning goes on from the last version',
        );
      }
    }
    assembler.resume(partition, start);
    const from = await rewind(log, 'spans', partition, start, assembler.warmUpMs);
    positions.set(partition, from);
    return from;
  }

  async function untilStored<T>(call: () => Promise<T>): Promise<T> {
    for (let told = false; ; ) {
      try {
        return await call();
      } catch (error) {
        if (stopping || (error instanceof SpanwardenError && !error.retryable)) throw error;
        if (!told) logger.warn({ err: error }, 'waiting for ClickHouse');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  function revoked(partition: number): void {
    assembler.drop(partition);
    learning.drop(partition);
    cuts.drop(partition);
    assignments.delete(partition);
    positions.delete(partition);
  }

  async function batch(partition: number, records: readonly LogRecord[]): Promise<void> {
    for (const record of records) {
      if (record.kind === RecordKind.spans) assembler.add(partition, record.offset, record.appendMs, record.value);
    }
    const last = records.at(-1)!;
    positions.set(partition, last.offset + 1);
    assembler.advance(partition, last.appendMs);
    step();
    if ((cuts.current?.held.length ?? 0) > config.maxQueued) await publishing;
  }

  /** Begins a cut when a version is due, and publishes when the cut is complete. */
  function step(): void {
    if (publishing !== undefined) return;
    if (cuts.current === null) {
      if (isDue()) cuts.begin(positions);
      else return;
    }
    if (!cuts.complete((partition) => assembler.unsettledFloor(partition))) return;
    publishing = publish()
      .catch((error: unknown) =>
        logger.error({ err: error }, 'a baseline version could not be published; learning goes on'),
      )
      .finally(() => {
        publishing = undefined;
        for (const spans of cuts.end()) learn(spans);
        lastPublishMs = deps.now();
      });
  }

  function isDue(): boolean {
    const sinceMs = deps.now() - lastPublishMs;
    if (sinceMs < (baseline === null ? RETRY_MS : config.publishEveryMs)) return false;
    const { segments, missing } = learning.progress();
    if (missing.length > 0) return false;
    if (baseline === null || !baseline.manifest.alerting) return segments > 1.05 * lastSegments;
    if (segments >= lastSegments * (1 + config.publishGrowth)) return true;
    return sinceMs >= config.publishAtLeastMs && segments > lastSegments;
  }

  async function publish(): Promise<void> {
    const cut = cuts.current!;
    const partitions = await log.partitions('spans');
    const offsets = Array.from({ length: partitions }, (_, partition) => cut.offsets.get(partition) ?? 0);
    const startedMs = performance.now();
    const steps = learning.publishing({ parent: baseline?.version ?? '', previous: entries, offsets });
    let made: Baseline;
    for (;;) {
      const turn = steps.next();
      if (turn.done === true) {
        made = turn.value;
        break;
      }
      await new Promise((resolve) => setImmediate(resolve)); // other roles in this process go on
    }
    const partials = new Map([...cut.offsets.keys()].map((partition) => [partition, learning.encode(partition)]));
    await untilStored(() => store.insertVersion(made, entries, partials));
    const announcement: VersionAnnouncement = {
      version: made.version,
      parent: made.manifest.parent,
      offsets,
      segments: made.manifest.segments,
      alerting: made.manifest.alerting,
    };
    await untilStored(() =>
      log.produce('baselines', [{ kind: RecordKind.version, key: made.version, value: encodeJson(announcement) }]),
    );
    for (const [partition, offset] of cut.offsets) {
      const assignment = assignments.get(partition);
      if (assignment !== undefined) await consumer?.commit(assignment, offset);
    }
    baseline = made;
    entries = [...made.entries()];
    lastSegments = made.manifest.segments;
    published.add(1);
    logger.info(
      {
        version: made.version,
        segments: made.manifest.segments,
        alerting: made.manifest.alerting,
        learning: made.manifest.learning,
        ms: Math.round(performance.now() - startedMs),
      },
      'baseline version published',
    );
  }

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  ended.catch(() => {}); // whoever waits for it hears of it

  return {
    name: 'trainer',
    ended,
    async start() {
      consumer = log.consumer({
        topic: 'spans',
        group: 'trainer',
        handler: {
          assigned,
          revoked,
          batch,
          async idle(partition, nowMs) {
            assembler.advance(partition, nowMs);
            step();
          },
        },
      });
      await consumer.start();
      consumer.ended.then(end, fail);
    },
    async stop(deadlineMs) {
      stopping = true;
      await consumer?.stop(deadlineMs);
      await publishing;
    },
    async status() {
      const lag = await consumer?.lag();
      const progress = learning.progress();
      return {
        version: baseline?.version ?? '',
        alerting: baseline?.manifest.alerting ?? false,
        progress,
        learning: baseline?.manifest.learning ?? progress.missing,
        lag: lag === undefined ? 0 : [...lag.values()].reduce((a, b) => a + b, 0),
      };
    },
  };
}
