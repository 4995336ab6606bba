/**
 * Offline learning: files of traces → one baseline file. The same assembling, reading and learning as the trainer's,
 * driven by the spans' own times.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { GroupLearners } from '../baseline/learners.ts';
import { createLearning, type Learning } from '../baseline/learning/learning.ts';
import { JudgementStage } from '../baseline/model.ts';
import { levelsToEntries } from '../baseline/templates.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { ReadProgress } from '../runtime/files/bytes.ts';
import { otlpLineFiles, type TraceFiles } from '../runtime/files/trace-files.ts';
import { createFileCounts, type FileCounts } from '../runtime/files/trace-records.ts';
import { createLineWriter } from '../runtime/files/write-lines.ts';
import { writeVersion } from '../schemas/baselines/version.ts';
import type { AssemblyConfig } from '../schemas/config/assembly.ts';
import type { LearningConfig } from '../schemas/config/learning.ts';
import type { Assembler, AssemblerSink } from '../traces/assembly/contract.ts';
import {
  collapsedLevels,
  compileTemplates,
  NO_TEMPLATES,
  type PathTemplates,
  rulesWith,
} from '../traces/operations/learned-templates.ts';
import { createPathTrie, type PathTrie } from '../traces/operations/path-trie.ts';
import type { Segment, SegmentSpans, Symbols } from '../traces/segment.ts';

export interface TrainDeps {
  readonly learners: GroupLearners;
  readonly symbols: Symbols;
  readonly segment: Segment;
  /** A second segment for reading kept ones back while versions are calibrated. */
  readonly spare: Segment;
  read(spans: SegmentSpans, into: Segment, templates?: PathTemplates, paths?: PathTrie): boolean;
  createAssembler(config: AssemblyConfig, sink: AssemblerSink): Assembler;
  /** How files are read; OTLP/JSON lines without it. */
  readonly files?: TraceFiles;
}

export interface TrainOptions {
  /** File of the baseline; `.gz` and `.zst` compress, `-` is standard output. */
  readonly out: string;
  readonly learning: LearningConfig;
  readonly assembly: AssemblyConfig;
  readonly progress?: (progress: TrainProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TrainProgress extends ReadProgress {
  readonly phase: 'measuring' | 'templates' | 'learning' | 'calibrating';
  readonly segments: number;
}

export interface TrainSummary {
  readonly version: string;
  readonly alerting: boolean;
  /** What is still learning, in words. */
  readonly learning: readonly string[];
  readonly counts: FileCounts;
  /** Distinct trace ids read and learned; equal unless something of a trace could not be read. */
  readonly traces: number;
  readonly tracesLearned: number;
  readonly segments: number;
  readonly quarantined: number;
  readonly unreadable: number;
  readonly calibrated: number;
}

/** Segments after which a first, inner version tells what to quarantine; again whenever they have doubled. */
const FIRST_INNER = 10_000;
const QUARANTINE_P = 1e-4;
const PARTITION = 0;

export async function trainFiles(
  inputs: readonly string[],
  options: TrainOptions,
  deps: TrainDeps,
): Promise<TrainSummary> {
  if (inputs.length === 0) throw new SpanwardenError('INPUT_UNREADABLE', 'no input was given');
  const counts = createFileCounts();
  const files = deps.files ?? otlpLineFiles;
  const config = await measured(inputs, options, files);
  const templates = await learnTemplates(inputs, options, deps);
  const learning = createLearning(config, {
    symbols: deps.symbols,
    learners: deps.learners,
    rescore: (spans) => (deps.read(spans, deps.spare, templates) ? deps.spare : undefined),
  });
  const student = createStudent(learning, templates, deps);
  const assembler = deps.createAssembler(options.assembly, student.sink);
  let progress: ReadProgress | undefined;
  for await (const records of files.records(inputs, counts, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onProgress: (read) => {
      progress = read;
      options.progress?.({ ...read, phase: 'learning', segments: student.facts.segments });
    },
  })) {
    for (const { offset, streamMs, value } of records) {
      assembler.add(PARTITION, offset, streamMs, value);
      assembler.advance(PARTITION, streamMs);
    }
  }
  assembler.end();
  if (student.facts.segments === 0) {
    const why = counts.problems[0] === undefined ? 'there are no spans in it' : counts.problems[0];
    throw new SpanwardenError('INPUT_UNREADABLE', `nothing could be learned from the input: ${why}`);
  }
  if (progress !== undefined) {
    options.progress?.({ ...progress, phase: 'calibrating', segments: student.facts.segments });
  }
  const extra = levelsToEntries({ levels: templates.levels, coming: [] });
  const baseline = learning.publish({ parent: '', previous: [], offsets: [], extra });
  await writeBaseline(baseline, options.out);
  const { manifest } = baseline;
  return {
    version: baseline.version,
    alerting: manifest.alerting,
    learning: manifest.learning,
    counts,
    traces: student.tracesRead(),
    tracesLearned: student.tracesLearned(),
    ...student.facts,
    calibrated: manifest.calibrated,
  };
}

/** Buckets scaled to the window, where the input can be read twice (DETECTION §7, profile `export`). */
async function measured(inputs: readonly string[], options: TrainOptions, files: TraceFiles): Promise<LearningConfig> {
  const { learning, signal } = options;
  if (learning.spanMs !== undefined || inputs.includes('-')) return learning;
  const range = await files.timeRange(inputs, {
    ...(signal === undefined ? {} : { signal }),
    onProgress: (read) => options.progress?.({ ...read, phase: 'measuring', segments: 0 }),
  });
  if (range === undefined) return learning;
  return { ...learning, spanMs: Math.max(10_000, Math.round(range.lastMs - range.firstMs)) };
}

/**
 * Path templates (DETECTION §3.1), in a pass of their own over input that can be read twice: what is learned must be read with
 * them. From standard input there are none.
 */
async function learnTemplates(
  inputs: readonly string[],
  options: TrainOptions,
  deps: TrainDeps,
): Promise<PathTemplates> {
  if (inputs.includes('-')) return NO_TEMPLATES;
  const paths = createPathTrie();
  let segments = 0;
  const assembler = deps.createAssembler(options.assembly, {
    closed: () => {},
    withdrawn: () => {},
    settled(spans) {
      segments++;
      deps.read(spans, deps.segment, NO_TEMPLATES, paths);
    },
    reused: () => {},
    forgotten: () => {},
  });
  const records = (deps.files ?? otlpLineFiles).records(inputs, createFileCounts(), {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onProgress: (read) => options.progress?.({ ...read, phase: 'templates', segments }),
  });
  for await (const some of records) {
    for (const { offset, streamMs, value } of some) {
      assembler.add(PARTITION, offset, streamMs, value);
      assembler.advance(PARTITION, streamMs);
    }
  }
  assembler.end();
  const levels = collapsedLevels([paths], [], rulesWith(options.learning.pathTemplates));
  return levels.length === 0 ? NO_TEMPLATES : compileTemplates(levels);
}

interface Student {
  readonly sink: AssemblerSink;
  readonly facts: { segments: number; quarantined: number; unreadable: number };
  tracesRead(): number;
  tracesLearned(): number;
}

function createStudent(learning: Learning, templates: PathTemplates, deps: TrainDeps): Student {
  const facts = { segments: 0, quarantined: 0, unreadable: 0 };
  /** Traces that may still get segments: whether any of theirs was learned, and how many have settled. */
  const open = new Map<string, { learned: boolean; settled: number }>();
  let tracesRead = 0;
  let tracesLearned = 0;
  let inner: Baseline | undefined;
  let nextInner = FIRST_INNER;

  function settled(spans: SegmentSpans): void {
    let trace = open.get(spans.traceId);
    if (trace === undefined) {
      trace = { learned: false, settled: 0 };
      open.set(spans.traceId, trace);
      tracesRead++;
    }
    trace.settled++;
    if (!deps.read(spans, deps.segment, templates)) {
      facts.unreadable++;
      return;
    }
    const suspect = inner !== undefined && inner.judge(deps.segment, JudgementStage.absence).p < QUARANTINE_P;
    learning.learn(deps.segment, spans, suspect, deps.segment.startMs);
    facts.segments++;
    if (suspect) facts.quarantined++;
    if (!trace.learned) tracesLearned++;
    trace.learned = true;
    if (facts.segments >= nextInner) {
      inner = learning.publish({ parent: '', previous: [], offsets: [] });
      nextInner *= 2;
    }
  }

  return {
    sink: {
      closed: () => {},
      withdrawn: () => {},
      settled,
      reused: () => {},
      forgotten(_partition, traceId) {
        const trace = open.get(traceId);
        if (trace !== undefined && --trace.settled <= 0) open.delete(traceId);
      },
    },
    facts,
    tracesRead: () => tracesRead,
    tracesLearned: () => tracesLearned,
  };
}

async function writeBaseline(baseline: Baseline, out: string): Promise<void> {
  const writer = createLineWriter(out);
  try {
    for (const line of writeVersion(baseline.entries())) await writer.write(line);
    await writer.close();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}
