/** Chooses the log by configuration, and names the topics every role relies on. */
import type { KafkaConfig } from '../../schemas/config/kafka.ts';
import type { LogConfig } from '../../schemas/config/log.ts';
import { SpanwardenError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createWallClock } from './clock.ts';
import { createEmbeddedStore } from './embedded/store.ts';
import { createKafkaLog } from './kafka/log.ts';
import { checkKafkaConfig } from './kafka/settings.ts';
import { createMemoryLog } from './memory.ts';
import type { Log, TopicOptions } from './port.ts';
import { createStoredLog } from './stored-log.ts';

export interface LogDeps {
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

export interface ChosenLog {
  readonly log: LogConfig;
  readonly kafka?: KafkaConfig;
}

/** Throws CONFIG_INVALID for settings that do not fit together, before anything is reached. */
export function checkLog({ kafka }: ChosenLog): void {
  if (kafka && kafka.brokers.length > 0) checkKafkaConfig(kafka);
}

/** On Kafka where brokers are named; else on this machine. */
export function createLog(config: ChosenLog, deps: LogDeps = {}): Log {
  checkLog(config);
  const { log, kafka } = config;
  if (kafka && kafka.brokers.length > 0) return createKafkaLog({ kafka, queueBytes: log.queueBytes }, deps);
  if (log.kind === 'memory') return createMemoryLog(log, deps);
  return createStoredLog(log, { store: createEmbeddedStore(log), clock: createWallClock(), ...deps });
}

/** What a process may do that only looks at the log of others. */
export type LogReader = Pick<Log, 'start' | 'offsets' | 'read' | 'stop'>;

/** The same log, to be read while others write it: nothing is created, no topic looked after, no group joined. */
export function createLogReader(config: ChosenLog): LogReader {
  checkLog(config);
  const { log, kafka } = config;
  if (kafka && kafka.brokers.length > 0) return createKafkaLog({ kafka, queueBytes: log.queueBytes });
  if (log.kind === 'memory')
    throw new SpanwardenError(
      'CONFIG_INVALID',
      'the log is in the memory of the process that runs (log.kind: memory): no other can read it',
    );
  return createStoredLog(log, { store: createEmbeddedStore({ ...log, readOnly: true }), clock: createWallClock() });
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
  // events are of no use once the spans they were read from are gone, and a fraction of their size
  await ensureActorEvents(log, {
    retentionMs: Math.min(config.retentionMs, config.spansRetentionMs),
    retentionBytes: Math.ceil(config.spansRetentionBytes / 8),
  });
  await log.ensureTopic('baselines', { partitions: 1, ...small });
}

/** One partition: a single owner sees all clients (docs/adr/035). Where the topic has more, only the first is used. */
async function ensureActorEvents(log: Log, retention: Omit<TopicOptions, 'partitions'>): Promise<void> {
  try {
    await log.ensureTopic('actor-events', { partitions: 1, ...retention });
  } catch (error) {
    if (!(error instanceof SpanwardenError) || error.code !== 'SCHEMA_MISMATCH') throw error;
    await log.ensureTopic('actor-events', { partitions: await log.partitions('actor-events'), ...retention });
  }
}
