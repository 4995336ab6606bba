/** The log on a real broker, for tests: a prefix of its own, short timeouts. */
import { createKafkaLog } from '../../../runtime/log/kafka/log.ts';
import type { Log } from '../../../runtime/log/port.ts';
import type { Logger } from '../../../runtime/telemetry/logger.ts';
import type { Metrics } from '../../../runtime/telemetry/metrics.ts';
import { type KafkaConfig, kafkaSection } from '../../../schemas/config/kafka.ts';
import { type LogHarness, type LogOverrides, realTurn } from './harness.ts';

/** Brokers that others look after allow no shorter session than 6 s by default. */
const sessionTimeoutMs = process.env.KAFKA_BROKERS ? 6_000 : 2_000;

type Settings = { readonly [K in keyof KafkaConfig]?: unknown };

export const kafkaConfig = (brokers: readonly string[], topicPrefix: string, settings: Settings = {}): KafkaConfig =>
  kafkaSection.parse({ brokers, topicPrefix, sessionTimeoutMs, requestTimeoutMs: 5_000, ...settings });

export interface OpenOptions extends LogOverrides {
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export async function openKafkaLog(kafka: KafkaConfig, options: OpenOptions = {}): Promise<Log> {
  const { queueBytes = 67_108_864, logger, metrics } = options;
  const log = createKafkaLog({ kafka, queueBytes }, { logger, metrics });
  await log.start();
  return log;
}

export const kafkaHarness = (kafka: KafkaConfig): LogHarness => ({
  open: (overrides) => openKafkaLog(kafka, overrides),
  turn: realTurn,
  now: () => Date.now(),
  close: async () => {},
  shares: true,
  slowRetention: true,
});
