/** Chooses the log by configuration, and names the topics every role relies on. */
import type { LogConfig } from '../../schemas/config/log.ts';
import { SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createWallClock } from './clock.ts';
import { createEmbeddedStore } from './embedded/store.ts';
import { createMemoryLog } from './memory.ts';
import type { Log } from './port.ts';
import { createStoredLog } from './stored-log.ts';

export interface LogDeps {
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Throws CONFIG_INVALID for a log that this version has not. */
export function checkLog(config: LogConfig): void {
  if (config.brokers.length > 0)
    throw new SpanwardenError(
      'CONFIG_INVALID',
      'this version has no Kafka log: remove log.brokers (KAFKA_BROKERS) to use the embedded one',
    );
}

export function createLog(config: LogConfig, deps: LogDeps = {}): Log {
  checkLog(config);
  if (config.kind === 'memory') return createMemoryLog(config, deps);
  const store = createEmbeddedStore(config);
  return createStoredLog(config, { store, clock: createWallClock(), ...deps });
}

/** Creates the topics that are missing; any role may start first. */
export async function ensureTopics(log: Log, config: LogConfig): Promise<void> {
  await log.ensureTopic('spans', {
    partitions: config.spansPartitions,
    retentionMs: config.spansRetentionMs,
    retentionBytes: config.spansRetentionBytes,
  });
  const small = { retentionMs: config.retentionMs };
  // one partition: a single owner keeps incidents (ARCHITECTURE decision 10)
  await log.ensureTopic('findings', { partitions: 1, ...small });
  await log.ensureTopic('actor-events', { partitions: config.actorPartitions, ...small });
  await log.ensureTopic('baselines', { partitions: 1, ...small });
}
