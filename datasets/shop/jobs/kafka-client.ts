/**
 * kafkajs as the services of the shop use it. It logs each failed attempt several times over; here a broker that goes away
 * is one line, and one more when it answers again.
 */
import type { Kafka } from 'kafkajs';
import { requireKafka } from '../instrumented.ts';
import type { ShopKafka } from './settings.ts';

export interface KafkaClient {
  readonly kafka: Kafka;
  /** Start-up is over: what goes wrong before rejects with its reason and needs no line. */
  started(): void;
  /** The broker did what it was asked to. */
  answered(): void;
  /** Stopping: a broker that is gone by now is nobody's concern. */
  quiet(): void;
}

/** Tries for about 6 s before a request fails: a broker that is started again is back by then. */
const RETRY = { initialRetryTime: 150, maxRetryTime: 2_000, retries: 6 } as const;

export function createKafkaClient(
  { brokers }: ShopKafka,
  clientId: string,
  write: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): KafkaClient {
  const { Kafka, logLevel } = requireKafka();
  let talking = false;
  let away = false;
  const kafka = new Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: RETRY,
    logLevel: logLevel.ERROR,
    logCreator: () => (entry) => {
      if (!talking || away) return;
      away = true;
      const { message, error } = entry.log as { message: string; error?: unknown };
      write(`Kafka at ${brokers.join(', ')}: ${message}${typeof error === 'string' ? `: ${error}` : ''}; trying on`);
    },
  });
  return {
    kafka,
    started() {
      talking = true;
    },
    answered() {
      if (!away) return;
      away = false;
      if (talking) write(`Kafka at ${brokers.join(', ')} answers again`);
    },
    quiet() {
      talking = false;
    },
  };
}
