/**
 * OTLP clients that are not ours and not JavaScript: telemetrygen (grpc-go and Go's HTTP client). REFERENCE_COLLECTOR names
 * the directory that holds its binary (in it, or in its `bin`); without it, or the binary, one loud line.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { type StartedCollector, spansIn, startCollector } from './started.ts';

const directory = process.env.REFERENCE_COLLECTOR;
const binary = ['bin/telemetrygen', 'telemetrygen'].map((name) => join(directory ?? '', name)).find(existsSync);
const available = directory !== undefined && binary !== undefined;
const required = (process.env.REQUIRE ?? '').split(',').includes('reference-collector');
if (!available && !required)
  console.error('NOT MEASURED: telemetrygen as an OTLP client; set REFERENCE_COLLECTOR to the directory of its binary');

const TRACES = 50;
const CHILD_SPANS = 4;

let collector: StartedCollector | undefined;
afterEach(() => collector?.stop());

describe.skipIf(!available && !required)('telemetrygen', () => {
  it.each([
    { over: 'gRPC', flags: [] },
    { over: 'HTTP', flags: ['--otlp-http'] },
  ])('is accepted over $over, every span of it', async ({ over, flags }) => {
    expect(binary, 'REFERENCE_COLLECTOR has no telemetrygen').toBeDefined();
    collector = await startCollector();
    const { grpc, http } = collector.addresses;
    const port = over === 'gRPC' ? grpc.port : http.port;
    await promisify(execFile)(binary!, [
      'traces',
      '--otlp-insecure',
      '--otlp-endpoint',
      `127.0.0.1:${port}`,
      '--traces',
      String(TRACES),
      '--child-spans',
      String(CHILD_SPANS),
      '--rate',
      '0',
      ...flags,
    ]);
    const spans = spansIn(collector.log);
    expect(spans).toHaveLength(TRACES * (CHILD_SPANS + 1));
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(TRACES);
    expect(collector.count('requests_refused_total')).toBe(0);
    expect(collector.count('spans_rejected_total')).toBe(0);
  });
});
