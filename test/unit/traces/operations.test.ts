/** Operation templates: identifiers, span names, paths, routes, statements, and templates learned from traffic. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIdentifier } from '../../../traces/operations/identifier.ts';
import {
  collapsedLevels,
  compileTemplates,
  levelKey,
  NO_TEMPLATES,
  type PathTemplates,
  rulesWith,
} from '../../../traces/operations/learned-templates.ts';
import { appendNameTemplate } from '../../../traces/operations/name-template.ts';
import { createPathParts } from '../../../traces/operations/path-parts.ts';
import { appendPathTemplate, matchRoute } from '../../../traces/operations/path-template.ts';
import {
  createPathTrie,
  learnPath as learnBytes,
  mergeTries,
  type PathTrie,
  type PathTrieOptions,
  TRIE_BOUNDS,
  trieFromJson,
  trieToJson,
} from '../../../traces/operations/path-trie.ts';
import { createSink } from '../../../traces/operations/sink.ts';
import { appendStatementOperation } from '../../../traces/operations/statement-operation.ts';

const encoder = new TextEncoder();

function composed(append: (sink: ReturnType<typeof createSink>, bytes: Uint8Array) => void, text: string): string {
  const sink = createSink();
  append(sink, encoder.encode(text));
  return Buffer.from(sink.bytes.subarray(0, sink.length)).toString();
}

describe('identifiers', () => {
  it.each([
    '0',
    '42',
    '-7',
    '2026-11-21',
    '20261121T083000Z',
    '550e8400-e29b-41d4-a716-446655440000',
    'deadbeef01',
    '5f43a1bc9e0d4c0012ab34cd',
    'ann@example.com',
    'ann%40example.com',
    'AKIA5FODNN7EXAMP1LE2',
    'x8Kq2Lp0ZtR5vWm1Yb3N',
    '10.20.30.40',
    '+1-555-0100'.slice(1),
  ])('%s is one', (text) => {
    expect(isIdentifier(encoder.encode(text), 0, encoder.encode(text).length)).toBe(true);
  });

  it.each([
    '',
    'users',
    'v1',
    'v2.1',
    '2.0',
    'oauth2',
    'index.html',
    'getUserById',
    'recommendation-service',
    'feedface',
    'deadbeef',
    'checkout_session',
    'a-b-c',
    's3',
    'x509',
    'InternationalizationService',
    'PrepareOrderItemsAndShippingQuoteFromCart',
    'GetUserV2ProfileFromS3Bucket',
    'parseXMLAndHTTPHeadersOfEveryRequest',
  ])('%s is none', (text) => {
    expect(isIdentifier(encoder.encode(text), 0, encoder.encode(text).length)).toBe(false);
  });
});

it.each([
  ['GET /users/123/orders/9f8e7d6c5b4a', 'GET /users/{id}/orders/{id}'],
  ['hipstershop.CartService/GetCart', 'hipstershop.CartService/GetCart'],
  ['HGET user:1234', 'HGET user:{id}'],
  ['process order-83f2a1', 'process order-{id}'],
  ['job 550e8400-e29b-41d4-a716-446655440000 done', 'job {id} done'],
  ['step-2', 'step-2'],
  ['retry-1234', 'retry-{id}'],
  ['mongodb.isMaster', 'mongodb.isMaster'],
  ['codec.EncodeBase64', 'codec.EncodeBase64'],
  ['oteldemo.CurrencyService2023/Convert', 'oteldemo.CurrencyService2023/Convert'],
  ['mailbox.x9Kq2LmP', 'mailbox.{id}'],
])('span name %s becomes %s', (name, expected) => {
  expect(composed((sink, bytes) => appendNameTemplate(sink, bytes, 0, bytes.length), name)).toBe(expected);
});

it('a span name with a random id is always the same operation', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.nat(1e9), (uuid, n) => {
      const of = (name: string) => composed((sink, bytes) => appendNameTemplate(sink, bytes, 0, bytes.length), name);
      expect(of(`sync ${uuid} part ${n}`)).toBe('sync {id} part {id}');
    }),
  );
});

describe('paths', () => {
  const templateOf = (path: string, templates: PathTemplates = NO_TEMPLATES, service = 's'): string => {
    const walk = { node: -1 };
    const name = encoder.encode(service);
    templates.enter(walk, name, 0, name.length);
    return composed(
      (sink, bytes) => appendPathTemplate(sink, bytes, 0, bytes.length, templates, walk, createPathParts()),
      path,
    );
  };

  it.each([
    ['/', '/'],
    ['', '/'],
    ['/users/17', '/users/{id}'],
    ['/u/637183.png', '/u/{id}.png'],
    ['/js/app.js', '/js/app.js'],
    ['/js/9f86d081884c7d65.woff2', '/js/{id}.woff2'],
    ['/js/9f86d081884c7d65.min.js', '/js/{id}.min.js'],
    ['/js/main.9f86d081.chunk.js', '/js/main.{id}.chunk.js'],
    ['/js/app-3f2a1b9c.js.map', '/js/app-{id}.js.map'],
    ['/dumps/2026-11-21.tar.gz', '/dumps/{id}.tar.gz'],
    ['/u/550e8400-e29b-41d4-a716-446655440000.jpeg', '/u/{id}.jpeg'],
    ['/2.0/users', '/2.0/users'],
    ['/v1.2/users', '/v1.2/users'],
    ['/jquery-3.7.1.min.js', '/jquery-3.7.1.min.js'],
    ['/sitemap.xml', '/sitemap.xml'],
    ['/archive/17.', '/archive/17.'],
    ['/users/17/', '/users/{id}'],
    ['/a//b', '/a//b'],
    ["/users/1'%20OR%201=1--", '/users/{id}'],
    ['/static/../../etc/passwd', '/static/*'],
    ['/orders:cancel', '/orders:cancel'],
    [`/x/${'y'.repeat(65)}`, '/x/{id}'],
    [
      `/${Array.from({ length: 40 }, (_, i) => `l${i}x`).join('/')}`,
      `/${Array.from({ length: 16 }, (_, i) => `l${i}x`).join('/')}/*`,
    ],
  ])('%s becomes %s', (path, expected) => {
    expect(templateOf(path)).toBe(expected);
  });

  it.each<[string, string, string[]]>([
    ['/u/:id', '/u/17', ['2=17']],
    ['/u/{id}/x/{y}', '/u/a/x/b', ['2=a', '4=b']],
    ['/u/<int:id>', '/u/9', ['2=9']],
    ['/static/*', '/static/../../etc/passwd', ['2=../../etc/passwd']],
    ['/files/{path...}', '/files/a/b', ['2=a/b']],
    [':id', '/api/users/5', ['3=5']],
    ['/users/:id', '/api/v1/users/5', ['4=5']],
    ['/plain', '/plain', []],
    ['/a/:b/:c', '/a/1', []],
  ])('route %s finds its parameters in %s', (route, path, expected) => {
    const parts = createPathParts();
    const routeBytes = encoder.encode(route);
    const bytes = encoder.encode(path);
    matchRoute(routeBytes, 0, routeBytes.length, bytes, 0, bytes.length, parts);
    const found = Array.from(
      { length: parts.count },
      (_, i) => `${parts.positions[i]}=${path.slice(parts.starts[i]!, parts.ends[i]!)}`,
    );
    expect(found).toEqual(expected);
  });

  const learnPath = (trie: PathTrie, path: string, client = 0, options: PathTrieOptions = TRIE_BOUNDS): void => {
    const bytes = encoder.encode(path);
    learnBytes(trie, 's', bytes, 0, bytes.length, client, options);
  };
  const learnedFrom = (trie: PathTrie): PathTemplates => compileTemplates(collapsedLevels([trie]));
  /** A word of its own for every number, without a digit. */
  const word = (i: number): string => {
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    return `name-${letters[i % 26]}${letters[Math.floor(i / 26) % 26]}${letters[Math.floor(i / 676) % 26]}x`;
  };

  it('are templated at levels with many, mostly single children, once learned', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 60; i++) {
      learnPath(trie, `/products/${word(i)}/reviews`, i + 1);
      learnPath(trie, '/products', i + 1);
      learnPath(trie, `/${['cart', 'checkout', 'help'][i % 3]}`, i + 1);
    }
    const levels = collapsedLevels([trie]);
    expect(levels.map(levelKey)).toEqual(['s /products/{id}']);
    const templates = compileTemplates(levels);
    expect(templateOf('/products/name-never-seen/reviews', templates)).toBe('/products/{id}/reviews');
    expect(templateOf('/cart', templates)).toBe('/cart');
    expect(templateOf('/wp-admin', templates)).toBe('/wp-admin');
    expect(templateOf('/products/name-x/reviews', templates, 'other')).toBe('/products/name-x/reviews');
  });

  it('are what operators say of a level: identifiers however few, names however many', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 60; i++) {
      learnPath(trie, `/reports/${['daily', 'weekly', 'monthly'][i % 3]}`, i + 1);
      learnPath(trie, `/rpc/${word(i)}`, i + 1);
    }
    const levelsWith = (said: { pin: string[]; split: string[] }): string[] =>
      collapsedLevels([trie], [], rulesWith(said)).map(levelKey);
    expect(levelsWith({ pin: [], split: [] })).toEqual(['s /rpc/{id}']);
    expect(levelsWith({ pin: ['s /reports/{id}'], split: ['s /rpc/{id}'] })).toEqual(['s /reports/{id}']);
    const templates = compileTemplates(collapsedLevels([trie], [], rulesWith({ pin: ['s /reports/{id}'], split: [] })));
    expect(templateOf('/reports/daily', templates)).toBe('/reports/{id}');
    expect(levelsWith({ pin: ['other /reports/{id}'], split: ['s /nothing/{id}'] })).toEqual(['s /rpc/{id}']);
  });

  it('keep what stands out at a collapsed level', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 400; i++) {
      learnPath(trie, `/users/${i % 2 === 0 ? 'me' : word(i)}/orders`, i + 1);
      // One that people want more than others is no other thing for that.
      learnPath(trie, `/product/${i % 9 === 0 ? 'HAL-ONE' : `SKU-${word(i)}`}`, i + 1);
    }
    const templates = learnedFrom(trie);
    expect(templateOf('/users/me/orders', templates)).toBe('/users/me/orders');
    expect(templateOf('/users/ann/orders', templates)).toBe('/users/{id}/orders');
    expect(templateOf('/product/HAL-ONE', templates)).toBe('/product/{id}');
    expect(templateOf('/product/STAN-ONE', templates)).toBe('/product/{id}');
  });

  it('are not taught by one client, and a server that many scan keeps its own ways', () => {
    const trie = createPathTrie();
    const real = (i: number): void => learnPath(trie, ['/api/cart/add', '/api/user/login', '/shop'][i % 3]!, i + 1);
    for (let i = 0; i < 300; i++) real(i);
    for (let i = 0; i < 3_000; i++) learnPath(trie, `/${word(i)}`, 7);
    expect(learnedFrom(trie).key).toBe('');
    for (let i = 0; i < 3_000; i++) {
      learnPath(trie, `/${word(i)}`, i + 1);
      real(i);
    }
    const templates = learnedFrom(trie);
    expect(templateOf('/anything', templates)).toBe('/{id}');
    expect(templateOf('/api/cart/add', templates)).toBe('/api/cart/add');
  });

  it('once collapsed stay so, with the same literals', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 100; i++) learnPath(trie, `/p/${i % 3 === 0 ? 'new' : word(i)}`, i + 1);
    const before = collapsedLevels([trie]);
    expect(before).toMatchObject([{ prefix: ['p'], literals: ['new'] }]);
    const other = createPathTrie();
    for (let i = 0; i < 100; i++) learnPath(other, `/p/${['hat', 'shoe'][i % 2]}`, i + 1);
    expect(collapsedLevels([other], before)).toMatchObject([{ prefix: ['p'], literals: ['new'] }]);
    expect(compileTemplates(collapsedLevels([other], before)).key).toBe(compileTemplates(before).key);
  });

  it.each<[string, (i: number) => string]>([
    ['at the first level', (i) => `/${word(i)}${i.toString(36)}q/x`],
    ['at every level', (i) => `/${Array.from({ length: 16 }, (_, k) => word(i * 31 + k * 7)).join('/')}`],
    ['below known ways', (i) => `/a${i % 7}b/c${i % 11}d/${word(i)}/${word(i * 3)}/${i % 5}x`],
    ['under new services', (i) => `/${word(i)}`],
  ])('have a bounded trie under a hostile sender %s', (where, pathOf) => {
    const trie = createPathTrie();
    const options = { maxChildren: 64, maxServices: 20, maxNodes: 4_000 };
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      const bytes = encoder.encode(pathOf(i));
      const service = where === 'under new services' ? word(i) : 's';
      learnBytes(trie, service, bytes, 0, bytes.length, i + 1, options);
      most = Math.max(most, trie.nodes);
    }
    expect(most).toBeLessThanOrEqual(4_000);
    expect(trie.services.size).toBeLessThanOrEqual(20);
    expect(trieToJson(trie).length).toBeLessThan(400_000);
  });

  describe('learned apart and merged in any order', () => {
    const lists = fc.array(
      fc.tuple(
        fc
          .array(fc.constantFrom('a', 'b', 'c', 'd', 'e', '17', 'x-y', '99.png'), { maxLength: 4 })
          .map((parts) => `/${parts.join('/')}`),
        fc.integer({ min: 0, max: 5 }),
      ),
      { maxLength: 30 },
    );
    type List = readonly (readonly [string, number])[];
    const learned = (options: PathTrieOptions, ...all: List[]): PathTrie => {
      const trie = createPathTrie();
      for (const list of all) for (const [path, client] of list) learnPath(trie, path, client, options);
      return trie;
    };
    const merged = (...tries: PathTrie[]): string => {
      const into = createPathTrie();
      for (const trie of tries) mergeTries(into, trie);
      return trieToJson(into);
    };

    it('give what is learned together', () => {
      fc.assert(
        fc.property(lists, lists, lists, (a, b, c) => {
          const of = (...all: List[]) => learned(TRIE_BOUNDS, ...all);
          const expected = trieToJson(of(a, b, c));
          expect(merged(of(a), of(b), of(c))).toBe(expected);
          expect(merged(of(c), of(b, a))).toBe(expected);
          const right = of(c);
          const before = trieToJson(right);
          expect(merged(right, of(a, b))).toBe(expected);
          expect(trieToJson(right)).toBe(before);
          expect(trieToJson(trieFromJson(expected))).toBe(expected);
        }),
        { numRuns: 100 },
      );
    });

    it('give the same in any order and grouping, past the caps too', () => {
      fc.assert(
        fc.property(lists, lists, lists, (a, b, c) => {
          const [x, y, z] = [a, b, c].map((list) => learned({ maxChildren: 4, maxServices: 9, maxNodes: 40 }, list));
          const expected = merged(x!, y!, z!);
          expect(merged(z!, x!, y!)).toBe(expected);
          expect(merged(trieFromJson(merged(y!, z!)), x!)).toBe(expected);
        }),
        { numRuns: 100 },
      );
    });
  });
});

it.each([
  ['SELECT * FROM orders WHERE id = 1', 'SELECT orders'],
  ['select id from "public"."Order Items" where x', 'SELECT public.Order Items'],
  ['/* hint */ SELECT 1', 'SELECT'],
  ['-- c\nINSERT INTO order_items (a) VALUES (1)', 'INSERT order_items'],
  ['UPDATE ONLY stock SET n = n - 1', 'UPDATE stock'],
  ['DELETE FROM carts', 'DELETE carts'],
  ["SELECT 'FROM lies' FROM truth", 'SELECT truth'],
  ['SELECT a FROM (SELECT b FROM inner_table) x', 'SELECT inner_table'],
  ['WITH t AS (SELECT 1 FROM deep) SELECT * FROM t', 'WITH deep'],
  ['CREATE TABLE IF NOT EXISTS `jobs` (id int)', 'CREATE jobs'],
  ['CALL refresh_view(1)', 'CALL refresh_view'],
  ['BEGIN', 'BEGIN'],
  ['HGET cart:17 total', 'HGET'],
  ['SELECT a FROM [dbo].[t]', 'SELECT dbo.t'],
  ["SELECT x FROM products WHERE name = '' UNION SELECT p FROM users --'", 'SELECT products'],
  ['SELECT a FROM orders_20261121', 'SELECT orders_{id}'],
  ['SELECT a FROM "tenant_83f2a1"."orders"', 'SELECT tenant_{id}.orders'],
  ['', ''],
  ['{"find": "x"}', ''],
])('statement %s is %s', (statement, expected) => {
  expect(composed((sink, bytes) => appendStatementOperation(sink, bytes, 0, bytes.length), statement)).toBe(expected);
});

it('no statement is too odd', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'SELECTfrom tab.`"[]\'()/*-;\n, ') }), (statement) => {
      composed((sink, bytes) => appendStatementOperation(sink, bytes, 0, bytes.length), statement);
    }),
    { numRuns: 500 },
  );
});
