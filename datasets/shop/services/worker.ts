/**
 * Works on the queues: fetches avatars and wish lists, sends confirmations. The hole: it fetches whatever address a customer
 * gave. Names under `.example` (RFC 2606) and addresses for documentation (RFC 5737) are answered by the demo's stand-in for
 * the internet, as if a resolver and a route led there.
 */
import { connect } from 'node:net';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { openDatabase } from '../database.ts';
import { http } from '../instrumented.ts';
import { openConsumer } from '../jobs/open.ts';
import type { Batch, Job, JobHandler } from '../jobs/port.ts';
import type { StartService } from '../main.ts';

const FETCH_TIMEOUT_MS = 4_000;
/** Networks that no host on the internet has: TEST-NET-1, -2 and -3. */
const DOCUMENTATION = /^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}$/;

export const startService: StartService = async ({ others, kafka }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  const agent = others.then((ports) => createAgent(ports.internet!));

  const fetchFrom = async (address: string): Promise<number> => {
    const url = new URL(address);
    if (url.protocol !== 'http:') throw new Error('only http');
    const through = await agent;
    return new Promise((resolve, reject) => {
      const request = http.request(url, { agent: through, timeout: FETCH_TIMEOUT_MS }, (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(bytes);
          else reject(new Error(`status ${response.statusCode}`));
        });
      });
      request.on('timeout', () => request.destroy(new Error('timed out')));
      request.on('error', reject);
      request.end();
    });
  };

  /** Who was in which batch: ground truth, no part of the work, so in no trace. */
  const note = (job: Job, batch: Batch): Promise<unknown> =>
    context.with(ROOT_CONTEXT, async () =>
      (await database).query('insert into batches (queue, batch, size, account_id) values ($1, $2, $3, $4)', [
        job.queue,
        batch.id,
        batch.size,
        Number(job.payload.account),
      ]),
    );

  const handle: JobHandler = async (job, batch) => {
    const db = await database;
    if (job.payload.account !== undefined) await note(job, batch);
    if (job.queue === 'avatars') {
      const url = String(job.payload.url);
      await fetchFrom(url);
      await db.query('update accounts set avatar = $2 where id = $1', [Number(job.payload.account), url]);
    } else if (job.queue === 'wishlists') {
      const url = String(job.payload.url);
      await fetchFrom(url);
      await db.query('insert into wishes (account_id, url) values ($1, $2)', [Number(job.payload.account), url]);
    } else {
      await db.query('select account_id, cents from orders where id = $1', [Number(job.payload.order)]);
      // A queue may hand a job over twice: nobody gets two mails.
      await db.query('insert into mails (order_id) values ($1) on conflict (order_id) do nothing', [
        Number(job.payload.order),
      ]);
    }
  };

  const consumer = await openConsumer(kafka, database, handle);
  return { port: 0, stop: () => consumer.stop() };
};

function createAgent(internetPort: number): InstanceType<typeof http.Agent> {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 4 });
  const direct = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) =>
    String(options.host).endsWith('.example') || DOCUMENTATION.test(String(options.host))
      ? connect({ host: '127.0.0.1', port: internetPort })
      : direct(options, callback);
  return agent;
}
