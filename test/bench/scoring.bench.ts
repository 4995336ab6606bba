/** The detector's way of a matched segment: records in memory → assembled → read → judged; and what each group takes of it. */
import { createLearners } from '../../baseline/all-learners.ts';
import type { Baseline } from '../../baseline/baseline.ts';
import { createLearning } from '../../baseline/learning/learning.ts';
import { createEvidence, JudgementStage } from '../../baseline/model.ts';
import { createCollectiveCounter } from '../../baseline/timing/collective-counter.ts';
import { COLLECTIVE_WINDOW_MS } from '../../baseline/timing/rate-book.ts';
import { assemblySection } from '../../schemas/config/assembly.ts';
import { attributionSection } from '../../schemas/config/attribution.ts';
import { learningSection } from '../../schemas/config/learning.ts';
import { readingSection } from '../../schemas/config/reading.ts';
import { GROUPS } from '../../schemas/log/verdict.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { createAssembler } from '../../traces/assembly/assembler.ts';
import { createAttribution } from '../../traces/attribution/client.ts';
import { createSegment } from '../../traces/reading/columns.ts';
import { createReader, type Reader } from '../../traces/reading/reader.ts';
import type { Segment, SegmentSpans, Symbols } from '../../traces/segment.ts';
import { createSymbols } from '../../traces/symbols.ts';
import { type Bench, type BenchResult, rates } from './bench.ts';
import { type LoadRequest, sdkRequests, wholeTraceRequest } from './load.ts';

const START = Date.UTC(2026, 7, 1);
const ATTRIBUTES = 12;
const LEARN_REQUESTS = 120;
const LEARN_MS = 200_000;
const SPANS_PER_SECOND = 50_000;
const SILENT = { closed() {}, withdrawn() {}, settled() {}, reused() {}, forgotten() {} };

interface Records {
  readonly records: readonly Uint8Array[];
  readonly spans: number;
  readonly spanBytes: number;
}

function cut(loads: readonly LoadRequest[]): Records {
  const cutter = createTraceCutter({ maxRecordBytes: 1_000_000, maxOutputBytes: 256_000_000 }, 1);
  const records: Uint8Array[] = [];
  let spans = 0;
  for (const load of loads) {
    cutter.cut(load.bytes, (_, value, count) => {
      records.push(value.slice()); // a copy of its own, as a log hands out
      spans += count;
    });
  }
  return { records, spans, spanBytes: records.reduce((sum, { length }) => sum + length, 0) / spans };
}

interface World {
  readonly symbols: Symbols;
  readonly reader: Reader;
  readonly segment: Segment;
  readonly baseline: Baseline;
}

/** Learns the same signatures from other seeds than those that are scored. */
function createWorld(): World {
  const symbols = createSymbols({ maxTexts: 100_000, maxLabels: 100_000 });
  const attribution = createAttribution(attributionSection.parse({}));
  const reader = createReader({ symbols, config: readingSection.parse({}), attribution });
  const segment = createSegment(symbols);
  const spare = createSegment(symbols);
  const config = learningSection.parse({ profile: 'export', spanMs: LEARN_MS });
  const learning = createLearning(config, {
    symbols,
    learners: createLearners({ hashKey: '' }),
    rescore: (spans) => (reader.read(spans, spare) ? spare : undefined),
  });
  const { records } = cut(Array.from({ length: LEARN_REQUESTS }, (_, i) => wholeTraceRequest(10_000 + i)));
  const assembler = createAssembler(assemblySection.parse({}), {
    sink: {
      ...SILENT,
      settled(spans) {
        if (reader.read(spans, segment)) learning.learn(segment, spans, false);
      },
    },
  });
  for (const [i, record] of records.entries()) assembler.add(0, i, START + (i * LEARN_MS) / records.length, record);
  assembler.end();
  return { symbols, reader, segment, baseline: learning.publish({ parent: '', previous: [], offsets: [] }) };
}

function assemble({ records, spans }: Records, closed: (spans: SegmentSpans) => void): void {
  const assembler = createAssembler(assemblySection.parse({}), {
    sink: { ...SILENT, closed: (segment, stage) => stage === 'closed' && closed(segment) },
  });
  const msPerRecord = ((spans / records.length) * 1000) / SPANS_PER_SECOND;
  for (let i = 0; i < records.length; i++) assembler.add(0, i, START + i * msPerRecord, records[i]!);
  assembler.end();
}

/** Segments of the load, each read into columns of its own. */
function segmentsOf(load: Records, { reader, symbols }: World): Segment[] {
  const segments: Segment[] = [];
  assemble(load, (spans) => {
    const own = createSegment(symbols);
    if (reader.read(spans, own)) segments.push(own);
  });
  return segments;
}

const scoring: Bench = {
  name: 'scoring',
  question:
    'how many spans of matched segments a CPU-second can be decoded, assembled and scored, from records in memory?',
  async run() {
    const world = createWorld();
    const { reader, segment, baseline } = world;
    const results: BenchResult[] = [];
    const loads = [
      { shape: 'whole traces', load: cut(Array.from({ length: 30 }, (_, i) => wholeTraceRequest(i + 1))) },
      { shape: 'SDK', load: cut(sdkRequests(1, 30_000)) },
    ];
    const { version, collective: collectiveRates } = baseline;
    for (const { shape, load } of loads) {
      let anomalous = 0;
      let judged = 0;
      const [whole, read, scored] = await rates([
        () => {
          const counter = createCollectiveCounter({
            partition: 0,
            windowMs: COLLECTIVE_WINDOW_MS,
            version,
            rates: collectiveRates,
          });
          assemble(load, (spans) => {
            if (!reader.read(spans, segment)) return;
            judged++;
            if (baseline.judge(segment, JudgementStage.absence).anomalous) anomalous++;
            counter.add(baseline.models.timing, segment, spans.firstOffset);
          });
          return load.spans;
        },
        () => {
          assemble(load, (spans) => reader.read(spans, segment));
          return load.spans;
        },
        (() => {
          const segments = segmentsOf(load, world);
          const spans = segments.reduce((sum, one) => sum + one.spanCount, 0);
          return () => {
            for (const one of segments) baseline.judge(one, JudgementStage.absence);
            return spans;
          };
        })(),
      ]);
      const common = { shape, unit: 'spans/CPU-s', spanBytes: load.spanBytes, attributes: ATTRIBUTES } as const;
      results.push({
        name: 'assemble, read and score',
        ...common,
        ...whole!,
        target: shape === 'SDK' ? 75_000 : 150_000,
        ratio: whole!.value / read!.value,
        reference: 'assemble and read alone',
        note: `${((100 * anomalous) / judged).toFixed(2)} % anomalous`,
      });
      results.push({ name: 'score', ...common, ...scored! });
    }
    return results;
  },
};

const groups: Bench = {
  name: 'scoring-groups',
  question: 'what does each group take of scoring a matched segment?',
  async run() {
    const world = createWorld();
    const { models } = world.baseline;
    const load = cut(Array.from({ length: 30 }, (_, i) => wholeTraceRequest(i + 1)));
    const segments = segmentsOf(load, world);
    const spans = segments.reduce((sum, one) => sum + one.spanCount, 0);
    const evidence = createEvidence();
    const measured = await rates(
      GROUPS.map((group) => () => {
        const model = models[group];
        for (let round = 0; round < 4; round++) {
          for (const segment of segments) model.score(segment, JudgementStage.absence, evidence);
        }
        return 4 * spans;
      }),
    );
    return GROUPS.map((group, g) => ({
      name: group,
      shape: 'whole traces',
      unit: 'spans/CPU-s',
      ...measured[g]!,
      spanBytes: load.spanBytes,
      attributes: ATTRIBUTES,
    }));
  },
};

export const benches: readonly Bench[] = [scoring, groups];
