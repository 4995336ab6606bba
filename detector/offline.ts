/**
 * Offline scoring: files of traces and a baseline file → a score a trace, and incidents. The same assembling,
 * reading and judging as the live detector's, driven by the spans' own times; it never learns.
 */
import { type Baseline, createBaselineLoader } from '../baseline/baseline.ts';
import type { GroupLearners } from '../baseline/learners.ts';
import { hash53 } from '../baseline/learning/hash.ts';
import { type BaselineEntry, JudgementStage } from '../baseline/model.ts';
import { createCollectiveJudge } from '../baseline/timing/collective.ts';
import { createCollectiveCounter } from '../baseline/timing/collective-counter.ts';
import { COLLECTIVE_WINDOW_MS } from '../baseline/timing/rate-book.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { ReadProgress } from '../runtime/files/bytes.ts';
import { readLines } from '../runtime/files/lines.ts';
import { otlpLineFiles, type TraceFiles } from '../runtime/files/trace-files.ts';
import { createFileCounts, type FileCounts } from '../runtime/files/trace-records.ts';
import { createLineWriter, type LineWriter } from '../runtime/files/write-lines.ts';
import { createVersionReader } from '../schemas/baselines/version.ts';
import type { AssemblyConfig } from '../schemas/config/assembly.ts';
import { type ClientRecord, type Verdict, VerdictStage } from '../schemas/log/verdict.ts';
import type { Assembler, AssemblerSink } from '../traces/assembly/contract.ts';
import type { PathTemplates } from '../traces/operations/learned-templates.ts';
import type { Segment, SegmentSpans, Symbols } from '../traces/segment.ts';
import { isFinding, reusedVerdict, toVerdict, withdrawnVerdict } from './core/attributed.ts';
import { withEntry } from './core/missing-entry.ts';
import type { OfflineIncidents } from './offline-incidents.ts';
import { createOfflineOrigins } from './offline-origins.ts';

export interface ScoreDeps {
  readonly learners: GroupLearners;
  readonly symbols: Symbols;
  readonly segment: Segment;
  read(spans: SegmentSpans, into: Segment, templates: PathTemplates): boolean;
  createAssembler(config: AssemblyConfig, sink: AssemblerSink, baseline: Baseline): Assembler;
  readonly incidents: OfflineIncidents;
  /** What leaves the process leaves it redacted. */
  redact?(verdict: Verdict): Verdict;
  /** How files are read; OTLP/JSON lines without it. */
  readonly files?: TraceFiles;
}

export interface ScoreOptions {
  readonly baseline: string;
  /** File of scores; `-` is standard output. */
  readonly out: string;
  readonly incidents?: string;
  /** In place of the baseline's. */
  readonly alpha?: number;
  readonly assembly: AssemblyConfig;
  readonly progress?: (progress: ReadProgress & { readonly traces: number }) => void;
  readonly signal?: AbortSignal;
}

export interface ScoreSummary {
  readonly version: string;
  readonly counts: FileCounts;
  /** Distinct trace ids, each with one line. */
  readonly traces: number;
  readonly segments: number;
  readonly anomalous: number;
  readonly incidents: number;
  readonly unreadable: number;
  /** Segments of traces whose line was already written. */
  readonly afterwards: number;
}

const PARTITION = 0;
/** Files are in order of time only roughly: an exporter writes a trace when it is complete. */
const WINDOW_LAG_MS = 900_000;
/** A shift is judged over up to nine windows: what it tells lies so far before the last of them, at most. */
const LONGEST_SHIFT_MS = 10 * COLLECTIVE_WINDOW_MS;
const LOAD_MS = 1_000;
const MOST_WRITTEN = 5_000_000;

/** Baseline of a baseline file. Throws BASELINE_DAMAGED, BASELINE_SCHEMA, INPUT_UNREADABLE. */
export async function readBaseline(path: string, symbols: Symbols, learners: GroupLearners): Promise<Baseline> {
  const loader = createBaselineLoader(symbols, learners);
  const reader = createVersionReader<BaselineEntry>(loader.take);
  try {
    for await (const { text } of readLines([path])) reader.line(text);
  } catch (error) {
    // a compressed file that ends early is a damaged baseline, not an unreadable input
    const damaged = error instanceof SpanwardenError && /damaged|cut short/.test(error.message);
    if (damaged && error.code === 'INPUT_UNREADABLE') {
      throw new SpanwardenError('BASELINE_DAMAGED', error.message, { cause: error });
    }
    throw error;
  }
  reader.finish();
  return loader.finish();
}

export async function scoreFiles(
  inputs: readonly string[],
  options: ScoreOptions,
  deps: ScoreDeps,
): Promise<ScoreSummary> {
  if (inputs.length === 0) throw new SpanwardenError('INPUT_UNREADABLE', 'no input was given');
  const baseline = await readBaseline(options.baseline, deps.symbols, deps.learners);
  const counts = createFileCounts();
  const scores = createLineWriter(options.out);
  let incidentLines: LineWriter | undefined;
  try {
    const scorer = createScorer(baseline, options, deps);
    const assembler = deps.createAssembler(options.assembly, scorer.sink, baseline);
    for await (const records of (deps.files ?? otlpLineFiles).records(inputs, counts, {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onProgress: (read) => options.progress?.({ ...read, traces: scorer.facts.traces }),
    })) {
      for (const { offset, streamMs, value } of records) {
        assembler.add(PARTITION, offset, streamMs, value);
        assembler.advance(PARTITION, streamMs);
        scorer.advance(streamMs);
      }
      for (const line of scorer.lines()) await scores.write(line);
    }
    assembler.end();
    scorer.end();
    for (const line of scorer.lines()) await scores.write(line);
    await scores.close();
    let incidents = 0;
    if (options.incidents !== undefined) incidentLines = createLineWriter(options.incidents);
    for (const line of deps.incidents.end()) {
      incidents++;
      await incidentLines?.write(`${JSON.stringify(line)}\n`);
    }
    await incidentLines?.close();
    return { version: baseline.version, counts, ...scorer.facts, incidents };
  } catch (error) {
    await scores.discard();
    await incidentLines?.discard();
    throw error;
  }
}

type Interval = readonly [number, number];

/** The verdicts of one trace that is not written yet. */
interface OpenTrace {
  readonly verdicts: Map<string, Verdict>;
  /** 95 % interval of the p of each. */
  readonly intervals: Map<string, Interval>;
  /** Segments of it that can no longer change. */
  forgotten: number;
}

interface Scorer {
  readonly sink: AssemblerSink;
  readonly facts: { traces: number; segments: number; anomalous: number; unreadable: number; afterwards: number };
  advance(streamMs: number): void;
  end(): void;
  /** Lines that became ready. */
  lines(): string[];
}

function createScorer(baseline: Baseline, options: ScoreOptions, deps: ScoreDeps): Scorer {
  const { incidents, segment } = deps;
  const { version, manifest, collective: rates } = baseline;
  const alpha = options.alpha ?? manifest.alpha;
  const facts = { traces: 0, segments: 0, anomalous: 0, unreadable: 0, afterwards: 0 };
  const open = new Map<string, OpenTrace>();
  /** Traces whose line is written, by hash, the oldest forgotten first. */
  const written = new Set<number>();
  const { lateMs, absenceGraceMs } = options.assembly;
  const origins = createOfflineOrigins(Math.max(absenceGraceMs, lateMs - absenceGraceMs), say);
  const shifts = createCollectiveCounter({ partition: PARTITION, windowMs: COLLECTIVE_WINDOW_MS, version, rates });
  const load = createCollectiveCounter({ partition: PARTITION, windowMs: LOAD_MS, version, rates, features: 'self' });
  const judge = createCollectiveJudge();
  let ready: string[] = [];
  let streamMs = 0;
  let windowsTo = 0;

  function judged(spans: SegmentSpans, first: boolean): void {
    if (!deps.read(spans, segment, baseline.templates)) {
      facts.unreadable++;
      return;
    }
    const judgement = baseline.judge(segment, JudgementStage.absence);
    const asks = segment.producers.length > 0;
    let verdict = toVerdict(spans, segment, judgement, version, VerdictStage.absenceJudged, asks ? 'pending' : 'none');
    verdict = withEntry({ ...verdict, anomalous: verdict.p <= alpha }, segment, baseline.models.structure);
    if (first) {
      facts.segments++;
      shifts.add(baseline.models.timing, segment, spans.firstOffset);
      load.add(baseline.models.timing, segment, spans.firstOffset);
    }
    keep(verdict, baseline.interval());
    if (asks) origins.ask(segment, verdict);
    else {
      origins.remember(segment, [verdict.client]);
      say(verdict);
    }
  }

  /** Whoever caused it is known, or will not be. */
  function say(verdict: Verdict): void {
    if (verdict.originState !== 'none') keep(verdict);
    if (isFinding(verdict)) incidents.verdict(verdict, manifest.segmentsPerDay, streamMs);
  }

  /** `interval`: where the verdict was judged just now; an amendment keeps the one it had. */
  function keep(verdict: Verdict, interval?: Interval): void {
    const { traceId } = verdict;
    if (written.has(hash53(traceId, 0))) {
      facts.afterwards++;
      return;
    }
    let trace = open.get(traceId);
    if (trace === undefined) {
      trace = { verdicts: new Map(), intervals: new Map(), forgotten: 0 };
      open.set(traceId, trace);
      facts.traces++;
    }
    const known = trace.verdicts.get(verdict.id);
    if (known !== undefined && known.revision > verdict.revision) return;
    trace.verdicts.set(verdict.id, verdict);
    if (interval !== undefined) trace.intervals.set(verdict.id, interval);
  }

  function write(traceId: string): void {
    const trace = open.get(traceId);
    if (trace === undefined) return;
    open.delete(traceId);
    written.add(hash53(traceId, 0));
    if (written.size > MOST_WRITTEN) written.delete(written.values().next().value!);
    const standing = [...trace.verdicts.values()].filter((verdict) => verdict.stage !== VerdictStage.withdrawn);
    const worst = standing.reduce<Verdict | undefined>(
      (a, b) => (a === undefined || b.score > a.score ? b : a),
      undefined,
    );
    if (worst === undefined) {
      facts.traces--;
      written.delete(hash53(traceId, 0));
      return;
    }
    if (worst.anomalous) facts.anomalous++;
    const line = scoreLine(deps.redact?.(worst) ?? worst, trace.intervals.get(worst.id)!);
    ready.push(`${JSON.stringify(line)}\n`);
  }

  function closeWindows(beforeMs: number): void {
    for (const counts of load.close(beforeMs)) incidents.load(counts);
    for (const counts of shifts.close(beforeMs)) judge.add(counts);
    for (const incident of judge.judge(beforeMs)) incidents.collective(incident, version, incident.endMs);
  }

  return {
    sink: {
      closed(spans, stage, absent) {
        if (stage === 'late' && absent) judged(spans, false);
      },
      settled: (spans) => judged(spans, true),
      withdrawn(spans) {
        const verdict = withdrawnVerdict(spans, version);
        const known = open.get(spans.traceId)?.verdicts.get(verdict.id);
        if (known === undefined) return;
        keep(verdict);
        if (isFinding(known)) incidents.verdict(verdict, 0, streamMs);
      },
      reused(partition, offset, appendMs, traceId, entries) {
        const clients = entries.flatMap((entry) =>
          deps.read(entry, segment, baseline.templates) ? [segment.client] : [],
        );
        const { maxSegmentsPerTrace } = options.assembly;
        const verdict = reusedVerdict(partition, offset, appendMs, traceId, maxSegmentsPerTrace, clients);
        incidents.verdict(verdict, 0, streamMs);
      },
      forgotten(_partition, traceId, entrySpanId) {
        origins.forgotten(traceId, entrySpanId);
        const trace = open.get(traceId);
        if (trace !== undefined && ++trace.forgotten >= trace.verdicts.size) write(traceId);
      },
    },
    facts,
    advance(now) {
      if (now <= streamMs) return;
      streamMs = now;
      origins.advance(now);
      if (now - windowsTo < LOAD_MS) return;
      windowsTo = now;
      closeWindows(now - WINDOW_LAG_MS);
      incidents.tick(now - WINDOW_LAG_MS - LONGEST_SHIFT_MS);
    },
    end() {
      origins.end();
      closeWindows(Number.POSITIVE_INFINITY);
      for (const traceId of [...open.keys()]) write(traceId);
    },
    lines() {
      const lines = ready;
      ready = [];
      return lines;
    },
  };
}

/** One line of the scores file. */
interface ScoreLine {
  readonly traceId: string;
  readonly score: number;
  readonly p: number;
  /** 95 % of p. */
  readonly interval: Interval;
  readonly anomalous: boolean;
  /** Re-ranked p by group. */
  readonly groups: Verdict['groups'];
  readonly match: Verdict['match'];
  readonly client: ClientRecord;
  /** Of work for several clients at once (a batch): all of them. */
  readonly origins?: Verdict['origins'];
  readonly findings: Verdict['findings'];
}

const scoreLine = (
  { traceId, score, p, anomalous, groups, match, client, origins, findings }: Verdict,
  interval: Interval,
): ScoreLine => ({
  traceId,
  score,
  p,
  interval,
  anomalous,
  groups,
  match,
  client,
  ...(origins.length > 1 && { origins }),
  findings,
});
