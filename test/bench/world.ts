/** What the detector's benches run on: a baseline learned from the same signatures, and loads cut into records. */
import { createLearners } from '../../baseline/all-learners.ts';
import type { Baseline } from '../../baseline/baseline.ts';
import { createLearning } from '../../baseline/learning/learning.ts';
import { assemblySection } from '../../schemas/config/assembly.ts';
import { attributionSection } from '../../schemas/config/attribution.ts';
import { learningSection } from '../../schemas/config/learning.ts';
import { readingSection } from '../../schemas/config/reading.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { createAssembler } from '../../traces/assembly/assembler.ts';
import { createAttribution } from '../../traces/attribution/client.ts';
import { createSegment } from '../../traces/reading/columns.ts';
import { createReader, type Reader } from '../../traces/reading/reader.ts';
import type { Segment, SegmentSpans, Symbols } from '../../traces/segment.ts';
import { createSymbols } from '../../traces/symbols.ts';
import { type LoadRequest, wholeTraceRequest } from './load.ts';

const START = Date.UTC(2026, 7, 1);
const LEARN_REQUESTS = 120;
const LEARN_MS = 200_000;
const SPANS_PER_SECOND = 50_000;
const SILENT = { closed() {}, withdrawn() {}, settled() {}, reused() {}, forgotten() {} };

export interface Records {
  readonly records: readonly Uint8Array[];
  readonly spans: number;
  readonly spanBytes: number;
}

export function cut(loads: readonly LoadRequest[]): Records {
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

export interface World {
  readonly symbols: Symbols;
  readonly reader: Reader;
  readonly segment: Segment;
  readonly baseline: Baseline;
}

/** Learns the same signatures from other seeds than those that are scored. */
export function createWorld(hashKey = ''): World {
  const symbols = createSymbols({ maxTexts: 100_000, maxLabels: 100_000 });
  const attribution = createAttribution(attributionSection.parse({}));
  const reader = createReader({ symbols, config: readingSection.parse({}), attribution });
  const segment = createSegment(symbols);
  const spare = createSegment(symbols);
  const config = learningSection.parse({ profile: 'export', spanMs: LEARN_MS });
  const learning = createLearning(config, {
    symbols,
    learners: createLearners({ hashKey }),
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

export function assemble({ records, spans }: Records, closed: (spans: SegmentSpans) => void): void {
  const assembler = createAssembler(assemblySection.parse({}), {
    sink: { ...SILENT, closed: (segment, stage) => stage === 'closed' && closed(segment) },
  });
  const msPerRecord = ((spans / records.length) * 1000) / SPANS_PER_SECOND;
  for (let i = 0; i < records.length; i++) assembler.add(0, i, START + i * msPerRecord, records[i]!);
  assembler.end();
}
