/** The outbox against receivers that misbehave, one by one, over real sockets on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { createOutbox, type Outbox } from '../../../responder/alerts/outbox.ts';
import { postAlert } from '../../../responder/alerts/webhook.ts';
import type { Alert, Delivery } from '../../../schemas/alerts/incident.ts';

const SECRET = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
const alertOf = (id: string): Alert => ({
  id,
  type: 'incident.opened',
  incidentId: 'i',
  createdMs: Date.now(),
  body: `{"id":"${id}"}`,
});
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function receiver(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => answer(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

const attempt = (url: string, timeoutMs = 5_000) =>
  postAlert({ url, secret: SECRET, timeoutMs }, alertOf('msg_1'), Date.now, new AbortController().signal);

describe('one attempt', () => {
  it('is signed so that an independent verifier accepts it', async () => {
    const seen = Promise.withResolvers<unknown>();
    const url = await receiver((request, response, body) => {
      seen.resolve(new Webhook(SECRET).verify(body, request.headers as Record<string, string>));
      response.end();
    });
    expect(await attempt(url)).toEqual({ kind: 'delivered', httpStatus: 200 });
    expect(await seen.promise).toEqual({ id: 'msg_1' });
  });

  it.each([
    [500, 'failed'],
    [429, 'failed'],
    [302, 'failed'],
    [410, 'gone'],
  ])('answered %i is %s', async (status, kind) => {
    const url = await receiver((_request, response) =>
      response.writeHead(status, { location: 'http://169.254.169.254/' }).end(),
    );
    expect((await attempt(url)).kind).toBe(kind);
  });

  it('fails when the receiver never answers', async () => {
    const url = await receiver(() => {});
    expect(await attempt(url, 50)).toMatchObject({ kind: 'failed', error: 'no answer in 50 ms' });
  });

  it('fails when the receiver closes the socket half-way', async () => {
    const url = await receiver((request) => request.socket.destroy());
    expect((await attempt(url)).kind).toBe('failed');
  });

  it('never connects to a link-local address', async () => {
    expect(await attempt('http://169.254.169.254/latest/meta-data')).toMatchObject({
      kind: 'failed',
      error: expect.stringContaining('link-local'),
    });
  });
});

describe('outbox', () => {
  function outboxOf(urls: Record<string, string>) {
    const records: Delivery[] = [];
    const dead: string[] = [];
    const waiters: { count: number; resolve: () => void }[] = [];
    const outbox: Outbox = createOutbox(
      { giveUpAfterMs: 86_400_000, maxInFlight: 2 },
      Object.entries(urls).map(([name, url]) => ({
        name,
        classes: ['security'],
        post: (alert, signal) => postAlert({ url, secret: SECRET, timeoutMs: 5_000 }, alert, Date.now, signal),
      })),
      {
        now: Date.now,
        random: () => 0,
        record: (delivery) => {
          if (delivery.state === 'pending') return;
          records.push(delivery);
          for (const waiter of waiters) if (records.length >= waiter.count) waiter.resolve();
        },
        onDead: (alert, destination) => dead.push(`${destination} ${alert.id}`),
      },
    );
    closers.push(() => outbox.stop(1_000));
    const recorded = (count: number) =>
      new Promise<void>((resolve) => (records.length >= count ? resolve() : waiters.push({ count, resolve })));
    return { outbox, records, dead, recorded };
  }

  it('tries again after a failure under the same webhook-id', async () => {
    const ids: unknown[] = [];
    const url = await receiver((request, response) => {
      ids.push(request.headers['webhook-id']);
      response.writeHead(ids.length === 1 ? 500 : 200).end();
    });
    const { outbox, records, recorded } = outboxOf({ ops: url });
    outbox.add(alertOf('msg_a'), 'security');
    await recorded(2);
    expect(ids).toEqual(['msg_a', 'msg_a']);
    expect(records.map((r) => r.state)).toEqual(['failed', 'delivered']);
  });

  it('does not let a receiver that never answers delay another', async () => {
    const stuck = await receiver(() => {});
    const good = await receiver((_request, response) => response.end());
    const { outbox, records, recorded } = outboxOf({ stuck, good });
    for (let i = 0; i < 5; i++) outbox.add(alertOf(`msg_${i}`), 'security');
    await recorded(5);
    expect(records.every((r) => r.destination === 'good' && r.state === 'delivered')).toBe(true);
  });

  it('stops sending to a destination that answered 410, with a dead letter for each alert', async () => {
    let asked = 0;
    const url = await receiver((_request, response) => {
      asked++;
      response.writeHead(410).end();
    });
    const { outbox, dead, recorded } = outboxOf({ ops: url });
    outbox.add(alertOf('msg_1'), 'security');
    await recorded(1);
    outbox.add(alertOf('msg_2'), 'security');
    await recorded(2);
    expect(asked).toBe(1);
    expect(dead).toEqual(['ops msg_1', 'ops msg_2']);
  });

  it('sends nothing twice that was added twice, and nothing of a class nobody asked for', async () => {
    let asked = 0;
    const url = await receiver((_request, response) => {
      asked++;
      response.end();
    });
    const { outbox, recorded } = outboxOf({ ops: url });
    outbox.add(alertOf('msg_1'), 'operational');
    outbox.add(alertOf('msg_1'), 'security');
    outbox.add(alertOf('msg_1'), 'security');
    await recorded(1);
    await outbox.stop(1_000);
    expect(outbox.pending()).toBe(0);
    expect(asked).toBe(1);
  });
});
