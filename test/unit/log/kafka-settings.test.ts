/** Brokers, certificates and credentials as configured; what went wrong with a broker, in words. */
import { describe, expect, test } from 'vitest';
import { explainFailure } from '../../../runtime/log/kafka/failures.ts';
import { addressOf, checkKafkaConfig, parseBroker } from '../../../runtime/log/kafka/settings.ts';
import { topicSettings } from '../../../runtime/log/kafka/topics.ts';
import { kafkaSection } from '../../../schemas/config/kafka.ts';

test.each([
  ['kafka-1:9093', 'kafka-1', 9_093, 'kafka-1:9093'],
  ['kafka', 'kafka', 9_092, 'kafka:9092'],
  ['[::1]:29092', '::1', 29_092, '[::1]:29092'],
  [' 10.0.0.1:9092 ', '10.0.0.1', 9_092, '10.0.0.1:9092'],
])('%s is a broker', (text, host, port, address) => {
  expect(parseBroker(text)).toEqual({ host, port });
  expect(addressOf(parseBroker(text))).toBe(address);
});

test.each(['', ':9092', 'kafka:port', 'kafka:99999', 'kafka:0', '::1:9092', 'http://kafka:9092'])(
  "'%s' is none",
  (text) => {
    expect(() => parseBroker(text)).toThrow(/kafka\.brokers/);
  },
);

test.each([
  [{ sasl: { mechanism: 'PLAIN' } }, /kafka\.sasl\.username is empty/],
  [{ sasl: { username: 'u' } }, /kafka\.sasl\.mechanism is none/],
  [{ tls: { enabled: true, certFile: 'a' } }, /certFile and kafka\.tls\.keyFile/],
  [{ tls: { caFile: 'a' } }, /kafka\.tls\.enabled is false/],
  [{ brokers: ['a:b'] }, /kafka\.brokers/],
])('%j does not fit together', (settings, message) => {
  expect(() => checkKafkaConfig(kafkaSection.parse(settings))).toThrow(message);
});

describe('failures', () => {
  const plain = kafkaSection.parse({});
  const failure = (message: string, code?: string): Error => Object.assign(new Error(message), code && { code });
  test.each([
    [failure('connect ECONNREFUSED', 'ECONNREFUSED'), 'refused', /nothing listens/],
    [failure('getaddrinfo', 'ENOTFOUND'), 'name', /name of the broker/],
    [failure('Request timed out'), 'timeout', /did not answer/],
    [failure('Connection closed'), 'closed', /kafka\.sasl\.mechanism.*kafka\.tls\.enabled/],
    [failure('whatever else'), 'other', /whatever else/],
  ])('%s', (error, what, reason) => {
    const outer = new Error('Connection failed.', { cause: new AggregateError([error], 'several') });
    expect(explainFailure(outer, plain)).toMatchObject({ what, reason: expect.stringMatching(reason), refused: false });
  });

  test('with TLS and SASL on, a closed connection is not blamed on them', () => {
    const config = kafkaSection.parse({
      tls: { enabled: true },
      sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' },
    });
    expect(explainFailure(failure('Connection closed'), config).reason).toBe('the broker closed the connection');
  });
});

test("a topic's bound by size is by partition, its files are a fraction of it, and not too small for Kafka", () => {
  const settings = topicSettings({ partitions: 4, retentionMs: 80_000_000, retentionBytes: 21_474_836_480 }, 8_388_608);
  expect(settings).toMatchObject({
    'retention.bytes': '5368709120',
    'segment.bytes': '268435456',
    'segment.ms': '10000000',
    'message.timestamp.type': 'LogAppendTime',
    'cleanup.policy': 'delete',
    'max.message.bytes': '8388608',
  });
  const small = topicSettings({ partitions: 3, retentionMs: 1_000, retentionBytes: 1_000_000 }, 1_048_576);
  expect(small).toMatchObject({ 'retention.bytes': '333334', 'segment.bytes': '1048576' });
  expect(topicSettings({ partitions: 1, retentionMs: 1_000 }, 1_048_576)['retention.bytes']).toBe('-1');
});
