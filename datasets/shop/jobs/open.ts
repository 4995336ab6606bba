/** Opens the queues as the shop was told to: the jobs table, or Kafka. */
import type { Database } from '../database.ts';
import { startKafkaConsumer } from './kafka-consumer.ts';
import { createKafkaPublisher } from './kafka-publisher.ts';
import type { JobConsumer, JobHandler, JobPublisher } from './port.ts';
import type { ShopKafka } from './settings.ts';
import { createTablePublisher, startTableConsumer } from './table.ts';

export const openPublisher = async (
  kafka: ShopKafka | null,
  service: string,
  database: Promise<Database>,
): Promise<JobPublisher> => (kafka === null ? createTablePublisher(database) : createKafkaPublisher(kafka, service));

/** On Kafka resolves once the worker has joined its group. */
export const openConsumer = async (
  kafka: ShopKafka | null,
  database: Promise<Database>,
  handler: JobHandler,
): Promise<JobConsumer> =>
  kafka === null ? startTableConsumer(database, handler) : startKafkaConsumer(kafka, handler);
