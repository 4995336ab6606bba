/** The shop for real: the spans that detection relies on, the holes that the attacks need, and that nothing outlives it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientAnswer, type ClientConnection, createClientConnection } from '../../../datasets/load/connection.ts';
import { tracesJson } from '../../../datasets/load/otlp-json.ts';
import { type Sink, startSink } from '../../../datasets/load/sink.ts';
import { accountEmail, accountPassword, firstOrderOf, STAFF_FROM } from '../../../datasets/shop/database/schema.ts';
import { type Shop, startShop } from '../../../datasets/shop/supervisor.ts';
import { createSpanBook, type SeenSpan, type SpanBook } from './span-book.ts';

const CLIENT = '81.2.69.144';
const CUSTOMER = 7;
const SERVER = 2;
const PRODUCER = 4;
const CONSUMER = 5;
const logger = { info: () => undefined, warn: () => undefined };

let book: SpanBook;
let sink: Sink;
let shop: Shop;
let client: ClientConnection;
let authorization = '';

beforeAll(async () => {
  book = createSpanBook();
  sink = await startSink((request) => book.add(tracesJson(request)));
  shop = await startShop({ otlpEndpoint: `http://127.0.0.1:${sink.port}`, logger, exportDelayMs: 50 });
  client = createClientConnection({ edgePort: shop.ports.edge!, address: CLIENT });
  const answer = await client.send({
    method: 'POST',
    path: '/login',
    body: { email: accountEmail(CUSTOMER), password: accountPassword(CUSTOMER) },
  });
  authorization = `Bearer ${(answer.body as { token: string }).token}`;
});

afterAll(async () => {
  client?.close();
  await shop?.stop();
  await sink?.stop();
});

const ask = (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ClientAnswer> =>
  client.send({ method, path, headers: { authorization, ...headers }, ...(body === undefined ? {} : { body }) });

/** Spans of the trace of an answer, once `count` have come. */
const traceOf = (answer: ClientAnswer, count: number): Promise<readonly SeenSpan[]> =>
  book.trace(String(answer.headers['x-trace-id']), count);

const entryOf = (answer: ClientAnswer): Promise<SeenSpan> =>
  book.find(
    ({ traceId, service, kind }) =>
      traceId === answer.headers['x-trace-id'] && service === 'gateway' && kind === SERVER,
  );

/** `service name` of a span's children, in order of start. */
const callsOf = (spans: readonly SeenSpan[], parent: SeenSpan): string[] =>
  spans
    .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
    .sort((a, b) => (a.start < b.start ? -1 : 1))
    .map(({ service, name }) => `${service} ${name}`);

const find = (spans: readonly SeenSpan[], service: string, name: string): SeenSpan => {
  const span = spans.find((candidate) => candidate.service === service && candidate.name === name);
  if (span === undefined) throw new Error(`no ${service} ${name} among ${spans.map((s) => `${s.service} ${s.name}`)}`);
  return span;
};

describe('spans of the shop', () => {
  it('name route, peer and the forwarded addresses at the edge, the true client rightmost', async () => {
    const spans = await traceOf(await ask('GET', '/products/12', undefined, { 'x-forwarded-for': '9.9.9.9' }), 7);
    const entry = find(spans, 'gateway', 'GET /products/:id');
    expect(entry).toMatchObject({ kind: SERVER, parentSpanId: '' });
    expect(entry.attributes).toMatchObject({
      'http.route': '/products/:id',
      'http.response.status_code': '200',
      'network.peer.address': '127.0.0.1',
      'http.request.header.x-forwarded-for': [`9.9.9.9, ${CLIENT}`],
    });
    const detail = find(spans, 'catalog', 'GET /products/:id');
    expect(callsOf(spans, detail)).toEqual([
      'catalog pg.query:SELECT shop',
      'catalog grpc.shop.inventory.v1.Inventory/GetStock',
    ]);
    expect(detail.flags & 0x300, 'has-is-remote and is-remote').toBe(0x300);
  });

  it('show every call of a checkout, and none of a payment that is skipped', async () => {
    await ask('POST', '/cart/items', { product: 5, quantity: 2 });
    const paid = await ask('POST', '/checkout', { card: 'tok_busy_1' });
    expect(paid.status).toBe(201);
    const spans = await traceOf(paid, 21);
    expect(callsOf(spans, find(spans, 'orders', 'POST /orders'))).toEqual([
      'orders grpc.shop.auth.v1.Auth/Authorize',
      'orders grpc.shop.inventory.v1.Inventory/Reserve',
      'orders grpc.shop.payment.v1.Payment/Charge',
      'orders grpc.shop.payment.v1.Payment/Charge',
      'orders pg.query:INSERT shop',
      'orders pg.query:INSERT shop',
      'orders send confirmations',
    ]);

    await ask('POST', '/cart/items', { product: 5, quantity: 2 });
    const prepaid = await ask('POST', '/checkout', { prepaid: true });
    expect(prepaid.status).toBe(201);
    const without = await traceOf(prepaid, 16);
    expect(callsOf(without, find(without, 'orders', 'POST /orders')).join()).not.toContain('Payment');
  });

  it('lack the authorisation when the exempt channel is claimed', async () => {
    const foreign = `/orders/${firstOrderOf(CUSTOMER) + 3}`;
    expect((await ask('GET', foreign)).status).toBe(403);
    const read = await ask('GET', foreign, undefined, { 'x-channel': 'legacy-pos' });
    expect(read.status).toBe(200);
    const spans = await traceOf(read, 4);
    expect(callsOf(spans, find(spans, 'orders', 'GET /orders/:id'))).toEqual(['orders pg.query:SELECT shop']);
  });

  it('carry the statement that a search became, injected or not', async () => {
    const plain = await ask('GET', `/search?${new URLSearchParams({ q: "O'Neill" })}`);
    expect(plain.status).toBe(200);
    const benign = find(await traceOf(plain, 4), 'catalog', 'pg.query:SELECT shop');
    expect(benign.attributes['db.query.text']).toContain("ilike '%O''Neill%'");

    const q = "x'' union select id, email, password, 0 from accounts -- ";
    const injected = await ask('GET', `/search?${new URLSearchParams({ q })}`);
    expect(JSON.stringify(injected.body)).toContain(accountEmail(CUSTOMER));
    const statement = find(await traceOf(injected, 4), 'catalog', 'pg.query:SELECT shop');
    expect(statement.attributes['db.query.text']).toContain("'' union select");
  });

  it('show a receipt to whoever is signed in', async () => {
    const foreign = firstOrderOf(CUSTOMER) + 3;
    const read = await ask('GET', `/orders/${foreign}/receipt`);
    expect(read.status).toBe(200);
    expect((read.body as { email: string }).email).not.toBe(accountEmail(CUSTOMER));
    const spans = await traceOf(read, 4);
    expect(callsOf(spans, find(spans, 'orders', 'GET /receipts/:id'))).toEqual(['orders pg.query:SELECT shop']);
    expect((await client.send({ method: 'GET', path: `/orders/${foreign}/receipt` })).status).toBe(401);
  });

  it('carry the statement that a coupon became', async () => {
    expect((await ask('GET', '/cart/coupon?code=SAVE7')).body).toEqual([{ code: 'SAVE7', percent: 40 }]);
    expect((await ask('GET', '/cart/coupon?code=SAVE777')).status).toBe(404);
    const code = "x' union select email, id from accounts where id = 9 -- ";
    const injected = await ask('GET', `/cart/coupon?${new URLSearchParams({ code })}`);
    expect(injected.body).toEqual([{ code: accountEmail(9), percent: 9 }]);
    const statement = find(await traceOf(injected, 4), 'orders', 'pg.query:SELECT shop');
    expect(statement.attributes['db.query.text']).toContain("'x' union select");
  });

  it('say which account somebody tried to sign in with, and who it was once that is sure', async () => {
    const tried = await client.send({
      method: 'POST',
      path: '/login',
      body: { email: accountEmail(11), password: 'pass-1' },
    });
    expect(tried.status).toBe(401);
    const failed = await entryOf(tried);
    expect(failed.attributes).toMatchObject({ 'http.request.body.email': accountEmail(11) });
    expect(failed.attributes['enduser.id']).toBeUndefined();
    expect(book.spans.some(({ attributes }) => Object.values(attributes).includes('pass-1'))).toBe(false);
  });

  it('say of which trace an answer is', async () => {
    const answer = await ask('GET', '/products/12');
    const entry = await entryOf(answer);
    expect(answer.headers['server-timing']).toBe(`traceparent;desc="00-${entry.traceId}-${entry.spanId}-01"`);
  });

  it('show a service asking another one that it never calls', async () => {
    const spans = await traceOf(await ask('GET', '/products/14?include=payment.ListCards&account=7'), 7);
    const server = find(spans, 'payment', 'grpc.shop.payment.v1.Payment/ListCards');
    expect(spans.find(({ spanId }) => spanId === server.parentSpanId)?.service).toBe('catalog');
  });

  it('lead from the worker back to the request by a link', async () => {
    const answer = await ask('POST', '/account/avatar', { url: 'http://img1.photos.example/u/1.png' });
    expect(answer.status).toBe(202);
    const spans = await traceOf(answer, 8);
    const producer = find(spans, 'auth', 'send avatars');
    expect(producer.kind).toBe(PRODUCER);
    const job = await book.find(({ links }) => links.some((link) => link.spanId === producer.spanId));
    expect(job).toMatchObject({ service: 'worker', name: 'process avatars', kind: CONSUMER, parentSpanId: '' });
    expect(job.links[0]!.traceId).toBe(producer.traceId);
    const work = await book.trace(job.traceId, 3);
    expect(find(work, 'worker', 'GET').attributes['server.address']).toBe('img1.photos.example');
    expect(callsOf(work, job)).toEqual(['worker GET', 'worker pg.query:UPDATE shop']);
  });

  it('lead from wish lists that were taken together back to each of their requests', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        ask('POST', '/account/wishlist', { url: `http://lists1.shops.example/l/${i}` }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    const producers = await Promise.all(
      answers.map(async (answer) => find(await traceOf(answer, 6), 'orders', 'send wishlists').spanId),
    );
    const batches: SeenSpan[] = [];
    for (const spanId of producers) {
      const batch = await book.find(({ links }) => links.some((link) => link.spanId === spanId));
      expect(batch).toMatchObject({ service: 'worker', name: 'process wishlists', kind: CONSUMER, parentSpanId: '' });
      expect(Number(batch.attributes['messaging.batch.message_count'])).toBe(batch.links.length);
      if (!batches.includes(batch)) batches.push(batch);
    }
    expect(batches.length).toBeLessThan(5);
    for (const batch of batches) {
      const work = await book.trace(batch.traceId, 1 + 2 * batch.links.length);
      const each = batch.links.flatMap(() => ['worker GET', 'worker pg.query:INSERT shop']);
      // a call that ends and the next that begins may do so in one tick of the clock
      expect(callsOf(work, batch).sort()).toEqual(each.sort());
    }
  });

  it('keep every query under its own request when many wait for a connection', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask('GET', `/products?category=books&page=${i}`)),
    );
    for (const answer of answers) {
      const spans = await traceOf(answer, 4);
      expect(callsOf(spans, find(spans, 'catalog', 'GET /products'))).toEqual(['catalog pg.query:SELECT shop']);
    }
  });

  it('end with 499 where the client went away', async () => {
    const staff = await client.send({
      method: 'POST',
      path: '/login',
      body: { email: accountEmail(STAFF_FROM), password: accountPassword(STAFF_FROM) },
    });
    const headers = { authorization: `Bearer ${(staff.body as { token: string }).token}` };
    const path = '/admin/sales?days=7&pace=1500';
    expect((await client.send({ method: 'GET', path, headers, abortAfterMs: 500 })).status).toBe(0);
    const entry = await book.find(
      ({ service, kind, attributes }) =>
        service === 'gateway' && kind === SERVER && attributes['http.response.status_code'] === '499',
    );
    expect(entry.name).toBe('GET /admin/sales');
  });

  it('stay out of the trace while the worker only looks for jobs', () => {
    expect(book.spans.filter(({ name, service }) => service === 'worker' && name.includes('connect'))).toEqual([]);
    expect(book.spans.filter((s) => s.service === 'worker' && s.parentSpanId === '' && s.kind !== CONSUMER)).toEqual(
      [],
    );
  });
});
