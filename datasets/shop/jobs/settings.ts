/** How jobs travel from the services to the worker, as the shop is started; plain JSON, handed to each service. */

/** The shop's queues. On Kafka each is a topic. */
export const QUEUES = ['avatars', 'confirmations', 'wishlists'] as const;
export type Queue = (typeof QUEUES)[number];

/** On the jobs table, the queue whose jobs wait for each other and are worked on together. */
export const BATCHED: Queue = 'wishlists';

/** kafkajs hands over messages one by one, or by the batch: users have both, and the spans differ. */
export const CONSUMERS = ['eachMessage', 'eachBatch'] as const;
export type ConsumerStyle = (typeof CONSUMERS)[number];

/** Without it jobs travel through a table of the shop's database. */
export interface ShopKafka {
  /** host:port */
  readonly brokers: readonly string[];
  /** `eachMessage` unless said otherwise. */
  readonly consumer?: ConsumerStyle;
  /** Before the names of the topics and of the consumer group; one running shop each on a cluster. */
  readonly prefix?: string;
}

const DEFAULT_PREFIX = 'spanwarden-shop';

export const topicOf = (kafka: ShopKafka, queue: Queue): string => `${kafka.prefix ?? DEFAULT_PREFIX}.${queue}`;

export const groupOf = (kafka: ShopKafka): string => `${kafka.prefix ?? DEFAULT_PREFIX}.worker`;

export const isConsumerStyle = (text: string): text is ConsumerStyle => (CONSUMERS as readonly string[]).includes(text);
