/** The log on Kafka: conformance on a real broker. */
import { describe } from 'vitest';
import { brokerForTests, freshPrefix, noKafka } from '../../kafka/for-tests.ts';
import { describeLogConformance } from './conformance.ts';
import { kafkaConfig, kafkaHarness } from './kafka-harness.ts';

describe.skipIf(noKafka)('on a real broker', () => {
  describeLogConformance('Kafka', async () => kafkaHarness(kafkaConfig(await brokerForTests(), freshPrefix())));
});
