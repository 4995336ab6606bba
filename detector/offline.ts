/**
 * Offline scoring: files of traces and a baseline file → a score a trace, and incidents. The same assembling,
 * reading and judging as the live detector's, driven by the spans' own times; it never learns.
 */
import { type Baseline, createBaselineLoader } from '../baseline/baseline.ts';
import type { GroupLearners } from '../baseline/learners.ts';
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
import { type Verdict, VerdictStage } from '../schemas/log/verdict.ts';
import type { Assembler, AssemblerSink } from '../traces/assembly/contract.ts';
import type { PathTemplates } from '../traces/operations/learned-templates.ts';
import type { Segment, SegmentSpans, Symbols } from '../traces/segment.ts';
import { isFinding, reusedVerdict, toVerdict, withdrawnVerdict } from './core/attributed.ts';
import { withEntry } from './core/missing-entry.ts';
import type { OfflineIncidents } from './offline-incidents.ts';
import { createOfflineOrigins } from './offline-origins.ts';
import { createScoreLines, type ScoreLineFacts } from './score-lines.ts';

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

interface Scorer {
  readonly sink: AssemblerSink;
  readonly facts: ScoreLineFacts & { segments: number; unreadable: number };
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
  const lines = createScoreLines(facts, deps.redact);
  const { lateMs, absenceGraceMs } = options.assembly;
  const origins = createOfflineOrigins(Math.max(absenceGraceMs, lateMs - absenceGraceMs), say);
  const shifts = createCollectiveCounter({ partition: PARTITION, windowMs: COLLECTIVE_WINDOW_MS, version, rates });
  const load = createCollectiveCounter({ partition: PARTITION, windowMs: LOAD_MS, version, rates, features: 'self' });
  const judge = createCollectiveJudge();
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
    lines.keep(verdict, baseline.interval());
    if (asks) origins.ask(segment, verdict);
    else {
      origins.remember(segment, [verdict.client]);
      say(verdict);
    }
  }

  /** Whoever caused it is known, or will not be. */
  function say(verdict: Verdict): void {
    if (verdict.originState !== 'none') lines.keep(verdict);
    if (isFinding(verdict)) incidents.verdict(verdict, manifest.segmentsPerDay, streamMs);
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
        const known = lines.keptOf(verdict);
        if (known === undefined) return;
        lines.keep(verdict);
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
        lines.forgotten(traceId);
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
      lines.end();
    },
    lines: lines.take,
  };
}
