/** Encoding spans as ClickHouse rows, with redaction. */
import { createByteSink } from '../../schemas/clickhouse/byte-sink.ts';
import { createSpanRowWriter, type SpanPlaces, writeSpanRows } from '../../schemas/clickhouse/spans-row.ts';
import { redactionSection } from '../../schemas/config/redaction.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { createRedactor } from '../../traces/redaction/redactor.ts';
import { placesOf } from '../functional/clickhouse/segments.ts';
import { decodeTracesData } from '../unit/otlp/proto.ts';
import { type Bench, type BenchResult, rates } from './bench.ts';
import { sdkRequests, wholeTraceRequest } from './load.ts';

/** The load's spans start on 2026-08-01: rows are written as if they had just come. */
const APPEND_MS = Date.UTC(2026, 7, 1, 1);

/** Segments as assembly closes them: all records of a trace. */
function segmentsOf(requests: readonly { readonly bytes: Uint8Array }[]): SpanPlaces[] {
  const cutter = createTraceCutter({ maxRecordBytes: 1_000_000, maxOutputBytes: 80_000_000 }, 42);
  const traces = new Map<string, Uint8Array[]>();
  for (const { bytes } of requests)
    cutter.cut(bytes, (traceId, value) => {
      const record = Uint8Array.prototype.slice.call(value);
      const records = traces.get(traceId);
      if (records === undefined) traces.set(traceId, [record]);
      else records.push(record);
    });
  return [...traces.values()].map((records) => {
    const places = records.flatMap((record, index) => [...placesOf(record)].map((at, i) => (i % 7 === 0 ? index : at)));
    return { records, spanCount: places.length / 7, places: Int32Array.from(places), appendMs: APPEND_MS };
  });
}

/** What a plain writer does: spans as objects, then one JSON line each. */
function jsonLines(segment: SpanPlaces): number {
  let bytes = 0;
  for (const record of segment.records)
    for (const { resource, scopeSpans } of decodeTracesData(record).resourceSpans ?? [])
      for (const { scope, spans } of scopeSpans ?? [])
        for (const span of spans ?? []) {
          const SpanAttributes = Object.fromEntries(
            (span.attributes ?? []).map(({ key, value }) => [key, textOf(value)]),
          );
          const ResourceAttributes = Object.fromEntries(
            (resource?.attributes ?? []).map(({ key, value }) => [key, textOf(value)]),
          );
          bytes += JSON.stringify({
            name: span.name,
            ScopeName: scope?.name,
            SpanAttributes,
            ResourceAttributes,
          }).length;
        }
  return bytes;
}

const textOf = (value: unknown): string => String(Object.values((value as object | undefined) ?? {})[0] ?? '');

const encode: Bench = {
  name: 'clickhouse-encode',
  question: 'how fast are spans encoded as rows of otel_traces, redaction included?',
  async run() {
    const results: BenchResult[] = [];
    for (const [shape, requests] of [
      ['whole traces', [1, 2, 3, 4].map((seed) => wholeTraceRequest(seed))],
      ['SDK', sdkRequests(1)],
    ] as const) {
      const segments = segmentsOf(requests);
      const spans = segments.reduce((sum, segment) => sum + segment.spanCount, 0);
      const sink = createByteSink(32 << 20);
      const round = (mode: 'mask' | 'keep') => {
        const writer = createSpanRowWriter(createRedactor(redactionSection.parse({ mode })));
        return () => {
          for (let pass = 0; pass < 5; pass++) {
            sink.length = 0;
            for (const segment of segments) writeSpanRows(writer, sink, segment);
          }
          return 5 * spans;
        };
      };
      const [masked, kept, json] = await rates([
        round('mask'),
        round('keep'),
        () => {
          for (const segment of segments) jsonLines(segment);
          return spans;
        },
      ]);
      const recordBytes = segments.reduce((sum, { records }) => sum + records.reduce((all, r) => all + r.length, 0), 0);
      const common = { shape, unit: 'spans/CPU-s', spanBytes: recordBytes / spans, attributes: 12 };
      results.push(
        {
          name: 'row encoding',
          ...common,
          ...masked!,
          target: 150_000,
          ratio: masked!.value / json!.value,
          reference: 'objects and JSON lines',
        },
        {
          name: 'row encoding without redaction',
          ...common,
          ...kept!,
          ratio: kept!.value / masked!.value,
          reference: 'with redaction',
        },
      );
    }
    return results;
  },
};

export const benches: readonly Bench[] = [encode];
