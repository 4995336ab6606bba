/** Sends jobs to their topics with kafkajs; its instrumentation makes the PRODUCER span and puts its context in the headers. */
import { requireKafka } from '../instrumented.ts';
import { createKafkaClient } from './kafka-client.ts';
import type { JobPublisher } from './port.ts';
import { type ShopKafka, topicOf } from './settings.ts';

const ALL_REPLICAS = -1;

export async function createKafkaPublisher(kafka: ShopKafka, service: string): Promise<JobPublisher> {
  const client = createKafkaClient(kafka, service);
  const producer = client.kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: requireKafka().Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  client.started();
  return {
    async publish(queue, key, payload) {
      const [sent] = await producer.send({
        topic: topicOf(kafka, queue),
        acks: ALL_REPLICAS,
        messages: [{ key: String(key), value: JSON.stringify(payload) }],
      });
      client.answered();
      return Number(sent?.baseOffset ?? 0);
    },
    async stop() {
      client.quiet();
      await producer.disconnect();
    },
  };
}
