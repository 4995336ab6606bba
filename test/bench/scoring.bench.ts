/** The detector's way of a matched segment: records in memory → assembled → read → judged; and what each group takes of it. */
import { createEvidence, JudgementStage } from '../../baseline/model.ts';
import { createCollectiveCounter } from '../../baseline/timing/collective-counter.ts';
import { COLLECTIVE_WINDOW_MS } from '../../baseline/timing/rate-book.ts';
import { GROUPS } from '../../schemas/log/verdict.ts';
import { createSegment } from '../../traces/reading/columns.ts';
import type { Segment } from '../../traces/segment.ts';
import { type Bench, type BenchResult, rates } from './bench.ts';
import { sdkRequests, wholeTraceRequest } from './load.ts';
import { assemble, createWorld, cut, type Records, type World } from './world.ts';

const ATTRIBUTES = 12;

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
