/** Topics: created as we need them; wrong settings of those that exist are named. */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { SpanwardenError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { TopicOptions } from '../port.ts';
import { backoffMs } from './backoff.ts';
import type { Cluster, TopicInfo } from './cluster.ts';
import { KafkaError } from './failures.ts';

const MiB = 1_048_576;
const LARGEST_SEGMENT_BYTES = 256 * MiB;
const LONGEST_SEGMENT_MS = 7 * 86_400_000;
const TOPIC_RESOURCE = 2;

/** Settings of a topic of ours; retention works by whole segments, so these are a fraction of it. */
export function topicSettings(options: TopicOptions, maxMessageBytes: number): Record<string, string> {
  // Kafka's bound is by partition, ours by topic
  const bytes = options.retentionBytes ? Math.ceil(options.retentionBytes / options.partitions) : -1;
  const segmentBytes = bytes < 0 ? LARGEST_SEGMENT_BYTES : Math.floor(bytes / 8);
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(options.retentionMs),
    'retention.bytes': String(bytes),
    'segment.bytes': String(Math.max(MiB, Math.min(LARGEST_SEGMENT_BYTES, segmentBytes))),
    'segment.ms': String(Math.max(60_000, Math.min(LONGEST_SEGMENT_MS, Math.floor(options.retentionMs / 8)))),
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(maxMessageBytes),
  };
}

export interface Topics {
  ensure(name: string, options: TopicOptions): Promise<TopicInfo>;
}

export function createTopics(
  config: KafkaConfig,
  deps: { readonly cluster: Cluster; readonly logger: Logger | undefined },
): Topics {
  const { cluster, logger } = deps;
  const refusal = (name: string, what: string): SpanwardenError =>
    new SpanwardenError('SCHEMA_MISMATCH', `Kafka topic ${name} ${what}`);

  async function create(name: string, options: TopicOptions): Promise<void> {
    const configs = Object.entries(topicSettings(options, config.maxMessageBytes)).map(([key, value]) => ({
      name: key,
      value,
    }));
    const answer = await cluster.controller((connection, { createTopicsV4 }) =>
      createTopicsV4.api.async(
        connection,
        [
          {
            name,
            numPartitions: options.partitions,
            replicationFactor: config.replicationFactor,
            assignments: [],
            configs,
          },
        ],
        config.requestTimeoutMs,
        false,
      ),
    );
    const { errorCode, errorMessage } = answer.topics[0]!;
    if (errorCode === KafkaError.none) {
      logger?.info({ topic: name, partitions: options.partitions }, 'Kafka topic created');
      return;
    }
    if (errorCode === KafkaError.topicAlreadyExists) return;
    const because = errorMessage ?? `error ${errorCode}`;
    if (errorCode === KafkaError.topicAuthorizationFailed || errorCode === KafkaError.clusterAuthorizationFailed) {
      const settings = configs.map(({ name: key, value }) => `--config ${key}=${value}`).join(' ');
      throw new SpanwardenError(
        'CONFIG_INVALID',
        `Kafka does not let ${config.sasl.username || 'anonymous clients'} create topic ${name}: allow Create, or run kafka-topics.sh --create --topic ${name} --partitions ${options.partitions} ${settings}`,
      );
    }
    if (errorCode === KafkaError.invalidReplicationFactor)
      throw new SpanwardenError('CONFIG_INVALID', `topic ${name}: ${because} (kafka.replicationFactor)`);
    if (errorCode === KafkaError.policyViolation || errorCode === KafkaError.invalidPartitions)
      throw new SpanwardenError('CONFIG_INVALID', `Kafka refuses topic ${name}: ${because}`);
    throw new SpanwardenError('LOG_UNAVAILABLE', `cannot create topic ${name}: ${because}`);
  }

  /** Settings in force; empty when we may not see them. */
  async function settingsOf(name: string): Promise<Map<string, string>> {
    const answer = await cluster.anywhere((connection, { describeConfigsV2 }) =>
      describeConfigsV2.api.async(connection, [
        {
          resourceType: TOPIC_RESOURCE,
          resourceName: name,
          configurationKeys: [
            'cleanup.policy',
            'message.timestamp.type',
            'retention.ms',
            'retention.bytes',
            'max.message.bytes',
          ],
        },
      ]),
    );
    const settings = new Map<string, string>();
    for (const { name: key, value } of answer.results[0]?.configs ?? [])
      if (value !== null && value !== undefined) settings.set(key, value);
    return settings;
  }

  async function verify(info: TopicInfo, options: TopicOptions): Promise<void> {
    const { name, leaders } = info;
    if (leaders.length !== options.partitions)
      throw refusal(
        name,
        `has ${leaders.length} partitions, not ${options.partitions}; they are fixed when it is created`,
      );
    const settings = await settingsOf(name);
    const alter = (setting: string) => `kafka-configs.sh --alter --topic ${name} --add-config ${setting}`;
    const policy = settings.get('cleanup.policy');
    if (policy !== undefined && policy !== 'delete')
      throw refusal(name, `has cleanup.policy=${policy}, which loses records: ${alter('cleanup.policy=delete')}`);
    const timestamps = settings.get('message.timestamp.type');
    if (timestamps !== undefined && timestamps !== 'LogAppendTime')
      throw refusal(
        name,
        `has message.timestamp.type=${timestamps}, so senders' clocks would decide: ${alter('message.timestamp.type=LogAppendTime')}`,
      );
    const retentionMs = Number(settings.get('retention.ms') ?? -1);
    if (retentionMs >= 0 && retentionMs < options.retentionMs)
      logger?.warn(
        { topic: name, retentionMs, wantedMs: options.retentionMs },
        'Kafka topic keeps records for less long than configured (retention.ms)',
      );
    const largest = Number(settings.get('max.message.bytes') ?? Number.POSITIVE_INFINITY);
    if (largest < config.maxMessageBytes)
      logger?.warn(
        { topic: name, maxMessageBytes: largest, wantedBytes: config.maxMessageBytes },
        'Kafka topic takes smaller records than kafka.maxMessageBytes; larger ones will be refused (max.message.bytes)',
      );
  }

  const complete = (info: TopicInfo | null): info is TopicInfo => info?.leaders.every((leader) => leader >= 0) ?? false;

  async function attempt(name: string, options: TopicOptions): Promise<TopicInfo> {
    let info = await cluster.refresh(name);
    if (info === null) {
      await create(name, options);
      for (let tries = 1; !complete(info); tries++) {
        if (tries > 1) await new Promise((resolve) => setTimeout(resolve, Math.min(250, 20 * tries)));
        if (tries > 100) throw new SpanwardenError('LOG_UNAVAILABLE', `topic ${name} has no leaders yet`);
        info = await cluster.refresh(name);
      }
    }
    await verify(info, options);
    return info;
  }

  return {
    async ensure(name, options) {
      for (let tries = 1; ; tries++) {
        try {
          return await attempt(name, options);
        } catch (error) {
          if (cluster.stopped || !(error instanceof SpanwardenError) || !error.retryable) throw error;
          if (tries === 1)
            logger?.warn({ topic: name, reason: error.message }, 'cannot look after the Kafka topic yet');
          await new Promise((resolve) => setTimeout(resolve, backoffMs(tries)));
        }
      }
    },
  };
}
