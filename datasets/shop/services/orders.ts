/**
 * Carts, coupons, orders and wish lists (HTTP). Three holes, on purpose: the old point-of-sale channel is exempt from
 * authorisation, an order that says it is prepaid is believed, and a coupon's code goes into the statement as it is.
 */
import { randomUUID } from 'node:crypto';
import { openDatabase } from '../database.ts';
import { grpc } from '../instrumented.ts';
import { openPublisher } from '../jobs/open.ts';
import type { StartService } from '../main.ts';
import { createRouter, HttpFailure, type Incoming, listen } from '../router.ts';
import { createRpcCaller, RpcFailure } from '../rpc.ts';
import { serverStopper } from '../server-stop.ts';

/** Attempts to charge while the payment service is unavailable. */
export const CHARGE_ATTEMPTS = 5;
/** Tills of before 2019 cannot sign in. */
const LEGACY_CHANNEL = 'legacy-pos';
const CENTS_PER_LINE = 1_900;

interface Line {
  readonly product: number;
  readonly quantity: number;
}

export const startService: StartService = async ({ others, kafka }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  const jobs = await openPublisher(kafka, 'orders', database);
  const auth = others.then((ports) => createRpcCaller('auth', ports.auth!));
  const inventory = others.then((ports) => createRpcCaller('inventory', ports.inventory!));
  const payment = others.then((ports) => createRpcCaller('payment', ports.payment!));
  const carts = new Map<number, Line[]>();

  const authorize = async (request: Incoming, account: number, action: string, order?: number): Promise<void> => {
    if (request.headers['x-channel'] === LEGACY_CHANNEL) return;
    await (await auth)('Authorize', { account, action, ...(order === undefined ? {} : { order }) }).catch(
      toHttp(grpc.status.PERMISSION_DENIED, 403),
    );
  };

  const charge = async (account: number, cents: number, card: string): Promise<void> => {
    const order = randomUUID();
    for (let attempt = 1; ; attempt++) {
      try {
        await (await payment)('Charge', { order, account, cents, card, attempt });
        return;
      } catch (error) {
        if (!(error instanceof RpcFailure)) throw error;
        if (error.code === grpc.status.FAILED_PRECONDITION) throw new HttpFailure(402, error.message);
        if (attempt === CHARGE_ATTEMPTS) throw new HttpFailure(503, error.message);
      }
    }
  };

  const server = createRouter([
    [
      'GET',
      '/carts/:account',
      async ({ params }) => {
        const lines = carts.get(Number(params.account)) ?? [];
        if (lines.length === 0) return { status: 200, body: { lines: [] } };
        const { rows } = await (await database).query(
          'select id, name, cents from products where id = any($1::int[])',
          [lines.map((line) => line.product)],
        );
        return { status: 200, body: { lines, products: rows } };
      },
    ],
    [
      'POST',
      '/carts/:account/items',
      async ({ params, body }) => {
        const line = lineOf(body);
        await (await inventory)('GetStock', { product: line.product }).catch(toHttp(grpc.status.NOT_FOUND, 404));
        const account = Number(params.account);
        const lines = carts.get(account) ?? [];
        if (lines.length < 4) lines.push(line);
        carts.set(account, lines);
        return { status: 201, body: { lines: lines.length } };
      },
    ],
    [
      'GET',
      '/coupons',
      async ({ query }) => {
        const code = query.get('code') ?? ''; // the hole: not a parameter of the statement
        const { rows } = await (await database).query(`select code, percent from coupons where code = '${code}'`);
        if (rows.length === 0) throw new HttpFailure(404, 'no such coupon');
        return { status: 200, body: rows };
      },
    ],
    [
      'POST',
      '/wishlists',
      async ({ body }) => {
        const account = Number(body.account);
        const job = await jobs.publish('wishlists', account, { account, url: String(body.url) });
        return { status: 202, body: { job } };
      },
    ],
    [
      'POST',
      '/availability',
      async ({ body }) => {
        // No bound on the list: the pages ask for eight products at most.
        const products = numbersOf(body.products);
        const stock: Record<number, number> = {};
        for (const product of products) {
          stock[product] = (await (await inventory)('GetStock', { product })).quantity;
        }
        return { status: 200, body: stock };
      },
    ],
    [
      'POST',
      '/orders',
      async (request) => {
        const account = Number(request.body.account);
        const lines = carts.get(account) ?? [];
        if (lines.length === 0) throw new HttpFailure(400, 'the cart is empty');
        await authorize(request, account, 'order.create');
        carts.delete(account);
        for (const { product, quantity } of lines) {
          await (await inventory)('Reserve', { product, quantity }).catch(toHttp(grpc.status.FAILED_PRECONDITION, 409));
        }
        const cents = lines.reduce((sum, line) => sum + line.quantity * CENTS_PER_LINE, 0);
        const prepaid = request.body.prepaid === true; // the hole: nobody checks it
        if (!prepaid) await charge(account, cents, String(request.body.card ?? ''));
        const db = await database;
        const { rows } = await db.query<{ id: number }>(
          "insert into orders (account_id, cents, state) values ($1, $2, 'paid') returning id",
          [account, cents],
        );
        const order = rows[0]!.id;
        await db.query(
          'insert into order_lines (order_id, product_id, quantity) select $1, p, q from unnest($2::int[], $3::int[]) as l (p, q)',
          [order, lines.map((line) => line.product), lines.map((line) => line.quantity)],
        );
        await jobs.publish('confirmations', order, { order });
        return { status: 201, body: { order } };
      },
    ],
    [
      'GET',
      '/orders',
      async ({ query }) => {
        const { rows } = await (await database).query(
          'select id, cents, state from orders where account_id = $1 order by id desc limit 10',
          [Number(query.get('account'))],
        );
        return { status: 200, body: rows };
      },
    ],
    [
      'GET',
      '/orders/:id',
      async (request) => {
        const order = Number(request.params.id);
        await authorize(request, Number(request.query.get('account')), 'order.read', order);
        const { rows } = await (await database).query(
          'select o.id, o.cents, o.state, l.product_id, l.quantity from orders o join order_lines l on l.order_id = o.id where o.id = $1',
          [order],
        );
        if (rows.length === 0) throw new HttpFailure(404, 'no such order');
        return { status: 200, body: rows };
      },
    ],
    [
      'GET',
      '/receipts/:id',
      async ({ params }) => {
        const { rows } = await (await database).query(
          'select o.id, o.cents, o.placed, a.email, a.card from orders o join accounts a on a.id = o.account_id where o.id = $1',
          [Number(params.id)],
        );
        if (rows[0] === undefined) throw new HttpFailure(404, 'no such order');
        return { status: 200, body: rows[0] };
      },
    ],
  ]);
  const stopServer = serverStopper(server);
  return {
    port: await listen(server),
    async stop() {
      await stopServer();
      await jobs.stop();
    },
  };
};

const toHttp =
  (code: number, status: number) =>
  (error: unknown): never => {
    if (error instanceof RpcFailure && error.code === code) throw new HttpFailure(status, error.message);
    throw error;
  };

function lineOf(body: Readonly<Record<string, unknown>>): Line {
  const product = Number(body.product);
  const quantity = Number(body.quantity ?? 1);
  if (!Number.isInteger(product) || !(quantity >= 1 && quantity <= 10)) throw new HttpFailure(400, 'no such line');
  return { product, quantity };
}

function numbersOf(value: unknown): number[] {
  if (!Array.isArray(value) || value.length === 0) throw new HttpFailure(400, 'no products');
  return value.map(Number);
}
