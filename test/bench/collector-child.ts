/**
 * The collector as a process of its own, for collector.bench.ts, spoken to over IPC. Its log only counts; with a directory
 * as argument it is the embedded one there.
 */
import { createCollector } from '../../collector/service.ts';
import { createLog, ensureTopics } from '../../runtime/log/create.ts';
import type { Log } from '../../runtime/log/port.ts';
import { createSilentLogger } from '../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../runtime/telemetry/metrics.ts';
import { collectorSection } from '../../schemas/config/collector.ts';
import { logSection } from '../../schemas/config/log.ts';

const directory = process.argv[2];
let records = 0;
let bytes = 0;
const countingLog: Pick<Log, 'produce'> = {
  async produce(_topic, batch) {
    records += batch.length;
    for (const record of batch) bytes += record.value.length;
  },
};
async function embeddedLog(): Promise<Pick<Log, 'produce'>> {
  const config = logSection.parse({ directory });
  const log = createLog({ log: config });
  await log.start();
  await ensureTopics(log, config);
  return log;
}
const metrics = createMetrics();
const collector = createCollector(collectorSection.parse({ grpcPort: 0, httpPort: 0 }), {
  log: directory === undefined ? countingLog : await embeddedLog(),
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
