/**
 * The shop's front door (HTTP): checks sessions and hands requests on. Stands behind the edge proxy. A hole, on purpose: a
 * receipt is shown to whoever is signed in.
 */
import { trace } from '@opentelemetry/api';
import { createHttpCaller } from '../http-call.ts';
import { grpc } from '../instrumented.ts';
import type { StartService } from '../main.ts';
import { createRouter, HttpFailure, type Incoming, listen } from '../router.ts';
import { createRpcCaller, RpcFailure, type Session } from '../rpc.ts';
import { serverStopper } from '../server-stop.ts';

/** Reading pages may use a session seen so lately without asking again; anything that changes something asks. */
const SESSION_CACHE_MS = 2_000;

const HTTP_OF_GRPC: Readonly<Record<number, number>> = {
  [grpc.status.UNAUTHENTICATED]: 401,
  [grpc.status.PERMISSION_DENIED]: 403,
  [grpc.status.NOT_FOUND]: 404,
  [grpc.status.FAILED_PRECONDITION]: 409,
  [grpc.status.UNAVAILABLE]: 503,
};

export const startService: StartService = async ({ others }) => {
  const calls = others.then((ports) => ({
    catalog: createHttpCaller(ports.catalog!),
    orders: createHttpCaller(ports.orders!),
    reports: createHttpCaller(ports.reports!),
    auth: createRpcCaller('auth', ports.auth!),
    inventory: createRpcCaller('inventory', ports.inventory!),
  }));
  const sessions = new Map<string, { session: Session; until: number }>();

  const sessionOf = async (request: Incoming, mayBeCached: boolean): Promise<Session> => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new HttpFailure(401, 'sign in first');
    const hit = sessions.get(token);
    let session: Session;
    if (mayBeCached && hit !== undefined && hit.until > Date.now()) session = hit.session;
    else {
      session = await (await calls).auth('CheckSession', { token }).catch(toHttp);
      sessions.set(token, { session, until: Date.now() + SESSION_CACHE_MS });
    }
    trace.getActiveSpan()?.setAttribute('enduser.id', String(session.account));
    return session;
  };
  const staffOf = async (request: Incoming, mayBeCached: boolean): Promise<Session> => {
    const session = await sessionOf(request, mayBeCached);
    if (session.role !== 'staff') throw new HttpFailure(403, 'staff only');
    return session;
  };
  const channelOf = (request: Incoming): Record<string, string> => ({
    'x-channel': String(request.headers['x-channel'] ?? 'web'),
  });

  const server = createRouter([
    ['GET', '/', async () => (await calls).catalog.call('GET', '/featured')],
    ['GET', '/products', async ({ query }) => (await calls).catalog.call('GET', withQuery('/products', query))],
    [
      'GET',
      '/products/:id',
      async ({ params, query }) => (await calls).catalog.call('GET', withQuery(`/products/${params.id}`, query)),
    ],
    ['GET', '/search', async ({ query }) => (await calls).catalog.call('GET', withQuery('/search', query))],
    ['GET', '/gift-ideas', async () => (await calls).catalog.call('GET', '/gift-ideas')],
    [
      'POST',
      '/login',
      async ({ body }) => {
        const email = String(body.email ?? '');
        // Whom an attempt is about, as operators capture it to see attacks on sign-in; the password never.
        trace.getActiveSpan()?.setAttribute('http.request.body.email', email);
        const session = await (await calls)
          .auth('Login', { email, password: String(body.password ?? '') })
          .catch(toHttp);
        trace.getActiveSpan()?.setAttribute('enduser.id', String(session.account));
        return { status: 200, body: session };
      },
    ],
    [
      'GET',
      '/account',
      async (request) => {
        const { account } = await sessionOf(request, true);
        return { status: 200, body: await (await calls).auth('GetAccount', { account }).catch(toHttp) };
      },
    ],
    [
      'POST',
      '/account/avatar',
      async (request) => {
        const { account } = await sessionOf(request, false);
        const url = String(request.body.url ?? '');
        if (!URL.canParse(url)) throw new HttpFailure(400, 'no such picture');
        return { status: 202, body: await (await calls).auth('SetAvatar', { account, url }).catch(toHttp) };
      },
    ],
    [
      'GET',
      '/cart',
      async (request) => {
        const { account } = await sessionOf(request, true);
        return (await calls).orders.call('GET', `/carts/${account}`);
      },
    ],
    [
      'POST',
      '/account/wishlist',
      async (request) => {
        const { account } = await sessionOf(request, false);
        const url = String(request.body.url ?? '');
        if (!URL.canParse(url)) throw new HttpFailure(400, 'no such list');
        return (await calls).orders.call('POST', '/wishlists', { body: { account, url } });
      },
    ],
    [
      'GET',
      '/cart/coupon',
      async (request) => {
        await sessionOf(request, true);
        return (await calls).orders.call('GET', withQuery('/coupons', request.query));
      },
    ],
    [
      'POST',
      '/cart/items',
      async (request) => {
        const { account } = await sessionOf(request, false);
        return (await calls).orders.call('POST', `/carts/${account}/items`, { body: request.body });
      },
    ],
    [
      'POST',
      '/cart/availability',
      async (request) => {
        await sessionOf(request, false);
        return (await calls).orders.call('POST', '/availability', { body: request.body });
      },
    ],
    [
      'POST',
      '/checkout',
      async (request) => {
        const { account } = await sessionOf(request, false);
        return (await calls).orders.call('POST', '/orders', {
          body: { ...request.body, account },
          headers: channelOf(request),
        });
      },
    ],
    [
      'GET',
      '/orders',
      async (request) => {
        const { account } = await sessionOf(request, true);
        return (await calls).orders.call('GET', `/orders?account=${account}`);
      },
    ],
    [
      'GET',
      '/orders/:id',
      async (request) => {
        const { account } = await sessionOf(request, true);
        return (await calls).orders.call('GET', `/orders/${Number(request.params.id)}?account=${account}`, {
          headers: channelOf(request),
        });
      },
    ],
    [
      'GET',
      '/orders/:id/receipt',
      async (request) => {
        await sessionOf(request, true); // the hole: somebody is signed in; nobody asks whose order it is
        return (await calls).orders.call('GET', `/receipts/${Number(request.params.id)}`);
      },
    ],
    [
      'GET',
      '/admin/sales',
      async (request) => {
        await staffOf(request, true);
        return (await calls).reports.call('GET', withQuery('/sales', request.query));
      },
    ],
    [
      'GET',
      '/admin/sales/:category',
      async (request) => {
        await staffOf(request, true);
        return (await calls).reports.call('GET', `/sales/${encodeURIComponent(request.params.category ?? '')}`);
      },
    ],
    [
      'POST',
      '/admin/restock',
      async (request) => {
        await staffOf(request, false);
        const products = Array.isArray(request.body.products) ? request.body.products.map(Number) : [];
        if (products.length === 0) throw new HttpFailure(400, 'no products');
        return {
          status: 200,
          body: await (await calls).inventory('Restock', { products, quantity: 10 }).catch(toHttp),
        };
      },
    ],
  ]);
  return { port: await listen(server), stop: serverStopper(server) };
};

const withQuery = (path: string, query: URLSearchParams): string => {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
};

function toHttp(error: unknown): never {
  if (error instanceof RpcFailure) throw new HttpFailure(HTTP_OF_GRPC[error.code] ?? 500, error.message);
  throw error;
}
