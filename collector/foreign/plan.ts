/** Which foreign topics are read, and as which group; refuses what cannot be meant. */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { CollectorConfig } from '../../schemas/config/collector.ts';
import type { KafkaConfig } from '../../schemas/config/kafka.ts';
import { TOPICS } from '../../schemas/log/topics.ts';

export interface ForeignPlan {
  readonly topics: readonly string[];
  /** Whole name. */
  readonly group: string;
}

/** Undefined when no topics are named. Throws CONFIG_INVALID for topics without brokers, and for topics of our own. */
export function planForeign(
  collector: Pick<CollectorConfig, 'kafka'>,
  kafka: Pick<KafkaConfig, 'brokers' | 'topicPrefix'>,
): ForeignPlan | undefined {
  const topics = [...new Set(collector.kafka.topics)];
  if (topics.length === 0) return undefined;
  if (kafka.brokers.length === 0)
    throw new SpanwardenError(
      'CONFIG_INVALID',
      'collector.kafka.topics names topics but kafka.brokers (KAFKA_BROKERS) names no broker to read them from',
    );
  const ours = new Set<string>(TOPICS.map((topic) => kafka.topicPrefix + topic));
  const own = topics.find((topic) => ours.has(topic));
  if (own !== undefined)
    throw new SpanwardenError(
      'CONFIG_INVALID',
      `collector.kafka.topics: ${own} is a topic of our own, not one to read in`,
    );
  return { topics, group: collector.kafka.group || `${kafka.topicPrefix}collector` };
}
