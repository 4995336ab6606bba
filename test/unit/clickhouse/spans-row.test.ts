/** What holds of span rows without a server; that the bytes are right is shown on a real one (test/functional/clickhouse). */
import { expect, test } from 'vitest';
import { createByteSink, writeUint64, writeVarUint } from '../../../schemas/clickhouse/byte-sink.ts';
import { isSpanTimeBelieved } from '../../../schemas/clickhouse/span-time.ts';
import { createSpanRowWriter, SPAN_PLACE_STRIDE, writeSpanRows } from '../../../schemas/clickhouse/spans-row.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { PLACE_STRIDE } from '../../../traces/segment.ts';
import { nanos, segmentOf, spanIdOf, traceIdOf } from '../../functional/clickhouse/segments.ts';

const APPEND_MS = Date.UTC(2026, 10, 21, 8);
const segment = (count: number) => {
  const traceId = traceIdOf();
  const spans = Array.from({ length: count }, () => ({
    traceId,
    spanId: spanIdOf(),
    name: 'work',
    startTimeUnixNano: nanos(APPEND_MS),
    endTimeUnixNano: nanos(APPEND_MS + 1),
    attributes: [{ key: 'a', value: { stringValue: 'b' } }],
  }));
  return { spans, segment: segmentOf({ 'service.name': 's' }, spans, { appendMs: APPEND_MS }) };
};

test('places are read with the stride that assembly writes', () => {
  expect(SPAN_PLACE_STRIDE).toBe(PLACE_STRIDE);
});

test('the same segment gives the same bytes, also from a writer that has seen others', () => {
  const rows = (writer: ReturnType<typeof createSpanRowWriter>, of: ReturnType<typeof segment>): Buffer => {
    const sink = createByteSink(64);
    writeSpanRows(writer, sink, of.segment);
    return Buffer.from(sink.bytes.subarray(0, sink.length));
  };
  const [one, other] = [segment(3), segment(5)];
  const writer = createSpanRowWriter(createRedactor(redactionSection.parse({})));
  const first = rows(writer, one);
  rows(writer, other);
  expect(Buffer.compare(rows(writer, one), first)).toBe(0);
  expect(writer.counts).toMatchObject({ rows: 11, clamped: 0, durationless: 0, malformed: 0, skipped: 0 });
});

test('spans that are stored already are left out; a span that cannot be read is counted', () => {
  const writer = createSpanRowWriter(createRedactor(redactionSection.parse({})));
  const { spans, segment: whole } = segment(3);
  const sink = createByteSink();
  writeSpanRows(writer, sink, whole, new Set([spans[1]!.spanId]));
  expect(writer.counts).toMatchObject({ rows: 2, skipped: 1 });
  const damaged = { ...whole, places: Int32Array.from(whole.places) };
  damaged.places[6]! -= 1; // the first span's message ends early
  writeSpanRows(writer, sink, damaged);
  expect(writer.counts).toMatchObject({ rows: 4, malformed: 1 });
});

test('a span time is believed within a week before and an hour after the append time', () => {
  expect(isSpanTimeBelieved(APPEND_MS - 6 * 86_400_000, APPEND_MS)).toBe(true);
  expect(isSpanTimeBelieved(APPEND_MS - 8 * 86_400_000, APPEND_MS)).toBe(false);
  expect(isSpanTimeBelieved(APPEND_MS + 3_599_000, APPEND_MS)).toBe(true);
  expect(isSpanTimeBelieved(APPEND_MS + 3_601_000, APPEND_MS)).toBe(false);
  expect(isSpanTimeBelieved(0, APPEND_MS)).toBe(false);
});

test('lengths and numbers keep their value beyond 32 bits', () => {
  const sink = createByteSink(1);
  writeVarUint(sink, 2 ** 40 + 3);
  writeUint64(sink, 2 ** 52 + 1);
  writeUint64(sink, Number.NaN);
  const bytes = sink.bytes.subarray(0, sink.length);
  let value = 0;
  let at = 0;
  for (let scale = 1; ; scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at++]! < 0x80) break;
  }
  expect(value).toBe(2 ** 40 + 3);
  expect(bytes.readBigUInt64LE(at)).toBe(BigInt(2 ** 52 + 1));
  expect(bytes.readBigUInt64LE(at + 8)).toBe(0n);
});
