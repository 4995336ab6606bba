/**
 * The detector's core: records of the spans log in; rows, findings, questions and counts out. A deterministic state
 * machine over records and stream time, without I/O: whatever it says is said again, with the same ids, after a replay.
 */
import type { Baseline } from '../../baseline/baseline.ts';
import { JudgementStage } from '../../baseline/model.ts';
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import type { CollectiveCounts } from '../../schemas/log/collective.ts';
import type { JudgedCounts } from '../../schemas/log/judged.ts';
import type { OriginAnswer, OriginAsk } from '../../schemas/log/origin.ts';
import { type ClientRecord, type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';
import type { AssemblerSink, CloseStage, SegmentAssembler } from '../../traces/assembly/contract.ts';
import type { PathTemplates } from '../../traces/operations/learned-templates.ts';
import { endMsOf, type Segment, type SegmentSpans, spanIdHex } from '../../traces/segment.ts';
import { isFinding, reusedVerdict, toVerdict, withdrawnVerdict } from './attributed.ts';
import { createAwaiting, keyOf } from './awaiting.ts';
import { createJudgedCounter } from './judged-counts.ts';
import { isEntryMissing, withEntry } from './missing-entry.ts';
import { createOriginAnswerer } from './origins.ts';
import { type StoryDeps, storyOf } from './story.ts';
import { createWindows } from './windows.ts';

const PRODUCER = 4;

export interface CoreConfig {
  readonly assembly: AssemblyConfig;
  readonly originWaitMs: number;
  readonly maxRemembered: number;
}

/** What the core says; the shell makes it durable before it commits. */
export interface CoreEffects {
  /**
   * Store the verdict and, unless null, the spans: `new` none of which was stored before, `some` of which may be, or `all`
   * of which were given before (and need storing only if they were not kept then).
   */
  store(verdict: Verdict, spans: SegmentSpans | null, stored: 'new' | 'some' | 'all'): void;
  /** A verdict for the findings log. `segmentsPerDay` of the version it was judged by. */
  finding(verdict: Verdict, segmentsPerDay: number): void;
  ask(ask: OriginAsk): void;
  answer(answer: OriginAnswer): void;
  lookUp(ask: OriginAsk): void;
  collective(counts: CollectiveCounts): void;
  judged(counts: JudgedCounts): void;
  /**
   * A segment was judged for the first time since the partition was taken over: facts for the inventory. The segment is
   * valid during the call only.
   */
  seen(segment: Segment, verdict: Verdict): void;
}

export interface CoreDeps extends StoryDeps {
  createAssembler(sink: AssemblerSink): SegmentAssembler;
  readonly segment: Segment;
  /** Decodes, with the path templates of the version that judges; false when nothing of the segment can be read. */
  read(spans: SegmentSpans, into: Segment, templates: PathTemplates | null): boolean;
  /** Version in effect at a log-append time; null = none yet. */
  versionAt(appendMs: number): Baseline | null;
}

export interface Core {
  spans(partition: number, offset: number, appendMs: number, value: Uint8Array): void;
  ask(partition: number, offset: number, appendMs: number, ask: OriginAsk): void;
  answered(answer: OriginAnswer): void;
  found(ask: OriginAsk, clients: readonly ClientRecord[]): void;
  /** `logMs`: append time of what is written now; stream time lags behind it while old records are read. */
  advance(partition: number, streamMs: number, logMs?: number): void;
  /** No offset from here on may be committed: its effect may still change or is not complete. */
  floor(partition: number): number;
  drop(partition: number): void;
  /** Reading starts up to `warmUpMs` before `committed`: what begins below it is assembled, but not judged again. */
  resume(partition: number, committed: number): void;
  readonly warmUpMs: number;
  /** Offline, at the end of the input. */
  end(): void;
  readonly unreadable: number;
}

/** Traces remembered of which a withdrawn segment's spans were stored. */
const MAX_REPLACED = 100_000;
/** An event further ahead of stream time is a wrong clock's: its window would hold the commit back until then. */
const MAX_AHEAD_MS = 20_000;

export function createCore(config: CoreConfig, deps: CoreDeps, effects: CoreEffects): Core {
  const { segment } = deps;
  /** Closed segments that are still remembered, by partition and key: whether a finding was said of it. */
  const closedBefore = new Map<number, Map<string, boolean>>();
  /** Traces of which a withdrawn segment's spans were stored: the segment they joined must not store them again. */
  const replaced = new Set<string>();
  const streams = new Map<number, number>();
  /** Offset committed when the partition was taken over: collective counts of what begins below were said. */
  const resumedAt = new Map<number, number>();
  let logNowMs = 0;
  let unreadable = 0;

  const loadLagMs = config.assembly.graceMs + 1_000;
  const shiftLagMs = loadLagMs + config.assembly.absenceGraceMs;
  const windows = createWindows({ loadLagMs, shiftLagMs }, effects.collective);
  const judgedCounts = createJudgedCounter(shiftLagMs, effects.judged);
  const origins = createOriginAnswerer(
    { waitMs: config.originWaitMs, maxRemembered: config.maxRemembered },
    { answer: effects.answer, lookUp: effects.lookUp },
  );
  const awaiting = createAwaiting(config.originWaitMs, effects, origins);
  const assembler = deps.createAssembler({ closed, withdrawn, settled: () => {}, reused, forgotten });

  function toldOf(partition: number): Map<string, boolean> {
    let told = closedBefore.get(partition);
    if (told === undefined) {
      told = new Map();
      closedBefore.set(partition, told);
    }
    return told;
  }

  function closed(spans: SegmentSpans, stage: CloseStage, absent: boolean): void {
    const baseline = deps.versionAt(spans.appendMs);
    if (!deps.read(spans, segment, baseline?.templates ?? null)) {
      unreadable++;
      return;
    }
    const judgedAt = absent ? JudgementStage.absence : JudgementStage.closed;
    const judged = baseline?.judge(segment, judgedAt) ?? null;
    const verdictStage = absent ? VerdictStage.absenceJudged : VerdictStage.closed;
    const asks = segment.producers.length > 0;
    const key = keyOf(spans.traceId, spans.entrySpanId);
    const originState = asks ? awaiting.stateOf(key) : 'none';
    let verdict = toVerdict(spans, segment, judged, baseline?.version ?? '', verdictStage, originState);
    if (baseline !== null) verdict = withEntry(verdict, segment, baseline.models.structure);
    verdict = awaiting.amended(key, verdict, segment.producers);
    const finding = isFinding(verdict);
    if (finding && baseline !== null)
      verdict = { ...verdict, story: storyOf(spans, segment, verdict, baseline, judgedAt, deps) };
    const told = toldOf(spans.partition);
    const saidBefore = told.get(key);
    const first = saidBefore === undefined;
    if (first) {
      effects.seen(segment, verdict);
    }
    if (baseline !== null && isFresh(spans)) {
      if (first && isInTime(spans)) windows.addToLoad(spans.partition, spans.firstOffset, baseline, segment);
      // before the absence grace is over, missing children would lengthen their parents' self times
      if (absent && (first || stage === 'absence'))
        windows.addToShift(spans.partition, spans.firstOffset, baseline, segment);
    }
    const settles = absent && (first || stage === 'absence') && verdict.state === 'scored';
    if (settles && isFresh(spans)) judgedCounts.add(verdict, baseline?.manifest.segmentsPerDay ?? 0);
    // a clean segment's row says nothing new when only the absence grace has passed, unless an origin may yet amend it,
    // or spans were turned away since it closed
    if (first || stage === 'late' || finding || saidBefore === true || asks || spans.truncated) {
      const overlaps = stage === 'late' || replaced.has(spans.traceId);
      effects.store(verdict, spans, overlaps ? 'some' : first ? 'new' : 'all');
    }
    remember(spans, verdict);
    const segmentsPerDay = baseline?.manifest.segmentsPerDay ?? 0;
    if (asks)
      awaiting.question(verdict, {
        segmentsPerDay,
        finding,
        producers: segment.producers,
        producerSpans: producerSpans(),
        streamMs: streams.get(spans.partition) ?? spans.appendMs,
        logMs: logNowMs,
      });
    else if (finding || saidBefore === true) effects.finding(verdict, segmentsPerDay);
    told.set(key, finding || saidBefore === true);
  }

  /** Not said before the partition was taken over. */
  const isFresh = ({ partition, firstOffset }: SegmentSpans): boolean => firstOffset >= (resumedAt.get(partition) ?? 0);

  /** By the clock of its entry; calls on other clocks are counted by that (baseline/timing/clocks.ts). */
  const isInTime = (spans: SegmentSpans): boolean =>
    endMsOf(segment, 0) <= (streams.get(spans.partition) ?? spans.appendMs) + MAX_AHEAD_MS;

  /** What the segment answers when others ask who caused them. */
  function remember(spans: SegmentSpans, verdict: Verdict): void {
    const producers = producerSpans();
    if (producers.length === 0) return;
    origins.remember(spans.partition, spans.traceId, {
      entrySpanId: spans.entrySpanId,
      producerSpans: producers,
      clients: verdict.origins.length > 0 ? verdict.origins : [verdict.client],
      state: isEntryMissing(verdict) ? 'unknown' : verdict.originState,
    });
  }

  /** Span ids of the PRODUCER spans of the segment just read. */
  function producerSpans(): string[] {
    const ids: string[] = [];
    for (let i = 0; i < segment.spanCount; i++) if (segment.kind[i] === PRODUCER) ids.push(spanIdHex(segment, i));
    return ids;
  }

  function withdrawn(spans: SegmentSpans): void {
    const key = keyOf(spans.traceId, spans.entrySpanId);
    const told = toldOf(spans.partition);
    const saidBefore = told.get(key);
    if (saidBefore === undefined) return;
    const verdict = withdrawnVerdict(spans, deps.versionAt(spans.appendMs)?.version ?? '');
    effects.store(verdict, null, 'all');
    if (saidBefore || awaiting.wasTold(key)) effects.finding(verdict, 0);
    told.delete(key);
    awaiting.drop(key);
    replaced.add(spans.traceId);
    if (replaced.size > MAX_REPLACED) replaced.delete(replaced.values().next().value!);
  }

  function reused(
    partition: number,
    offset: number,
    appendMs: number,
    traceId: string,
    entries: readonly SegmentSpans[],
  ): void {
    const clients = entries.flatMap((entry) => (deps.read(entry, segment, null) ? [segment.client] : []));
    const { maxSegmentsPerTrace } = config.assembly;
    const verdict = reusedVerdict(partition, offset, appendMs, traceId, maxSegmentsPerTrace, clients);
    effects.store(verdict, null, 'all');
    effects.finding(verdict, 0);
  }

  function forgotten(partition: number, traceId: string, entrySpanId: string): void {
    const key = keyOf(traceId, entrySpanId);
    toldOf(partition).delete(key);
    awaiting.forgotten(key);
  }

  return {
    spans(partition, offset, appendMs, value) {
      assembler.add(partition, offset, appendMs, value);
    },
    ask(partition, offset, appendMs, ask) {
      origins.ask(ask, partition, offset, appendMs, assembler.isOpen(ask.producerTraceId));
    },
    answered: awaiting.answered,
    found: (ask, clients) => origins.found(ask, clients),
    advance(partition, streamMs, logMs = streamMs) {
      logNowMs = Math.max(logNowMs, logMs);
      streams.set(partition, streamMs);
      assembler.advance(partition, streamMs);
      origins.advance(partition, streamMs);
      awaiting.advance(partition, streamMs);
      windows.advance(partition, streamMs);
      judgedCounts.advance(partition, streamMs);
    },
    floor: (partition) =>
      Math.min(
        assembler.commitFloor(partition),
        origins.floor(partition),
        windows.floor(partition),
        judgedCounts.floor(partition),
        awaiting.floor(partition),
      ),
    drop(partition) {
      assembler.drop(partition);
      origins.drop(partition);
      windows.drop(partition);
      judgedCounts.drop(partition);
      awaiting.dropAll(partition);
      closedBefore.delete(partition);
      streams.delete(partition);
      resumedAt.delete(partition);
    },
    resume(partition, committed) {
      resumedAt.set(partition, committed);
      assembler.resume(partition, committed);
    },
    warmUpMs: assembler.warmUpMs,
    end: () => assembler.end(),
    get unreadable() {
      return unreadable;
    },
  };
}
