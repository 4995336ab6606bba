/** A generated marketplace: a version learned from a day of it, and another day's traffic to check it on. */
import { createLearners } from '../../../baseline/all-learners.ts';
import { type Baseline, loadBaseline } from '../../../baseline/baseline.ts';
import { createLearning } from '../../../baseline/learning/learning.ts';
import { generateTraffic, type TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { type CheckOptions, checkDetector } from '../../../detector/check/check.ts';
import { nothingCovered, type RecentTraffic } from '../../../detector/check/recent.ts';
import type { CheckReport } from '../../../detector/check/report.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { PLACE_STRIDE, type SegmentSpans } from '../../../traces/segment.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 2, 2, 8);
const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
const learners = createLearners({ hashKey: 'a test' });

/** Whole segments of generated traffic; one record a trace. */
export function segmentsOf(options: TrafficOptions): SegmentSpans[] {
  const segments: SegmentSpans[] = [];
  const assembler = createAssembler(assemblySection.parse({}), {
    sink: {
      closed() {},
      withdrawn() {},
      reused() {},
      forgotten() {},
      settled: (spans) => segments.push({ ...spans, places: spans.places.slice(0, spans.spanCount * PLACE_STRIDE) }),
    },
  });
  let offset = 0;
  let nowMs = 0;
  for (const { record, endMs } of generateTraffic(options)) {
    nowMs = Math.max(nowMs, endMs);
    assembler.add(0, offset++, nowMs, record);
    assembler.advance(0, nowMs);
  }
  assembler.end();
  return segments;
}

/** Learned from `traces` requests, and loaded as a detector would. */
export function learnMarket(traces: number, options: Partial<TrafficOptions> = {}): Baseline {
  const spare = createSegment(kit.symbols);
  const segments = segmentsOf({ seed: 1, traces, startMs: START_MS, ...options });
  const spanMs = Math.round(segments.at(-1)!.appendMs - segments[0]!.appendMs);
  const learning = createLearning(learningSection.parse({ profile: 'export', spanMs }), {
    symbols: kit.symbols,
    learners,
    rescore: (spans) => (kit.reader.read(spans, spare) ? spare : undefined),
  });
  for (const spans of segments) if (kit.reader.read(spans, kit.segment)) learning.learn(kit.segment, spans, false);
  const published = learning.publish({ parent: '', previous: [], offsets: [] });
  return loadBaseline([...published.entries()], kit.symbols, learners);
}

export const recentOf = (segments: readonly SegmentSpans[]): RecentTraffic => {
  const covered = { ...nothingCovered(), segments: segments.length, given: segments.length };
  return {
    covered: { ...covered, fromMs: segments[0]?.appendMs ?? Number.NaN, toMs: segments.at(-1)?.appendMs ?? Number.NaN },
    async *segments({ most }) {
      yield* segments.slice(0, most);
    },
  };
};

export const nextDay = (traces: number, options: Partial<TrafficOptions> = {}): SegmentSpans[] =>
  segmentsOf({ seed: 2, traces, startMs: START_MS + DAY_MS, ...options });

export const checkOn = (
  baseline: Baseline,
  segments: readonly SegmentSpans[],
  options: Partial<CheckOptions> = {},
): Promise<CheckReport> =>
  checkDetector(
    baseline,
    { most: 100_000, seed: 1, each: 60, ...options },
    { recent: recentOf(segments), symbols: kit.symbols, segment: kit.segment, reader: kit.reader },
  );
