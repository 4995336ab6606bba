/**
 * The jobs table: how the shop hands work to its worker. Nobody instruments home-made queues, so the PRODUCER and CONSUMER
 * spans are made here, after the messaging conventions: the job carries `traceparent`, its processing is a root that links
 * to the producer (OpenTelemetry semantic conventions, "Messaging spans").
 */
import {
  context,
  defaultTextMapSetter,
  type Link,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Database } from './database.ts';

export interface Job {
  readonly id: number;
  readonly queue: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly traceparent: string;
}

const tracer = trace.getTracer('shop-jobs');

const attributesOf = (queue: string, type: 'send' | 'process') => ({
  'messaging.system': 'postgresql',
  'messaging.operation.name': type,
  'messaging.operation.type': type,
  'messaging.destination.name': queue,
});

/** Queues a job under a PRODUCER span. */
export function publish(database: Database, queue: string, payload: object): Promise<number> {
  return tracer.startActiveSpan(
    `send ${queue}`,
    { kind: SpanKind.PRODUCER, attributes: attributesOf(queue, 'send') },
    async (span) => {
      const carrier: { traceparent?: string } = {};
      propagation.inject(context.active(), carrier, defaultTextMapSetter);
      try {
        const { rows } = await database.query<{ id: number }>(
          'insert into jobs (queue, payload, traceparent) values ($1, $2, $3) returning id',
          [queue, JSON.stringify(payload), carrier.traceparent ?? ''],
        );
        const id = rows[0]!.id;
        span.setAttribute('messaging.message.id', String(id));
        return id;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

/** Takes up to `limit` jobs; idle polling has no parent span and so leaves none. */
export async function take(database: Database, limit: number): Promise<Job[]> {
  const { rows } = await database.query<Job>(
    `update jobs set state = 'taken' where id in (select id from jobs where state = 'ready' order by id limit $1)
     returning id, queue, payload, traceparent`,
    [limit],
  );
  return rows;
}

/** Works on a job under a CONSUMER root that links to the producer; a failure is recorded and kept. */
export function work(job: Job, handler: (job: Job) => Promise<void>): Promise<void> {
  const producer = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent: job.traceparent }));
  const links: Link[] = producer === undefined ? [] : [{ context: producer }];
  return tracer.startActiveSpan(
    `process ${job.queue}`,
    {
      root: true,
      kind: SpanKind.CONSUMER,
      links,
      attributes: { ...attributesOf(job.queue, 'process'), 'messaging.message.id': String(job.id) },
    },
    async (span) => {
      try {
        await handler(job);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : 'failed' });
      } finally {
        span.end();
      }
    },
  );
}
