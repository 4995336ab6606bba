/**
 * The trainer role: spans in, baseline versions out. Scores each settled segment first, learns it after; publishes a
 * version when enough was learned or when an operator wants one, then says so over the `baselines` topic. Commits the offset
 * that the learned counters reach and nothing else, so that a restart goes on from them.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { Learning, Progress } from '../baseline/learning/learning.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { levelsFromEntries } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import { createUntilReached } from '../runtime/lifecycle/until-reached.ts';
import type { Assignment, Consumer, Log, LogRecord } from '../runtime/log/port.ts';
import { rewind } from '../runtime/log/rewind.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { TrainerConfig } from '../schemas/config/trainer.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { AssemblerSink, SegmentAssembler } from '../traces/assembly/contract.ts';
import { levelKey, type PathTemplates } from '../traces/operations/learned-templates.ts';
import type { PathTrie } from '../traces/operations/path-trie.ts';
import type { Segment, SegmentSpans } from '../traces/segment.ts';
import { createCutBook } from './cut.ts';
import { createDesk, NO_REQUESTS, type Wish } from './desk.ts';
import { createSchedule } from './due.ts';
import { type EditsSource, NO_EDITS } from './edits.ts';
import { createMaking } from './making.ts';
import { createPresent } from './present.ts';
import type { PublishedVersion, RequestStore, TrainerStore } from './store.ts';
import { createStudent } from './student.ts';
import type { TemplateBook } from './templates.ts';

export type { PublishedVersion, TrainerStore } from './store.ts';

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
  /** Compiles entries into a version. Throws BASELINE_DAMAGED, BASELINE_SCHEMA. */
  load(entries: readonly BaselineEntry[]): Baseline;
  /** Operators' edits and requests; without them nobody asks for anything. */
  readonly operators?: { readonly edits: EditsSource; readonly requests: RequestStore; readonly keyId: string };
}

export interface TrainerStatus {
  readonly version: string;
  readonly alerting: boolean;
  /** An operator rolled back: learned versions wait for a resume. */
  readonly held: boolean;
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

/** Times that learning begins anew for path templates found before the first version; later ones wait for the next version. */
const MAX_RELEARNED = 2;
/** Held segments learned in one go after a version was made, before others get their turn. */
const LEARN_AT_ONCE = 100;

export function createTrainer(config: TrainerConfig, deps: TrainerDeps): Trainer {
  const { log, learning, templates, logger, metrics } = deps;
  const published = metrics.counter('trainer_versions_total', 'Baseline versions published, by how they came to be');
  const untilReached = createUntilReached({ role: 'trainer', logger, isStopping: () => stopping });
  const present = createPresent({ log, store: deps.store, templates, logger, untilReached });
  const student = createStudent(deps);
  const desk = createDesk(config, {
    edits: deps.operators?.edits ?? NO_EDITS,
    requests: deps.operators?.requests ?? NO_REQUESTS,
    keyId: deps.operators?.keyId ?? '',
    logger,
    metrics,
    now: deps.now,
    load: deps.load,
  });
  const making = createMaking({ learning, templates, desk, load: deps.load, inTurns });
  metrics.gauge('trainer_maturity', 'Share of observations of the present version by state of their key', () =>
    Object.entries(present.baseline?.manifest.maturity ?? {}).map(([state, share]) => [share, { state }] as const),
  );
  metrics.gauge(
    'trainer_quarantined_share',
    'Share of the segments of the present version that were counted apart',
    () => {
      const { quarantined = 0, segments = 0 } = present.baseline?.manifest ?? {};
      return segments === 0 ? 0 : quarantined / segments;
    },
  );
  const cuts = createCutBook();
  const schedule = createSchedule(config, deps.now());
  const assignments = new Map<number, Assignment>();
  const positions = new Map<number, number>();
  /** Of the topic; no version is cut before all are held. */
  let partitionCount = Number.POSITIVE_INFINITY;
  let publishing: Promise<void> | undefined;
  let relearning: Promise<void> | undefined;
  let polling: Promise<void> | undefined;
  let relearned = 0;
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

  const learn = (spans: SegmentSpans): void => student.learn(spans, present.baseline, desk);

  async function assigned(given: Assignment): Promise<number> {
    const { partition } = given;
    const last = await present.load();
    const { earliest, latest: ends } = await untilReached(() => log.offsets('spans'));
    partitionCount = ends.length;
    let start = present.isAnew ? (earliest[partition] ?? 0) : given.committed;
    const partial = last?.partials.get(partition);
    if (last !== null && partial !== undefined) {
      learning.restore(partition, partial);
      const paths = last.paths.get(partition);
      if (paths !== undefined) templates.restore(partition, paths);
      start = last.baseline.manifest.offsets[partition] ?? start;
      schedule.learned(learning.progress().segments);
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

  function revoked(partition: number): void {
    assembler.drop(partition);
    learning.drop(partition);
    templates.drop(partition);
    cuts.drop(partition);
    assignments.delete(partition);
    positions.delete(partition);
    if (assignments.size === 0) present.forget(); // by the next time another may have published
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

  /** Makes a version that an operator wants; begins a cut when one is due, and publishes when the cut is complete. */
  function step(): void {
    if (publishing !== undefined || relearning !== undefined || stopping || positions.size < partitionCount) return;
    polling ??= desk.poll(present.version).finally(() => {
      polling = undefined;
    });
    const wish = desk.wish(present.version);
    if (wish !== undefined) {
      publishing = grant(wish).finally(() => {
        publishing = undefined;
      });
      return;
    }
    if (cuts.current === null) {
      if (!schedule.isDue(deps.now(), present.baseline?.manifest ?? null, learning.progress)) return;
      const { alerting = false, alerted = false } = present.baseline?.manifest ?? {};
      if (!alerting && !alerted && relearned < MAX_RELEARNED) {
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
        schedule.made(deps.now());
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
    schedule.learned(0);
    for (const partition of assignments.keys()) {
      const from = earliest[partition] ?? 0;
      assembler.drop(partition);
      assembler.resume(partition, from);
      positions.set(partition, from);
      consumer?.seek(partition, from);
    }
  }

  /** Throws when what was learned is not all ours any more: who took it over publishes. */
  function ownership(partitions: Iterable<number>): { assertOurs(): void; isStillOurs(): boolean } {
    const owned = new Map([...partitions].map((partition) => [partition, assignments.get(partition)]));
    const isStillOurs = (): boolean =>
      [...owned].every(([partition, assignment]) => assignments.get(partition) === assignment);
    return {
      isStillOurs,
      assertOurs() {
        if (!isStillOurs() || !consumer?.confirmed())
          throw new SpanwardenError('LOG_FENCED', 'partitions were taken away while a version was made');
      },
    };
  }

  async function publish(): Promise<void> {
    const cut = cuts.current!;
    const startedMs = performance.now();
    const offsets = Array.from({ length: partitionCount }, (_, partition) => cut.offsets.get(partition) ?? 0);
    const { assertOurs, isStillOurs } = ownership(cut.offsets.keys());
    const made = await making.learned(present.version, offsets, student.learnedMs);
    schedule.learned(learning.progress().segments);
    if (made === null) {
      logger.info('what was learned here could not raise alerts yet: the present version stays');
      return;
    }
    await present.publish(made, assertOurs);
    await commit(cut.offsets);
    if (isStillOurs()) take(made, startedMs); // else the next owner's version may be newer
  }

  /** Makes the version that an operator wants: no cut is needed, as it goes on with the counters of the one before. */
  async function grant(wish: Wish): Promise<void> {
    const startedMs = performance.now();
    const reached = new Map(positions);
    const offsets = Array.from({ length: partitionCount }, (_, partition) => reached.get(partition) ?? 0);
    const { assertOurs, isStillOurs } = ownership(assignments.keys());
    try {
      const streamMs = present.version === null ? deps.now() : student.learnedMs;
      const made = await making.wished(wish, present.version, offsets, streamMs);
      if (wish.forget) cuts.end(); // it would go back behind the new beginning, with what was held for it
      await present.publish(made, assertOurs);
      if (wish.forget) await commit(reached);
      if (!isStillOurs()) return;
      if (wish.forget) schedule.learned(0);
      take(made, startedMs);
      await desk.fulfilled(wish, made.baseline.version);
    } catch (error) {
      if (stopping) return;
      logger.error({ err: error }, 'the baseline version that an operator asked for could not be published');
      if (error instanceof SpanwardenError && (error.code === 'LOG_FENCED' || error.retryable)) return;
      await desk.failed(wish, error).catch(() => {}); // it is asked again
    }
  }

  async function commit(reached: ReadonlyMap<number, number>): Promise<void> {
    for (const [partition, offset] of reached) {
      const assignment = assignments.get(partition);
      if (assignment !== undefined) await consumer?.commit(assignment, offset);
    }
  }

  function take(made: PublishedVersion, startedMs: number): void {
    const { version, kind = 'learned', segments, alerting, learning: missing } = made.baseline.manifest;
    present.take(made);
    const before = templates.current;
    templates.take(levelsFromEntries(made.entries));
    if (templates.current !== before) {
      logger.info(
        { templates: templates.current.levels.map(levelKey) },
        'path templates found: learned with from now on',
      );
    }
    published.add(1, { kind });
    const ms = Math.round(performance.now() - startedMs);
    logger.info({ version, kind, segments, alerting, learning: missing, ms }, 'baseline version published');
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
      await Promise.race([Promise.all([publishing, polling]), late.promise]);
      clearTimeout(timer);
    },
    async status() {
      const lag = await consumer?.lag();
      const progress = learning.progress();
      const manifest = present.baseline?.manifest;
      return {
        version: manifest?.version ?? '',
        alerting: manifest?.alerting ?? false,
        held: manifest?.held ?? false,
        progress,
        learning: manifest?.learning ?? progress.missing,
        lag: lag === undefined ? 0 : [...lag.values()].reduce((a, b) => a + b, 0),
      };
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
