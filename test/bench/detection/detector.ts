/**
 * The complete detector over traces in memory, as `train` and `score` run it over files: the trainer's offline learning to a
 * baseline file, the file loaded, every trace assembled, read and judged.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLearners } from '../../../baseline/all-learners.ts';
import type { Baseline } from '../../../baseline/baseline.ts';
import { type Judgement, JudgementStage } from '../../../baseline/model.ts';
import { createOfflineIncidents } from '../../../cli/offline/incidents.ts';
import { readBaseline, type ScoreSummary, scoreFiles } from '../../../detector/offline.ts';
import type { IncidentLine, OfflineIncidents } from '../../../detector/offline-incidents.ts';
import { loadConfig } from '../../../runtime/config/load.ts';
import { readLines } from '../../../runtime/files/lines.ts';
import type { TraceFiles } from '../../../runtime/files/trace-files.ts';
import { type TracesPart, toTraceRecords } from '../../../runtime/files/trace-records.ts';
import { createLineWriter } from '../../../runtime/files/write-lines.ts';
import { writeVersion } from '../../../schemas/baselines/version.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit, type ReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import type { Segment, SegmentSpans } from '../../../traces/segment.ts';
import { type TrainSummary, trainFiles } from '../../../trainer/offline.ts';

/** A trace as a bench holds it: TracesData of one trace, and when it was. */
export interface HeldTrace {
  readonly record: Uint8Array;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Detector {
  readonly kit: ReadingKit;
  readonly baseline: Baseline;
  readonly trained: TrainSummary;
}

const config = loadConfig({ file: undefined, env: { SPANWARDEN_LEARNING_PROFILE: 'export' } });

/** Traces as the files of `train` and `score`. */
export function heldFiles(traces: Iterable<HeldTrace>, range: { firstMs: number; lastMs: number }): TraceFiles {
  return {
    async *records(_inputs, counts) {
      yield* toTraceRecords(parts(traces), counts);
    },
    timeRange: () => Promise.resolve(range),
  };
}

async function* parts(traces: Iterable<HeldTrace>): AsyncGenerator<TracesPart> {
  let i = 0;
  for (const { record } of traces) yield { where: `trace ${i++}`, bytes: record };
}

export function rangeOf(traces: readonly HeldTrace[]): { firstMs: number; lastMs: number } {
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const { startMs, endMs } of traces) {
    firstMs = Math.min(firstMs, startMs);
    lastMs = Math.max(lastMs, endMs);
  }
  return { firstMs, lastMs };
}

/** Learns the traces, or files of them, as `spanwarden train` does. */
export async function learn(source: readonly HeldTrace[] | readonly string[]): Promise<Detector> {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const out = join(directory, 'baseline.ndjson');
    const { symbols, reader, segment } = createReadingKit(config);
    const names = source.filter((one) => typeof one === 'string');
    const held = source.filter((one) => typeof one !== 'string');
    const trained = await trainFiles(
      names.length > 0 ? names : ['held traces'],
      { out, learning: config.learning, assembly: config.assembly },
      {
        learners: createLearners({ hashKey: config.redaction.key }),
        symbols,
        segment,
        spare: createSegment(symbols),
        read: reader.read,
        createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
        ...(names.length === 0 && { files: heldFiles(held, rangeOf(held)) }),
      },
    );
    // as `score` begins: with symbols of its own, from the file
    const kit = createReadingKit(config);
    const baseline = await readBaseline(out, kit.symbols, createLearners({ hashKey: config.redaction.key }));
    return { kit, baseline, trained };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function writeBaseline(baseline: Baseline, file: string): Promise<void> {
  const writer = createLineWriter(file);
  for (const line of writeVersion(baseline.entries())) await writer.write(line);
  await writer.close();
}

/** The same version with nothing remembered of what it judged. */
export async function reloaded({ baseline, trained }: Detector): Promise<Detector> {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const file = join(directory, 'baseline.ndjson');
    await writeBaseline(baseline, file);
    const kit = createReadingKit(config);
    return {
      kit,
      trained,
      baseline: await readBaseline(file, kit.symbols, createLearners({ hashKey: config.redaction.key })),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Each record as a trace of its own, assembled. `settled`: its segments, one after another; `firstOffset` is the record's place. */
export function assemble(records: readonly Uint8Array[], settled: (spans: SegmentSpans) => void): void {
  const assembler = createAssembler(config.assembly, { sink: { ...SILENT, settled } });
  for (let i = 0; i < records.length; i++) {
    const atMs = i * APART_MS;
    assembler.add(0, i, atMs, records[i]!);
    assembler.advance(0, atMs + APART_MS - 1);
  }
  assembler.end();
}

/** Verdicts by trace, in the order of the traces; of a trace with several segments the one that `score` would write. */
export interface Judged {
  readonly p: Float64Array;
  readonly score: Float64Array;
  /** Re-ranked p by group, in the order of GROUPS. */
  readonly groups: readonly Float64Array[];
  /** 1 where it has a hard finding. */
  readonly hard: Uint8Array;
  /** p of every segment, and its re-ranked p by group. */
  readonly segments: Float64Array;
  readonly segmentGroups: readonly Float64Array[];
  /** Traces without a verdict. */
  readonly unjudged: number;
}

export type Witness = (trace: number, judgement: Judgement, segment: Segment, spans: SegmentSpans) => void;

/** Each trace is over and forgotten before the next: mutants of one trace have its id. */
const APART_MS = 300_000;
const SILENT = { closed() {}, withdrawn() {}, reused() {}, forgotten() {} };

/** Judges each record as a trace of its own. `witness` sees every segment's judgement. */
export function judge({ kit, baseline }: Detector, records: readonly Uint8Array[], witness?: Witness): Judged {
  const n = records.length;
  const p = new Float64Array(n).fill(1);
  const score = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  const groups = GROUPS.map(() => new Float64Array(n).fill(1));
  const hard = new Uint8Array(n);
  const segments: number[] = [];
  const segmentGroups: number[][] = GROUPS.map(() => []);
  const { reader, segment } = kit;
  assemble(records, (spans) => {
    const i = spans.firstOffset;
    if (!reader.read(spans, segment, baseline.templates)) return;
    const judgement = baseline.judge(segment, JudgementStage.absence);
    segments.push(judgement.p);
    for (const [g, group] of GROUPS.entries()) segmentGroups[g]!.push(judgement.groups[group]);
    witness?.(i, judgement, segment, spans);
    if (judgement.findings.some((finding) => finding.hard)) hard[i] = 1;
    if (judgement.score <= score[i]!) return;
    score[i] = judgement.score;
    p[i] = judgement.p;
    for (const [g, group] of GROUPS.entries()) groups[g]![i] = judgement.groups[group];
  });
  let unjudged = 0;
  for (let i = 0; i < n; i++) if (score[i] === Number.NEGATIVE_INFINITY) unjudged++;
  return {
    p,
    score,
    groups,
    hard,
    segments: Float64Array.from(segments),
    segmentGroups: segmentGroups.map((own) => Float64Array.from(own)),
    unjudged,
  };
}

export interface Scored {
  readonly summary: ScoreSummary;
  readonly incidents: readonly IncidentLine[];
}

/** What `score` wrote of a trace. */
export interface TraceScore {
  readonly score: number;
  readonly p: number;
  readonly anomalous: boolean;
}

/** `score --incidents` over traces in order of time; `scores` takes every trace's score by trace id. */
export const incidentsOf = (
  detector: Detector,
  traces: Iterable<HeldTrace>,
  range: { firstMs: number; lastMs: number },
  scores?: Map<string, TraceScore>,
): Promise<Scored> => scoreWith(detector, ['held traces'], heldFiles(traces, range), scores);

/** The same over files, with every trace's score by trace id. */
export async function incidentsOfFiles(
  detector: Detector,
  files: readonly string[],
): Promise<Scored & { readonly scores: ReadonlyMap<string, TraceScore> }> {
  const scores = new Map<string, TraceScore>();
  return { ...(await scoreWith(detector, files, undefined, scores)), scores };
}

async function scoreWith(
  { baseline }: Detector,
  inputs: readonly string[],
  files: TraceFiles | undefined,
  scores: Map<string, TraceScore> | undefined,
): Promise<Scored> {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const file = join(directory, 'baseline.ndjson');
    const out = join(directory, 'scores.ndjson');
    await writeBaseline(baseline, file);
    const { symbols, reader, segment } = createReadingKit(config);
    const lines: IncidentLine[] = [];
    const keeper = createOfflineIncidents(config.incidents);
    const incidents: OfflineIncidents = {
      ...keeper,
      *end() {
        for (const line of keeper.end()) {
          lines.push(line);
          yield line;
        }
      },
    };
    const summary = await scoreFiles(
      inputs,
      { baseline: file, out, incidents: join(directory, 'incidents.ndjson'), assembly: config.assembly },
      {
        learners: createLearners({ hashKey: config.redaction.key }),
        symbols,
        segment,
        read: reader.read,
        createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
        incidents,
        ...(files !== undefined && { files }),
      },
    );
    if (scores !== undefined) {
      for await (const { text } of readLines([out])) {
        const { traceId, score, p, anomalous } = JSON.parse(text) as TraceScore & { readonly traceId: string };
        scores.set(traceId, { score, p, anomalous });
      }
    }
    return { summary, incidents: lines };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
