/** The collector as a process of its own, with a log that only counts; for collector.bench.ts, spoken to over IPC. */
import { createCollector } from '../../collector/service.ts';
import { createSilentLogger } from '../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../schemas/config/collector.ts';

let records = 0;
let bytes = 0;
const metrics = createMetrics();
const collector = createCollector(collectorSection.parse({ grpcPort: 0, httpPort: 0 }), {
  log: {
    async produce(_topic, batch) {
      records += batch.length;
      for (const record of batch) bytes += record.value.length;
    },
  },
  logger: createSilentLogger(),
  metrics,
});
const addresses = await collector.start();
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!({
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    spans: metrics.counter('collector_spans_accepted_total', '').value(),
    records,
    bytes,
  });
});
process.on('disconnect', () => process.exit(0));
process.send!({ port: addresses.grpc.port, httpPort: addresses.http.port });
