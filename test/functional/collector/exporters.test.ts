/** OpenTelemetry's own exporter against the collector, into a real log: what instrumented services send arrives whole. */

import { SpanKind, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCollector } from '../../../collector/service.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { createSilentLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../../schemas/config/collector.ts';
import { decodeTracesData } from '../../unit/otlp/proto.ts';

const started: { stop(deadlineMs: number): Promise<void> }[] = [];
afterEach(async () => {
  for (const service of started.splice(0).reverse()) await service.stop(2_000);
});

async function startAll() {
  const log = createMemoryLog();
  await log.start();
  await log.ensureTopic('spans', { partitions: 4, retentionMs: 3_600_000 });
  const collector = createCollector(collectorSection.parse({ grpcPort: 0, httpPort: 0 }), {
    log,
    logger: createSilentLogger(),
    metrics: createMetrics(),
  });
  started.push(log, collector);
  const addresses = await collector.start();
  const records = async () => {
    const all = [];
    for (let partition = 0; partition < 4; partition++) all.push(...(await log.read('spans', partition, 0, 1_000)));
    return all;
  };
  return { addresses, records };
}

describe('OpenTelemetry exporters', () => {
  it.each(['none', 'gzip'])('over gRPC, compression %s', async (compression) => {
    const { addresses, records } = await startAll();
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', compression);
    const sdk = new NodeSDK({
      serviceName: 'functional',
      traceExporter: new GrpcExporter({ url: `http://127.0.0.1:${addresses.grpc.port}` }),
      instrumentations: [],
    });
    sdk.start();
    const tracer = trace.getTracer('functional');
    const ids = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const span = tracer.startSpan(`GET /items/${i}`, {
        kind: SpanKind.SERVER,
        attributes: { 'http.route': '/items/{id}', tags: ['a', 'b'], size: i },
      });
      ids.add(span.spanContext().traceId);
      span.addEvent('read');
      span.end();
    }
    await sdk.shutdown(); // flushes
    trace.disable();
    vi.unstubAllEnvs();
    const all = await records();
    expect(new Set(all.map((record) => record.key))).toEqual(ids);
    const spans = all.flatMap((record) =>
      decodeTracesData(record.value).resourceSpans!.flatMap((r) => r.scopeSpans!.flatMap((s) => s.spans!)),
    );
    expect(spans).toHaveLength(50);
    expect(spans[0]).toMatchObject({ kind: 2, events: [{ name: 'read' }] });
  });
});
