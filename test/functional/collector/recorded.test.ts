/** What a real Collector's Kafka exporter wrote, in all its shapes and encodings, byte for byte (recorded/README.md). */
import { describe, expect, it } from 'vitest';
import { createForwarder } from '../../../collector/foreign/forward.ts';
import type { ForeignRecord } from '../../../runtime/log/foreign.ts';
import { createSilentLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../../schemas/config/collector.ts';
import { decodeTracesData } from '../../unit/otlp/proto.ts';
import { readRecording, SENT, spansOf } from './recorded/sent.ts';
import { OTHER_SHAPES, OTLP_SHAPES } from './recorded/shapes.ts';
import { createHandLog } from './started.ts';
import type { TopicRecord } from './topic.ts';

async function forwarded(records: readonly TopicRecord[], encoding = 'auto') {
  const log = createHandLog();
  const metrics = createMetrics();
  const config = collectorSection.parse({ kafka: { encoding } });
  const forwarder = createForwarder(config, { log, metrics, logger: createSilentLogger() });
  const batch = records.map(({ partition, value }, offset): ForeignRecord => {
    return { partition, offset, timestampMs: 1, key: null, value, headers: new Map() };
  });
  await forwarder.forward('otlp_spans', batch, new AbortController().signal);
  const results = metrics.counter('collector_foreign_records_total', '');
  return { log, result: (result: string): number => results.value({ topic: 'otlp_spans', result }) };
}

const sent = spansOf(SENT);

describe('a recording', () => {
  it.each(Object.keys(OTLP_SHAPES))(
    'of shape %s gives every span, unchanged, once, one record a trace',
    async (name) => {
      const records = readRecording(name);
      const { log, result } = await forwarded(records);
      expect(spansOf(log.records.map(({ value }) => decodeTracesData(value)))).toEqual(sent);
      expect(log.records.map(({ key }) => key).sort()).toEqual([...new Set(log.records.map(({ key }) => key))].sort());
      expect(log.records).toHaveLength(3);
      expect(result('forwarded')).toBe(records.length);
    },
  );

  it.each(Object.keys(OTLP_SHAPES))('of shape %s is read as well when its encoding is named', async (name) => {
    const encoding = name.includes('json') ? 'otlp_json' : 'otlp_proto';
    const { log } = await forwarded(readRecording(name), encoding);
    expect(spansOf(log.records.map(({ value }) => decodeTracesData(value)))).toEqual(sent);
  });

  it.each(Object.keys(OTHER_SHAPES))('of shape %s is not taken for OTLP: nothing is made up', async (name) => {
    const records = readRecording(name);
    const { log, result } = await forwarded(records);
    expect(log.records).toEqual([]);
    expect(result('not_otlp') + result('rejected')).toBe(records.length);
  });

  it('was made in the shapes it names', () => {
    const counts = Object.fromEntries(Object.keys(OTLP_SHAPES).map((name) => [name, readRecording(name).length]));
    expect(counts).toEqual({
      'request-proto': SENT.length,
      'request-json': SENT.length,
      'resource-trace-proto-fnv': 10,
      'resource-trace-json-murmur2': 10,
      'trace-proto': 3,
      'trace-json': 3,
      'span-proto': sent.size,
      'span-json-murmur2': sent.size,
    });
    for (const name of Object.keys(OTLP_SHAPES)) {
      const keyed = /fnv|murmur2/.test(name);
      expect(readRecording(name).every(({ key }) => (keyed ? /^[0-9a-f]{32}$/.test(key ?? '') : key === null))).toBe(
        true,
      );
    }
  });
});
