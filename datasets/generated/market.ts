/**
 * The system of the benches: a marketplace of fourteen services behind one gateway, twenty-one entry operations from one
 * span to about fifty. Fixed: what changes from run to run is the traffic.
 */
import { any, choice, command, fetch, few, http, internal, publish, query, refuse, rpc, together } from './steps.ts';
import type { Entry, Step, System } from './system.ts';
import {
  amount,
  date,
  email,
  fileName,
  flag,
  integer,
  link,
  oneOf,
  popular,
  search,
  sentence,
  uuid,
} from './values.ts';

const byId = (columns: string, table: string) => () => `SELECT ${columns} FROM ${table} WHERE id = $1`;

/** Without it nothing below may happen. */
const verify: Step = rpc('auth.v1.Auth/Verify', 1.2, [
  command('GET', 0.3),
  query('SELECT', 'sessions', byId('user_id, scope, expires_at', 'sessions'), 0.9, { share: 0.35 }),
  refuse(401, 0.006),
]);

const price = rpc('pricing.v2.Pricing/Quote', 1.5, [
  command('GET', 0.3),
  query('SELECT', 'prices', byId('amount, currency', 'prices'), 1.1, { share: 0.3 }),
]);

const stock = rpc('inventory.v1.Inventory/Level', 1.4, [
  query('SELECT', 'levels', () => 'SELECT warehouse, quantity FROM levels WHERE item = $1', 1.3),
]);

const item: Step = http('catalog', 'GET /items/{id}', 2.2, [
  command('GET', 0.3),
  query('SELECT', 'items', byId('id, title, brand, description', 'items'), 1.6, { share: 0.45 }),
  query('SELECT', 'images', () => 'SELECT url FROM images WHERE item = $1 ORDER BY rank', 1.2, { share: 0.45 }),
  refuse(404, 0.008),
]);

const audit = (what: string): Step =>
  publish(`audit.${what}`, 'auditor', 2, [
    query('INSERT', 'events', () => 'INSERT INTO events (kind, actor, at) VALUES ($1, $2, $3)', 1.4),
  ]);

const notify = publish('mail.outgoing', 'notifier', 4, [
  query('SELECT', 'templates', byId('subject, body', 'templates'), 1.1),
  internal('render', 3),
  fetch('POST', 'api.mail-relay.example', '/v3/send', 60, { fails: 0.004 }),
]);

const cartLines = query('SELECT', 'lines', () => 'SELECT item, quantity FROM lines WHERE cart = $1', 1.3);

const entries: readonly Entry[] = [
  {
    method: 'GET',
    route: '/health',
    weight: 4,
    ms: 0.4,
    bytes: 20,
    parameters: [],
    steps: [],
  },
  {
    method: 'GET',
    route: '/api/items/{id}',
    weight: 22,
    ms: 2.5,
    bytes: 6_000,
    parameters: [
      { name: 'id', place: 'path', value: popular(40_000) },
      { name: 'currency', place: 'query', share: 0.3, value: oneOf('EUR', 'USD', 'GBP', 'SEK') },
    ],
    steps: [
      item,
      together(
        price,
        stock,
        http('reviews', 'GET /reviews', 2, [
          query('SELECT', 'reviews', () => 'SELECT stars, text FROM reviews WHERE item = $1 LIMIT 10', 2.4),
        ]),
      ),
      http('recommend', 'GET /similar', 4, [command('GET', 0.4), internal('rank', 5, [], { share: 0.6 })], {
        deployed: true,
      }),
    ],
  },
  {
    method: 'GET',
    route: '/api/search',
    weight: 18,
    ms: 3,
    bytes: 14_000,
    parameters: [
      { name: 'q', place: 'query', value: search },
      { name: 'page', place: 'query', share: 0.4, value: popular(30) },
      { name: 'sort', place: 'query', share: 0.5, value: oneOf('relevance', 'price', 'newest', 'rating') },
      { name: 'min', place: 'query', share: 0.1, value: amount },
    ],
    steps: [
      http('search', 'GET /query', 6, [
        query(
          'SELECT',
          'documents',
          (values) => `SELECT id, score FROM documents WHERE body LIKE '%${quoted(values.q ?? '')}%' LIMIT 20`,
          7,
          { sigma: 0.5 },
        ),
        internal('rerank', 3, [], { share: 0.5 }),
      ]),
      http(
        'catalog',
        'GET /items/{id}',
        1.8,
        [
          command('GET', 0.3),
          query('SELECT', 'items', byId('id, title, brand, description', 'items'), 1.6, { share: 0.2 }),
        ],
        { times: any(1, 8) },
      ),
    ],
  },
  {
    method: 'GET',
    route: '/api/categories/{name}',
    weight: 9,
    ms: 2,
    bytes: 9_000,
    parameters: [
      { name: 'name', place: 'path', value: oneOf('home', 'garden', 'sport', 'books', 'toys', 'office', 'kitchen') },
      { name: 'page', place: 'query', share: 0.6, value: popular(20) },
    ],
    steps: [
      http('catalog', 'GET /categories/{name}', 2.6, [
        query('SELECT', 'items', () => 'SELECT id, title FROM items WHERE category = $1 LIMIT 24 OFFSET $2', 3.2),
      ]),
      together(price, stock),
    ],
  },
  {
    method: 'POST',
    route: '/api/login',
    weight: 5,
    ms: 2,
    bytes: 300,
    parameters: [
      { name: 'email', place: 'body', value: email },
      { name: 'remember', place: 'body', value: flag },
    ],
    steps: [
      rpc('auth.v1.Auth/Login', 3, [
        query('SELECT', 'users', () => 'SELECT id, digest FROM users WHERE email = $1', 1.5),
        internal('digest', 38),
        refuse(401, 0.09),
        query('INSERT', 'sessions', () => 'INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, $3)', 1.4),
        command('SET', 0.4),
      ]),
      audit('login'),
    ],
  },
  {
    method: 'GET',
    route: '/api/cart',
    weight: 10,
    ms: 1.8,
    bytes: 1_800,
    parameters: [],
    steps: [verify, http('cart', 'GET /carts/{id}', 2, [cartLines, price])],
  },
  {
    method: 'POST',
    route: '/api/cart/items',
    weight: 7,
    ms: 2,
    bytes: 400,
    parameters: [
      { name: 'item', place: 'body', value: popular(40_000) },
      { name: 'quantity', place: 'body', value: popular(9) },
      { name: 'note', place: 'body', share: 0.15, value: sentence },
    ],
    steps: [
      verify,
      http('cart', 'POST /carts/{id}/lines', 2.4, [
        stock,
        refuse(409, 0.02),
        query('INSERT', 'lines', () => 'INSERT INTO lines (cart, item, quantity) VALUES ($1, $2, $3)', 1.7),
        command('DEL', 0.3),
      ]),
    ],
  },
  {
    method: 'DELETE',
    route: '/api/cart/items/{id}',
    weight: 2.5,
    ms: 1.6,
    bytes: 40,
    parameters: [{ name: 'id', place: 'path', value: integer(900_000) }],
    steps: [
      verify,
      http('cart', 'DELETE /carts/{id}/lines/{line}', 2, [
        query('DELETE', 'lines', () => 'DELETE FROM lines WHERE cart = $1 AND id = $2', 1.6),
        command('DEL', 0.3),
      ]),
    ],
  },
  {
    method: 'POST',
    route: '/api/orders',
    weight: 5,
    ms: 4,
    bytes: 900,
    parameters: [
      { name: 'x-idempotency-key', place: 'header', value: uuid },
      { name: 'address', place: 'body', value: integer(80_000) },
      { name: 'method', place: 'body', value: oneOf('card', 'invoice', 'wallet') },
      { name: 'voucher', place: 'body', share: 0.12, value: oneOf('WELCOME10', 'SPRING26', 'FRIEND5', 'VIP20') },
    ],
    steps: [
      verify,
      http('orders', 'POST /orders', 5, [
        http('cart', 'GET /carts/{id}', 2, [cartLines]),
        rpc('inventory.v1.Inventory/Reserve', 2.2, [
          query('UPDATE', 'levels', () => 'UPDATE levels SET quantity = quantity - $1 WHERE item = $2', 1.9, {
            times: few(1, 5),
          }),
          refuse(409, 0.015),
        ]),
        price,
        rpc('fraud.v1.Fraud/Check', 9, [
          query('SELECT', 'history', () => 'SELECT total, at FROM history WHERE user_id = $1 LIMIT 50', 2.6),
        ]),
        rpc('payments.v1.Payments/Charge', 6, [
          fetch('POST', 'api.card-processor.example', '/v1/charges', 120, { sigma: 0.4 }),
          query('INSERT', 'charges', () => 'INSERT INTO charges (order_id, amount, state) VALUES ($1, $2, $3)', 1.6),
          refuse(402, 0.02),
        ]),
        query('INSERT', 'orders', () => 'INSERT INTO orders (id, user_id, total, state) VALUES ($1, $2, $3, $4)', 2.1),
        query(
          'INSERT',
          'order_lines',
          () => 'INSERT INTO order_lines (order_id, item, quantity) VALUES ($1, $2, $3)',
          1.5,
          {
            times: few(1, 5),
          },
        ),
        http('shipping', 'POST /shipments', 3, [
          query('INSERT', 'shipments', () => 'INSERT INTO shipments (order_id, carrier) VALUES ($1, $2)', 1.6),
        ]),
      ]),
      notify,
      audit('order'),
    ],
  },
  {
    method: 'GET',
    route: '/api/orders',
    weight: 5,
    ms: 2,
    bytes: 3_500,
    parameters: [
      { name: 'from', place: 'query', share: 0.2, value: date },
      { name: 'state', place: 'query', share: 0.3, value: oneOf('open', 'sent', 'returned') },
    ],
    steps: [
      verify,
      http('orders', 'GET /orders', 3, [
        query('SELECT', 'orders', () => 'SELECT id, total, state FROM orders WHERE user_id = $1 ORDER BY at DESC', 2.2),
        query('SELECT', 'order_lines', () => 'SELECT item, quantity FROM order_lines WHERE order_id = $1', 1.2, {
          times: few(0, 12),
        }),
      ]),
    ],
  },
  {
    method: 'GET',
    route: '/api/orders/{id}',
    weight: 4,
    ms: 2,
    bytes: 2_200,
    parameters: [{ name: 'id', place: 'path', value: uuid }],
    steps: [
      verify,
      http('orders', 'GET /orders/{id}', 2.4, [
        query('SELECT', 'orders', byId('id, user_id, total, state', 'orders'), 1.4),
        refuse(404, 0.02),
        query('SELECT', 'order_lines', () => 'SELECT item, quantity FROM order_lines WHERE order_id = $1', 1.2),
      ]),
      http('shipping', 'GET /shipments/{order}', 2.6, [
        query('SELECT', 'shipments', () => 'SELECT carrier, code, state FROM shipments WHERE order_id = $1', 1.4),
        fetch('GET', 'track.parcels.example', '/v2/parcels', 80, { share: 0.25, sigma: 0.5 }),
      ]),
    ],
  },
  {
    method: 'POST',
    route: '/api/orders/{id}/returns',
    weight: 1,
    ms: 2.4,
    bytes: 250,
    parameters: [
      { name: 'id', place: 'path', value: uuid },
      { name: 'reason', place: 'body', value: sentence },
    ],
    steps: [
      verify,
      http('orders', 'POST /orders/{id}/returns', 4, [
        query('SELECT', 'orders', byId('id, user_id, total, state', 'orders'), 1.4),
        refuse(409, 0.03),
        query('INSERT', 'returns', () => 'INSERT INTO returns (order_id, reason) VALUES ($1, $2)', 1.8),
        rpc('payments.v1.Payments/Refund', 5, [
          fetch('POST', 'api.card-processor.example', '/v1/refunds', 140, { sigma: 0.4 }),
          query('UPDATE', 'charges', () => 'UPDATE charges SET state = $1 WHERE order_id = $2', 1.5),
        ]),
      ]),
      notify,
    ],
  },
  {
    method: 'GET',
    route: '/api/account',
    weight: 4,
    ms: 1.6,
    bytes: 900,
    parameters: [],
    steps: [
      verify,
      http('users', 'GET /users/{id}', 1.8, [
        query('SELECT', 'users', byId('name, email, locale', 'users'), 1.3),
        query('SELECT', 'addresses', () => 'SELECT street, city FROM addresses WHERE user_id = $1', 1.2),
      ]),
    ],
  },
  {
    method: 'PUT',
    route: '/api/account',
    weight: 1.5,
    ms: 1.8,
    bytes: 60,
    parameters: [
      { name: 'name', place: 'body', value: sentence },
      { name: 'email', place: 'body', share: 0.5, value: email },
      { name: 'birthday', place: 'body', share: 0.4, value: date },
    ],
    steps: [
      verify,
      http('users', 'PUT /users/{id}', 2, [
        refuse(400, 0.03),
        query('UPDATE', 'users', () => 'UPDATE users SET name = $1, email = $2 WHERE id = $3', 1.7),
        command('DEL', 0.3),
      ]),
      audit('account'),
    ],
  },
  {
    method: 'POST',
    route: '/api/reviews',
    weight: 2,
    ms: 1.8,
    bytes: 120,
    parameters: [
      { name: 'item', place: 'body', value: popular(40_000) },
      { name: 'stars', place: 'body', value: oneOf('5', '4', '3', '2', '1') },
      { name: 'text', place: 'body', value: sentence },
    ],
    steps: [
      verify,
      http('reviews', 'POST /reviews', 2.4, [
        query('SELECT', 'reviews', () => 'SELECT id FROM reviews WHERE item = $1 AND user_id = $2', 1.3),
        refuse(409, 0.02),
        query(
          'INSERT',
          'reviews',
          () => 'INSERT INTO reviews (item, user_id, stars, text) VALUES ($1, $2, $3, $4)',
          1.8,
        ),
        choice([4, []], [1, [publish('reviews.moderate', 'moderator', 20, [internal('classify', 30)])]]),
      ]),
    ],
  },
  {
    method: 'POST',
    route: '/api/documents/import',
    weight: 1.5,
    ms: 2.4,
    bytes: 80,
    parameters: [
      { name: 'source', place: 'body', value: link },
      { name: 'kind', place: 'body', value: oneOf('image', 'manual') },
    ],
    steps: [
      verify,
      http('documents', 'POST /import', 4, [
        fetch('GET', 'img.partner.example', '/asset', 45, { sigma: 0.6 }),
        internal('thumbnail', 22, [], { times: few(1, 3) }),
        fetch('PUT', 'objects.storage.example', '/bucket/asset', 25),
        query('INSERT', 'assets', () => 'INSERT INTO assets (id, owner, kind) VALUES ($1, $2, $3)', 1.6),
      ]),
    ],
  },
  {
    method: 'GET',
    route: '/api/documents/file',
    weight: 3,
    ms: 1.8,
    bytes: 60_000,
    parameters: [{ name: 'name', place: 'query', value: fileName }],
    steps: [
      verify,
      http('documents', 'GET /file', 3, [
        query('SELECT', 'assets', byId('id, owner, kind', 'assets'), 1.3),
        refuse(404, 0.03),
        fetch('GET', 'objects.storage.example', '/bucket/asset', 18, { sigma: 0.5 }),
      ]),
    ],
  },
  {
    method: 'GET',
    route: '/api/wishlist',
    weight: 3,
    ms: 1.6,
    bytes: 2_000,
    parameters: [],
    steps: [
      verify,
      http('users', 'GET /users/{id}/wishes', 1.8, [
        query('SELECT', 'wishes', () => 'SELECT item FROM wishes WHERE user_id = $1', 1.2),
      ]),
      http('catalog', 'GET /items/{id}', 1.8, [command('GET', 0.3)], { times: few(0, 20) }),
    ],
  },
  {
    method: 'GET',
    route: '/api/admin/orders',
    weight: 1,
    ms: 3,
    bytes: 30_000,
    parameters: [
      { name: 'from', place: 'query', value: date },
      { name: 'user', place: 'query', share: 0.3, value: integer(80_000) },
    ],
    steps: [
      verify,
      rpc('auth.v1.Auth/Role', 0.8, [command('GET', 0.3)]),
      http('orders', 'GET /reports/orders', 12, [
        query('SELECT', 'orders', () => 'SELECT id, user_id, total FROM orders WHERE at > $1 LIMIT 500', 22, {
          sigma: 0.5,
        }),
      ]),
    ],
  },
  {
    method: 'POST',
    route: '/api/chat',
    weight: 2,
    ms: 2,
    bytes: 700,
    parameters: [{ name: 'message', place: 'body', value: sentence }],
    steps: [
      verify,
      http('support', 'POST /messages', 3, [
        query('INSERT', 'messages', () => 'INSERT INTO messages (thread, author, text) VALUES ($1, $2, $3)', 1.6),
        choice(
          [5, [internal('answer', 180)]],
          [
            2,
            [
              internal('answer', 180),
              http('orders', 'GET /orders', 3, [
                query(
                  'SELECT',
                  'orders',
                  () => 'SELECT id, total, state FROM orders WHERE user_id = $1 ORDER BY at DESC',
                  2.2,
                ),
              ]),
            ],
          ],
          [1, [publish('support.escalate', 'notifier', 3, [])]],
        ),
      ]),
    ],
  },
  {
    method: 'GET',
    route: '/api/deals',
    weight: 6,
    ms: 2,
    bytes: 5_000,
    deployed: true,
    parameters: [{ name: 'region', place: 'query', value: oneOf('north', 'south', 'west') }],
    steps: [
      http('catalog', 'GET /deals', 3, [
        query('SELECT', 'deals', () => 'SELECT item, discount FROM deals WHERE region = $1', 2),
      ]),
      price,
    ],
  },
];

const quoted = (text: string): string => text.replaceAll("'", "''");

export const market: System = {
  name: 'market',
  edge: 'gateway',
  entries,
  deploys: 'catalog',
  authorisation: 'auth.v1.Auth/Verify',
};
