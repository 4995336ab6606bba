/** From records in memory to columns: assembly and reading, and what a held span costs. */
import { assemblySection } from '../../schemas/config/assembly.ts';
import { attributionSection } from '../../schemas/config/attribution.ts';
import { readingSection } from '../../schemas/config/reading.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { createAssembler } from '../../traces/assembly/assembler.ts';
import { createAttribution } from '../../traces/attribution/client.ts';
import { createSegment } from '../../traces/reading/columns.ts';
import { createReader } from '../../traces/reading/reader.ts';
import type { SegmentSpans } from '../../traces/segment.ts';
import { createSymbols } from '../../traces/symbols.ts';
import { type Bench, type BenchResult, rates, type Spread } from './bench.ts';
import { type LoadRequest, sdkRequests, wholeTraceRequest } from './load.ts';

const ATTRIBUTES = 12;
/** Wall time of the load: what a second of a busy partition brings. */
const SPANS_PER_SECOND = 50_000;

interface LogLoad {
  readonly shape: string;
  readonly records: readonly Uint8Array[];
  readonly spans: number;
  readonly spanBytes: number;
}

function cut(shape: string, loads: readonly LoadRequest[]): LogLoad {
  const records: Uint8Array[] = [];
  const cutter = createTraceCutter({ maxRecordBytes: 1_000_000, maxOutputBytes: 256_000_000 }, 1);
  let spans = 0;
  for (const load of loads) {
    cutter.cut(load.bytes, (_, value, count) => {
      // A copy of its own, as a log hands out.
      records.push(value.slice());
      spans += count;
    });
  }
  return { shape, records, spans, spanBytes: records.reduce((sum, { length }) => sum + length, 0) / spans };
}

const logLoads = (): LogLoad[] => [
  cut(
    'whole traces',
    Array.from({ length: 30 }, (_, i) => wholeTraceRequest(i + 1)),
  ),
  cut('SDK', sdkRequests(1, 30_000)),
];

const SILENT = { withdrawn() {}, settled() {}, reused() {}, forgotten() {} };

/** One pass of the load through a new assembler, records 20 µs apart in stream time, then all closed. */
function assemble(load: LogLoad, closed: (spans: SegmentSpans) => void): void {
  const assembler = createAssembler(assemblySection.parse({}), {
    sink: { ...SILENT, closed: (spans, stage) => stage === 'closed' && closed(spans) },
  });
  const start = Date.UTC(2026, 7, 1);
  const msPerRecord = ((load.spans / load.records.length) * 1000) / SPANS_PER_SECOND;
  for (let i = 0; i < load.records.length; i++) assembler.add(0, i, start + i * msPerRecord, load.records[i]!);
  assembler.end();
}

function createReading() {
  const symbols = createSymbols({ maxTexts: 100_000, maxLabels: 100_000 });
  const attribution = createAttribution(attributionSection.parse({}));
  const reader = createReader({ symbols, config: readingSection.parse({}), attribution });
  return { reader, segment: createSegment(symbols) };
}

const line = (name: string, load: LogLoad, measured: Spread, more: Partial<BenchResult> = {}): BenchResult => ({
  name,
  shape: load.shape,
  unit: 'spans/CPU-s',
  ...measured,
  spanBytes: load.spanBytes,
  attributes: ATTRIBUTES,
  ...more,
});

const assembly: Bench = {
  name: 'traces',
  question: 'how many spans a CPU-second can be assembled and read into columns, from records in memory?',
  async run() {
    const results: BenchResult[] = [];
    for (const load of logLoads()) {
      const { reader, segment } = createReading();
      const segments: SegmentSpans[] = [];
      assemble(load, (spans) => segments.push(spans));
      const [assembled, read, both] = await rates([
        () => {
          assemble(load, () => {});
          return load.spans;
        },
        () => {
          for (const spans of segments) reader.read(spans, segment);
          return load.spans;
        },
        () => {
          assemble(load, (spans) => reader.read(spans, segment));
          return load.spans;
        },
      ]);
      results.push(line('assemble', load, assembled!));
      results.push(line('read', load, read!));
      results.push(line('assemble and read', load, both!, { target: load.shape === 'SDK' ? 125_000 : 250_000 }));
    }
    return results;
  },
};

const memory: Bench = {
  name: 'traces-memory',
  question: 'how many bytes does a span of an open segment cost, its record included?',
  async run() {
    const results: BenchResult[] = [];
    for (const load of logLoads()) {
      const samples: number[] = [];
      for (let round = 0; round < 5; round++) {
        const { retained, spans } = retainedBytes(load, 8);
        samples.push(retained / spans);
      }
      samples.sort((a, b) => a - b);
      results.push({
        name: 'span of an open segment',
        shape: load.shape,
        value: samples[2]!,
        low: samples[0]!,
        high: samples[4]!,
        samples: samples.length,
        unit: 'bytes/span',
        target: 1_536,
        spanBytes: load.spanBytes,
        attributes: ATTRIBUTES,
      });
    }
    return results;
  },
};

function retainedBytes(load: LogLoad, copies: number): { retained: number; spans: number } {
  const assembler = createAssembler(assemblySection.parse({ maxOpenBytes: 4_000_000_000 }), {
    sink: { ...SILENT, closed() {} },
  });
  const used = (): number => {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const start = Date.UTC(2026, 7, 1);
  for (let copy = 0; copy < copies; copy++) {
    for (const record of load.records) {
      const value = record.slice();
      changeTraceIds(value, copy);
      assembler.add(0, 0, start, value);
    }
  }
  const retained = used() - before;
  const { spans } = assembler.gauges();
  assembler.drop(0);
  return { retained, spans };
}

/** Every copy of the load is other traces: xors a byte of each 16-byte trace id (tag 0x0a, length 16). */
function changeTraceIds(bytes: Uint8Array, copy: number): void {
  for (let at = 0; at + 18 < bytes.length; at++) {
    if (bytes[at] === 0x0a && bytes[at + 1] === 16 && bytes[at + 18] === 0x12 && bytes[at + 19] === 8)
      bytes[at + 9]! ^= copy;
  }
}

export const benches: readonly Bench[] = [assembly, memory];
