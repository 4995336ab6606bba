/**
 * The trainer role: spans in, baseline versions out. Scores each settled segment first, learns it after; publishes a
 * version when enough was learned, then says so over the `baselines` topic. Commits the offset that the version includes
 * and nothing else, so that a restart goes on from the last version.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { Learning, Progress } from '../baseline/learning/learning.ts';
import { type BaselineEntry, JudgementStage } from '../baseline/model.ts';
import { levelsFromEntries, levelsToEntries } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Assignment, Consumer, Log, LogRecord } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { TrainerConfig } from '../schemas/config/trainer.ts';
import { decodeVersionAnnouncement, encodeJson } from '../schemas/log/codecs.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { VersionAnnouncement } from '../schemas/log/version.ts';
import type { SegmentAssembler } from '../traces/assembly/assembler.ts';
import type { AssemblerSink } from '../traces/assembly/contract.ts';
import { levelKey, type PathTemplates } from '../traces/operations/learned-templates.ts';
import type { PathTrie } from '../traces/operations/path-trie.ts';
import type { Segment, SegmentSpans } from '../traces/segment.ts';
import { createCutBook } from './cut.ts';
import type { TemplateBook } from './templates.ts';

export interface TrainerStore {
  /** Everything of the version becomes durable; the same version twice changes nothing. */
  insertVersion(
    baseline: Baseline,
    previous: readonly BaselineEntry[],
    partials: ReadonlyMap<number, Uint8Array>,
    paths: ReadonlyMap<number, Uint8Array>,
  ): Promise<void>;
  /** The newest published version with its entries and the partials of its partitions; null before the first. */
  latestVersion(): Promise<PublishedVersion | null>;
}

export interface PublishedVersion {
  readonly baseline: Baseline;
  readonly entries: readonly BaselineEntry[];
  readonly partials: ReadonlyMap<number, Uint8Array>;
  /** Paths that templates are learned from, by partition. */
  readonly paths: ReadonlyMap<number, Uint8Array>;
}

export interface TrainerDeps {
  readonly log: Log;
  readonly store: TrainerStore;
  readonly learning: Learning;
  /** What segments are learned with; calibration must read them with the same. */
  readonly templates: TemplateBook;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  createAssembler(sink: AssemblerSink): SegmentAssembler;
  readonly segment: Segment;
  read(spans: SegmentSpans, into: Segment, templates: PathTemplates, paths?: PathTrie): boolean;
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
/** Times that learning begins anew for path templates found before the first version; later ones wait for the next version. */
const MAX_RELEARNED = 2;
/** Whether a version is due is looked at so often: it takes a merge of all distinct counters. */
const LOOK_MS = 1_000;
/** Held segments learned in one go after a version was made, before others get their turn. */
const LEARN_AT_ONCE = 100;
/** Announcements looked through at start for that of the last version. */
const RECENT_ANNOUNCEMENTS = 1_000;

export function createTrainer(config: TrainerConfig, deps: TrainerDeps): Trainer {
  const { log, store, learning, templates, logger, metrics, segment } = deps;
  const learned = metrics.counter(
    'trainer_segments_learned_total',
    'Segments learned, by whether they were quarantined',
  );
  const learnedPlain = learned.with({ quarantined: 'no' });
  const learnedQuarantined = learned.with({ quarantined: 'yes' });
  const unreadable = metrics.counter('trainer_segments_unreadable_total', 'Segments that could not be read');
  const published = metrics.counter('trainer_versions_total', 'Baseline versions published');

  const untilReached = createUntilReached({ role: 'trainer', logger, isStopping: () => stopping });
  const cuts = createCutBook();
  const assignments = new Map<number, Assignment>();
  const positions = new Map<number, number>();
  /** Of the topic; no version is cut before all are held. */
  let partitionCount = Number.POSITIVE_INFINITY;
  let latest: PublishedVersion | null | undefined;
  let baseline: Baseline | null = null;
  let entries: readonly BaselineEntry[] = [];
  let lastPublishMs = deps.now();
  let lastSegments = 0;
  let lastLookMs = 0;
  let publishing: Promise<void> | undefined;
  let relearning: Promise<void> | undefined;
  let relearned = 0;
  /** Latest append time of what was learned. */
  let learnedMs = 0;
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
    const { current } = templates;
    // judged as the version reads it, learned as the next one will
    const differs = baseline !== null && baseline.templates.key !== current.key;
    let quarantined = differs && deps.read(spans, segment, baseline!.templates) && isSuspect();
    if (!deps.read(spans, segment, current, templates.pathsOf(spans.partition))) {
      unreadable.add(1);
      return;
    }
    if (!differs) quarantined = isSuspect();
    learnedMs = Math.max(learnedMs, spans.appendMs);
    learning.learn(segment, spans, quarantined);
    (quarantined ? learnedQuarantined : learnedPlain).add(1);
  }

  const isSuspect = (): boolean =>
    baseline !== null && baseline.judge(segment, JudgementStage.absence).p < QUARANTINE_P;

  async function assigned(given: Assignment): Promise<number> {
    const { partition } = given;
    const last = await newestVersion();
    const { latest: ends } = await untilReached(() => log.offsets('spans'));
    partitionCount = ends.length;
    let start = given.committed;
    const partial = last?.partials.get(partition);
    if (last !== null && partial !== undefined) {
      learning.restore(partition, partial);
      const paths = last.paths.get(partition);
      if (paths !== undefined) templates.restore(partition, paths);
      start = last.baseline.manifest.offsets[partition] ?? start;
      lastSegments = learning.progress().segments;
      logger.info(
        { partition, version: last.baseline.version, offset: start },
        'learning goes on from the last version',
      );
    }
    if (start > ends[partition]!) {
      logger.error(
        { partition, offset: start, end: ends[partition] },
        'the last version was learned from another log: learning goes on from the commit in this one',
      );
      start = given.committed;
    }
    const from = await untilReached(() => rewind(log, 'spans', partition, start, assembler.warmUpMs));
    assembler.resume(partition, start);
    assignments.set(partition, given);
    positions.set(partition, from);
    return from;
  }

  /** The version to go on from, read when the first partition is taken over. */
  async function newestVersion(): Promise<PublishedVersion | null> {
    if (latest !== undefined) return latest;
    const found = await untilReached(() => store.latestVersion());
    if (found !== null) {
      baseline = found.baseline;
      entries = found.entries;
      templates.take(levelsFromEntries(entries));
      await untilReached(() => announceAgain(found.baseline));
    }
    latest = found;
    return found;
  }

  /** A crash between a version's rows and its announcement would keep it from the detectors. */
  async function announceAgain(made: Baseline): Promise<void> {
    const { earliest, latest: ends } = await log.offsets('baselines');
    const from = Math.max(earliest[0] ?? 0, (ends[0] ?? 0) - RECENT_ANNOUNCEMENTS);
    const recent = await log.read('baselines', 0, from, RECENT_ANNOUNCEMENTS);
    if (!recent.some(({ value }) => decodeVersionAnnouncement(value)?.version === made.version)) await announce(made);
  }

  async function announce({ version, manifest }: Baseline): Promise<void> {
    const { parent, offsets, segments, alerting } = manifest;
    const announcement: VersionAnnouncement = { version, parent, offsets, segments, alerting };
    await log.produce('baselines', [{ kind: RecordKind.version, key: version, value: encodeJson(announcement) }]);
  }

  function revoked(partition: number): void {
    assembler.drop(partition);
    learning.drop(partition);
    templates.drop(partition);
    cuts.drop(partition);
    assignments.delete(partition);
    positions.delete(partition);
    if (assignments.size === 0) latest = undefined; // by the next time another may have published
  }

  async function batch(partition: number, records: readonly LogRecord[]): Promise<void> {
    for (const record of records) {
      if (record.kind === RecordKind.spans) assembler.add(partition, record.offset, record.appendMs, record.value);
    }
    const last = records.at(-1)!;
    positions.set(partition, last.offset + 1);
    assembler.advance(partition, last.appendMs);
    step();
    await relearning;
    if ((cuts.current?.held.length ?? 0) > config.maxQueued) await publishing;
  }

  /** Begins a cut when a version is due, and publishes when the cut is complete. */
  function step(): void {
    if (publishing !== undefined || relearning !== undefined || stopping || positions.size < partitionCount) return;
    if (cuts.current === null) {
      if (!isDue()) return;
      if (baseline?.manifest.alerting !== true && relearned < MAX_RELEARNED) {
        const found = templates.found();
        if (found.key !== templates.current.key) {
          relearning = relearn(found).finally(() => {
            relearning = undefined;
          });
          return;
        }
      }
      cuts.begin(positions);
    }
    if (!cuts.complete((partition) => assembler.unsettledFloor(partition))) return;
    publishing = publish()
      .catch((error: unknown) => {
        if (stopping) return; // the next run cuts it again
        logger.error({ err: error }, 'a baseline version could not be published; learning goes on');
      })
      .then(learnHeld)
      .finally(() => {
        publishing = undefined;
        lastPublishMs = deps.now();
      });
  }

  /**
   * Before anything is judged by what was learned, it can be learned again: from the earliest record that the log holds, read
   * with the templates that the first pass found.
   */
  async function relearn(found: PathTemplates): Promise<void> {
    const { earliest } = await untilReached(() => log.offsets('spans'));
    relearned++;
    logger.info(
      { templates: found.levels.map(levelKey) },
      'path templates found: learning begins anew from the earliest record held',
    );
    learning.reset();
    templates.take({ levels: found.levels, coming: [] });
    templates.reset();
    lastSegments = 0;
    for (const partition of assignments.keys()) {
      const from = earliest[partition] ?? 0;
      assembler.drop(partition);
      assembler.resume(partition, from);
      positions.set(partition, from);
      consumer?.seek(partition, from);
    }
  }

  function isDue(): boolean {
    const nowMs = deps.now();
    const sinceMs = nowMs - lastPublishMs;
    if (nowMs - lastLookMs < LOOK_MS || sinceMs < (baseline === null ? RETRY_MS : config.publishEveryMs)) return false;
    lastLookMs = nowMs;
    const { segments, missing } = learning.progress();
    if (missing.length > 0) return false;
    if (baseline === null || !baseline.manifest.alerting) return segments > 1.05 * lastSegments;
    if (segments >= lastSegments * (1 + config.publishGrowth)) return true;
    return sinceMs >= config.publishAtLeastMs && segments > lastSegments;
  }

  async function publish(): Promise<void> {
    const cut = cuts.current!;
    const offsets = Array.from({ length: partitionCount }, (_, partition) => cut.offsets.get(partition) ?? 0);
    const startedMs = performance.now();
    const owned = new Map(assignments);
    const levels = templates.plan(learnedMs);
    const extra = levelsToEntries(levels);
    const made = await inTurns(
      learning.publishing({ parent: baseline?.version ?? '', previous: entries, offsets, extra }),
    );
    const partials = new Map<number, Uint8Array>();
    for (const partition of cut.offsets.keys()) partials.set(partition, await inTurns(learning.encoding(partition)));
    const isStillOurs = (): boolean =>
      [...cut.offsets.keys()].every((partition) => assignments.get(partition) === owned.get(partition));
    // what was taken away meanwhile is not in the counters any more: its new owner publishes
    const assertOurs = (): void => {
      if (!isStillOurs() || !consumer?.confirmed())
        throw new SpanwardenError('LOG_FENCED', 'partitions were taken away while a version was made');
    };
    assertOurs();
    const paths = new Map([...cut.offsets.keys()].map((partition) => [partition, templates.encode(partition)]));
    await untilReached(() => store.insertVersion(made, entries, partials, paths));
    assertOurs(); // the store may have been away for long
    await untilReached(() => announce(made));
    for (const [partition, offset] of cut.offsets) {
      const assignment = assignments.get(partition);
      if (assignment !== undefined) await consumer?.commit(assignment, offset);
    }
    if (!isStillOurs()) return; // the next owner's version may be newer
    baseline = made;
    entries = [...made.entries()];
    latest = { baseline: made, entries, partials, paths };
    const before = templates.current;
    templates.take(levels);
    if (templates.current !== before) {
      logger.info({ templates: levels.coming.map(levelKey) }, 'path templates found: learned with from now on');
    }
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

  /** In steps, between which the other roles of this process go on. */
  async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
    for (;;) {
      const turn = steps.next();
      if (turn.done === true) return turn.value;
      await nextTurn();
      if (stopping) throw new SpanwardenError('STOPPED', 'the trainer is stopping');
    }
  }

  /** What waited for the version is learned after it, scored by it first. */
  async function learnHeld(): Promise<void> {
    const held = cuts.end();
    for (let i = 0; i < held.length && !stopping; i++) {
      const spans = held[i]!;
      if (assignments.has(spans.partition)) learn(spans);
      if (i % LEARN_AT_ONCE === LEARN_AT_ONCE - 1) await nextTurn();
    }
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
        exclusive: true, // a version is made of all partitions
        handler: {
          assigned,
          revoked,
          batch,
          async idle(partition, nowMs) {
            assembler.advance(partition, nowMs);
            step();
            await relearning;
          },
        },
      });
      await consumer.start();
      consumer.ended.then(end, (error: unknown) => (stopping ? end() : fail(error)));
    },
    async stop(deadlineMs) {
      if (stopping) return ended.catch(() => {});
      stopping = true;
      const endMs = deps.now() + deadlineMs;
      await consumer?.stop(deadlineMs);
      if (consumer === undefined) end();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, Math.max(0, endMs - deps.now()));
      await Promise.race([publishing, late.promise]);
      clearTimeout(timer);
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

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
