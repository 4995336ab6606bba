/**
 * The jobs table as a queue. Nobody instruments home-made queues, so the PRODUCER and CONSUMER spans are made here, after
 * the messaging conventions: the job carries `traceparent`, its processing is a root that links to the producer
 * (OpenTelemetry semantic conventions, "Messaging spans").
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
import type { Database } from '../database.ts';
import type { JobConsumer, JobHandler, JobPublisher, Payload } from './port.ts';
import type { Queue } from './settings.ts';

interface StoredJob {
  readonly id: number;
  readonly queue: Queue;
  readonly payload: Payload;
  readonly traceparent: string;
}

const POLL_MS = 120;
const BATCH = 8;

const tracer = trace.getTracer('shop-jobs');

const attributesOf = (queue: Queue, type: 'send' | 'process') => ({
  'messaging.system': 'postgresql',
  'messaging.operation.name': type,
  'messaging.operation.type': type,
  'messaging.destination.name': queue,
});

export function createTablePublisher(database: Promise<Database>): JobPublisher {
  return {
    publish: (queue, _key, payload) =>
      tracer.startActiveSpan(
        `send ${queue}`,
        { kind: SpanKind.PRODUCER, attributes: attributesOf(queue, 'send') },
        async (span) => {
          const carrier: { traceparent?: string } = {};
          propagation.inject(context.active(), carrier, defaultTextMapSetter);
          try {
            const { rows } = await (await database).query<{ id: number }>(
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
      ),
    stop: async () => undefined,
  };
}

export function startTableConsumer(database: Promise<Database>, handler: JobHandler): JobConsumer {
  let stopped = false;
  const poll = async (): Promise<void> => {
    const db = await database;
    for (;;) {
      const last = stopped;
      const jobs = await take(db, BATCH).catch(() => [] as StoredJob[]);
      await Promise.all(jobs.map((job) => work(job, handler)));
      if (last && jobs.length === 0) return;
      if (jobs.length < BATCH && !stopped) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const polling = poll();
  return {
    async stop() {
      stopped = true;
      await polling;
    },
  };
}

/** Takes up to `limit` jobs; idle polling has no parent span and so leaves none. */
async function take(database: Database, limit: number): Promise<StoredJob[]> {
  const { rows } = await database.query<StoredJob>(
    `update jobs set state = 'taken' where id in (select id from jobs where state = 'ready' order by id limit $1)
     returning id, queue, payload, traceparent`,
    [limit],
  );
  return rows;
}

/** Works on a job under a CONSUMER root that links to the producer; a failure is recorded and kept. */
function work(job: StoredJob, handler: JobHandler): Promise<void> {
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
