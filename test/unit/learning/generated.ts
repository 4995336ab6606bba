/** Generated traffic through the real reader and learners, without files or a log: what tests of learning stand on. */
import { createLearners } from '../../../baseline/all-learners.ts';
import type { Baseline } from '../../../baseline/baseline.ts';
import { createLearning, type Learning, type PublishOptions } from '../../../baseline/learning/learning.ts';
import { type Judgement, JudgementStage } from '../../../baseline/model.ts';
import { type GeneratedTrace, generateTraffic, type TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit, type ReadingKit } from '../../../traces/kit.ts';
import { NO_TEMPLATES } from '../../../traces/operations/learned-templates.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { Outcome, type SegmentSpans } from '../../../traces/segment.ts';

export const LEARNERS = createLearners({ hashKey: 'a test' });

export const PUBLISH: PublishOptions = { parent: '', previous: [], offsets: [0] };

const ASSEMBLY = assemblySection.parse({});

export interface Settled {
  readonly spans: SegmentSpans;
  readonly trace: GeneratedTrace;
}

/** Traces assembled: their segments in order of time. */
export function segmentsOf(options: TrafficOptions): Settled[] {
  const traces = [...generateTraffic(options)];
  const settled: Settled[] = [];
  const assembler = createAssembler(ASSEMBLY, {
    sink: {
      closed() {},
      withdrawn() {},
      reused() {},
      forgotten() {},
      settled: (spans) => {
        const records = spans.records.map((record) => record.slice());
        settled.push({ spans: { ...spans, records, places: spans.places.slice() }, trace: traces[spans.firstOffset]! });
      },
    },
  });
  for (const [i, { record, startMs }] of traces.entries()) {
    assembler.add(0, i, startMs + 100, record);
    if (i % 64 === 0) assembler.advance(0, startMs + 100);
  }
  assembler.end();
  return settled.sort((a, b) => a.spans.firstOffset - b.spans.firstOffset);
}

export interface LearningWorld {
  readonly kit: ReadingKit;
  readonly learning: Learning;
  /** Reads and learns; `more` may change what the trainer would say of it. */
  learn(
    settled: Settled,
    more?: { partition?: number; quarantined?: boolean; timeMs?: number; client?: string | null },
  ): void;
  judge(baseline: Baseline, settled: Settled): Judgement;
}

/** `failing`: every call of what is learned ended in an error. */
export function createLearningWorld(settings: object = {}, { failing = false } = {}): LearningWorld {
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
  const spare = createSegment(kit.symbols);
  const read = (spans: SegmentSpans, into = kit.segment): boolean => {
    const isRead = kit.reader.read(spans, into, NO_TEMPLATES);
    if (failing) into.outcome.fill(Outcome.error);
    return isRead;
  };
  const learning = createLearning(
    learningSection.parse({ profile: 'export', spanMs: 200_000, calibrationSegments: 4_000, ...settings }),
    { symbols: kit.symbols, learners: LEARNERS, rescore: (spans) => (read(spans, spare) ? spare : undefined) },
  );
  return {
    kit,
    learning,
    learn({ spans }, { partition = 0, quarantined = false, timeMs, client } = {}) {
      if (!read(spans)) return;
      if (client !== undefined) kit.segment.client = { ...kit.segment.client, address: client };
      learning.learn(kit.segment, { ...spans, partition }, quarantined, timeMs ?? kit.segment.startMs);
    },
    judge(baseline, { spans }) {
      if (!kit.reader.read(spans, kit.segment, baseline.templates)) throw new Error('unreadable');
      return baseline.judge(kit.segment, JudgementStage.absence);
    },
  };
}
