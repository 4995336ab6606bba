/**
 * The jobs table as a queue. Nobody instruments home-made queues, so the PRODUCER and CONSUMER spans are made here, after
 * the messaging conventions: the job carries `traceparent`, its processing is a root that links to the producer
 * (OpenTelemetry semantic conventions, "Messaging spans"). Jobs of one queue wait for each other: one root that links to all
 * their producers, as the conventions have it for batches.
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
import { BATCHED, type Queue } from './settings.ts';

interface StoredJob {
  readonly id: number;
  readonly queue: Queue;
  readonly payload: Payload;
  readonly traceparent: string;
}

const POLL_MS = 120;
const TAKEN_AT_ONCE = 8;
const BATCH_EVERY_MS = 700;
const LARGEST_BATCH = 16;

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
  const poll = async (
    batched: boolean,
    limit: number,
    everyMs: number,
    work: (jobs: readonly StoredJob[]) => Promise<unknown>,
  ): Promise<void> => {
    const db = await database;
    for (;;) {
      const last = stopped;
      const jobs = await take(db, batched, limit).catch(() => [] as StoredJob[]);
      if (jobs.length > 0) await work(jobs);
      if (last && jobs.length === 0) return;
      if (jobs.length < limit && !stopped) await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  const polling = [
    poll(false, TAKEN_AT_ONCE, POLL_MS, (jobs) => Promise.all(jobs.map((job) => work([job], handler)))),
    poll(true, LARGEST_BATCH, BATCH_EVERY_MS, (jobs) => work(jobs, handler)),
  ];
  return {
    async stop() {
      stopped = true;
      await Promise.all(polling);
    },
  };
}

/** Takes up to `limit` jobs; idle polling has no parent span and so leaves none. */
async function take(database: Database, batched: boolean, limit: number): Promise<StoredJob[]> {
  const { rows } = await database.query<StoredJob>(
    `update jobs set state = 'taken' where id in (select id from jobs where state = 'ready' and (queue = $1) = $2 order by id limit $3)
     returning id, queue, payload, traceparent`,
    [BATCHED, batched, limit],
  );
  return rows;
}

/** Works on jobs of one queue under a CONSUMER root that links to their producers; a failure is recorded and kept. */
function work(jobs: readonly StoredJob[], handler: JobHandler): Promise<void> {
  const [first] = jobs;
  if (first === undefined) return Promise.resolve();
  const links: Link[] = [];
  for (const { traceparent } of jobs) {
    const context = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
    if (context !== undefined) links.push({ context });
  }
  const message =
    first.queue === BATCHED
      ? { 'messaging.batch.message_count': jobs.length }
      : { 'messaging.message.id': String(first.id) };
  return tracer.startActiveSpan(
    `process ${first.queue}`,
    { root: true, kind: SpanKind.CONSUMER, links, attributes: { ...attributesOf(first.queue, 'process'), ...message } },
    async (span) => {
      for (const job of jobs) {
        try {
          await handler(job, { id: String(first.id), size: jobs.length });
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : 'failed' });
        }
      }
      span.end();
    },
  );
}
