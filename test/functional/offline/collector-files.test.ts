/**
 * Files that a real OpenTelemetry Collector's file exporter wrote, in each of its forms, read span by span. REFERENCE_COLLECTOR
 * names the directory of `otelcol` and `telemetrygen` (test/bench/reference/setup.sh builds them).
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readParts } from '../../../datasets/import/files.ts';
import { noReference, startReference } from '../../bench/reference/collector.ts';
import { freePorts } from '../../kafka/ports.ts';
import { spansOf } from '../../unit/datasets/import/spans.ts';

const generator = ['bin/telemetrygen', 'telemetrygen']
  .map((name) => join(process.env.REFERENCE_COLLECTOR ?? '', name))
  .find((path) => process.env.REFERENCE_COLLECTOR !== undefined && existsSync(path));
const missing =
  noReference ?? (generator === undefined ? 'there is no telemetrygen in REFERENCE_COLLECTOR' : undefined);
const required = (process.env.REQUIRE ?? '').split(',').includes('reference-collector');
if (missing !== undefined && !required) console.error(`NOT MEASURED: files that a real Collector wrote; ${missing}`);

const TRACES = 50;
const CHILD_SPANS = 3;
const FORMS = {
  'JSON lines': { file: 'lines.jsonl', exporter: {}, begins: /^\{/ },
  'protobuf messages': { file: 'messages.bin', exporter: { format: 'proto' }, begins: /^\0/ },
  'compressed JSON messages': { file: 'json.zst', exporter: { compression: 'zstd' }, begins: /^\0/ },
  'compressed protobuf messages': {
    file: 'proto.zst',
    exporter: { format: 'proto', compression: 'zstd' },
    begins: /^\0/,
  },
} as const;

describe.skipIf(missing !== undefined && !required)('the file exporter', () => {
  let directory = '';
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const forms = Object.values(FORMS);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'spanwarden-collector-files-'));
    const [port] = await freePorts(1);
    const exporters = Object.fromEntries(
      forms.map(({ file, exporter }, i) => [
        `file/${i}`,
        { path: join(directory, file), flush_interval: '100ms', ...exporter },
      ]),
    );
    const reference = await startReference({
      receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${port}` } } } },
      exporters,
      service: {
        telemetry: { logs: { level: 'info' }, metrics: { level: 'none' } },
        pipelines: { traces: { receivers: ['otlp'], exporters: Object.keys(exporters) } },
      },
    });
    try {
      const endpoint = ['--otlp-insecure', '--otlp-endpoint', `127.0.0.1:${port}`];
      const load = ['--traces', String(TRACES), '--child-spans', String(CHILD_SPANS), '--rate', '0'];
      await promisify(execFile)(generator!, ['traces', ...endpoint, ...load]);
      await vi.waitFor(async () => expect(await Promise.all(forms.map(spansIn))).toEqual(forms.map(() => total)), POLL);
    } finally {
      await reference.stop();
    }
  });

  const total = TRACES * (CHILD_SPANS + 1);
  const POLL = { timeout: 20_000, interval: 200 };

  async function read(file: string) {
    const parts = [];
    for await (const part of readParts([join(directory, file)])) parts.push(part);
    return parts;
  }
  const spansIn = async ({ file }: { readonly file: string }): Promise<number> => spansOf(await read(file)).length;

  it.each(Object.entries(FORMS))('writes %s, which are read whole', async (_, { file, begins }) => {
    expect(readFileSync(join(directory, file)).subarray(0, 1).toString('latin1')).toMatch(begins);
    const parts = await read(file);
    expect(parts.flatMap(({ problems }) => problems ?? [])).toEqual([]);
    const spans = spansOf(parts);
    expect(spans).toHaveLength(total);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(TRACES);
    expect(spans.every(({ resource }) => resource['service.name'] === 'telemetrygen')).toBe(true);
  });

  it('writes the same spans in every form', async () => {
    const [first, ...others] = await Promise.all(
      forms.map(async ({ file }) => spansOf(await read(file)).sort((a, b) => (a.spanId < b.spanId ? -1 : 1))),
    );
    for (const other of others) expect(other).toEqual(first);
  });
});
