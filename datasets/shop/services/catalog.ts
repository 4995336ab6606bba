/**
 * Products (HTTP). Two holes, on purpose: the search puts its text into the statement after doubling only the first
 * apostrophe, and `include` reaches any method of any service, not only the stock it is meant for.
 */
import { openDatabase } from '../database.ts';
import type { StartService } from '../main.ts';
import { createRouter, HttpFailure, listen } from '../router.ts';
import { createRpcCaller, type RpcCaller } from '../rpc.ts';
import { serverStopper } from '../server-stop.ts';

const PAGE = 12;
const PRODUCT_CACHE_MS = 4_000;
const FEATURED_CACHE_MS = 700;
const SORTS: Readonly<Record<string, string>> = { name: 'name', price: 'cents', newest: 'id desc' };

interface Product {
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly cents: number;
}

type Includes = Readonly<Record<string, RpcCaller<Record<string, { request: unknown; response: unknown }>>>>;

export const startService: StartService = async ({ others }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  const services = others.then(
    (ports): Includes =>
      ({
        inventory: createRpcCaller('inventory', ports.inventory!),
        payment: createRpcCaller('payment', ports.payment!),
        auth: createRpcCaller('auth', ports.auth!),
      }) as unknown as Includes,
  );
  const cached = new Map<number, { product: Product; until: number }>();
  let featured: { products: readonly Product[]; until: number } = { products: [], until: 0 };

  const findProduct = async (id: number): Promise<Product> => {
    const hit = cached.get(id);
    if (hit !== undefined && hit.until > Date.now()) return hit.product;
    const { rows } = await (await database).query<Product>(
      'select id, name, category, cents from products where id = $1 and visible',
      [id],
    );
    const product = rows[0];
    if (product === undefined) throw new HttpFailure(404, 'no such product');
    cached.set(id, { product, until: Date.now() + PRODUCT_CACHE_MS });
    return product;
  };

  const listCategory = async (category: string, page: number): Promise<readonly Product[]> => {
    const { rows } = await (await database).query<Product>(
      'select id, name, category, cents from products where category = $1 and visible order by cents limit $2 offset $3',
      [category, PAGE, page * PAGE],
    );
    return rows;
  };

  const server = createRouter([
    [
      'GET',
      '/featured',
      async () => {
        if (featured.until < Date.now()) {
          const { rows } = await (await database).query<Product>(
            'select id, name, category, cents from products where visible order by id desc limit 8',
          );
          featured = { products: rows, until: Date.now() + FEATURED_CACHE_MS };
        }
        return { status: 200, body: featured.products };
      },
    ],
    [
      'GET',
      '/products',
      async ({ query }) => {
        const page = pageOf(query);
        const category = query.get('category');
        if (category !== null) return { status: 200, body: await listCategory(category, page) };
        const order = SORTS[query.get('sort') ?? 'newest'];
        if (order === undefined) throw new HttpFailure(400, 'no such order');
        const { rows } = await (await database).query<Product>(
          `select id, name, category, cents from products where visible order by ${order} limit $1 offset $2`,
          [PAGE, page * PAGE],
        );
        return { status: 200, body: rows };
      },
    ],
    [
      'GET',
      '/products/:id',
      async ({ params, query }) => {
        const id = numberOf(params.id);
        const product = await findProduct(id);
        const include = query.get('include') ?? 'stock';
        if (include === 'none') return { status: 200, body: { ...product } };
        // The hole: written for `stock`, it takes `service.Method` for all of them.
        const [service = '', method = ''] = include === 'stock' ? ['inventory', 'GetStock'] : include.split('.');
        const caller = (await services)[service];
        if (caller === undefined) throw new HttpFailure(400, 'nothing to include');
        const account = numberOf(query.get('account') ?? '0');
        const extra = await caller(method, { product: id, account });
        return { status: 200, body: { ...product, [include]: extra } };
      },
    ],
    [
      'GET',
      '/search',
      async ({ query }) => {
        const text = (query.get('q') ?? '').replace("'", "''"); // the hole: replace() takes the first one only
        const { rows } = await (await database).query<Product>(
          `select id, name, category, cents from products where visible and name ilike '%${text}%' order by id limit ${PAGE} offset ${pageOf(query) * PAGE}`,
        );
        return { status: 200, body: rows };
      },
    ],
    // Rarely asked for; only calls and statements that others make too.
    ['GET', '/gift-ideas', async () => ({ status: 200, body: await listCategory('gifts', 0) })],
  ]);
  return { port: await listen(server), stop: serverStopper(server) };
};

function pageOf(query: URLSearchParams): number {
  const page = Number(query.get('page') ?? 0);
  return Number.isInteger(page) && page >= 0 && page < 1000 ? page : 0;
}

function numberOf(text: string | undefined): number {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new HttpFailure(400, 'not a number');
  return value;
}
