/** Operation templates: identifiers, span names, paths, routes, statements, and templates learned from traffic. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIdentifier } from '../../../traces/operations/identifier.ts';
import {
  compileTemplates,
  createPathTrie,
  learnPath,
  mergeTries,
  type PathTemplates,
  trieFromJson,
  trieToJson,
} from '../../../traces/operations/learned-templates.ts';
import { appendNameTemplate } from '../../../traces/operations/name-template.ts';
import { appendPathTemplate, createPathParts, matchRoute } from '../../../traces/operations/path-template.ts';
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
  const templateOf = (path: string, templates: PathTemplates | null = null, service = 's'): string => {
    const walk = { node: -1 };
    const name = encoder.encode(service);
    templates?.enter(walk, name, 0, name.length);
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

  it('are templated at levels with many, mostly single children, once learned', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 60; i++) {
      const name = `name-${String.fromCharCode(97 + (i % 26), 97 + ((i * 7) % 26), 97 + ((i * 11) % 26))}`;
      learnPath(trie, 's', `/products/${name}/reviews`);
      learnPath(trie, 's', '/products');
      learnPath(trie, 's', `/${['cart', 'checkout', 'help'][i % 3]}`);
    }
    const templates = compileTemplates(trie);
    expect(templateOf('/products/name-never-seen/reviews', templates)).toBe('/products/{id}/reviews');
    expect(templateOf('/cart', templates)).toBe('/cart');
    expect(templateOf('/wp-admin', templates)).toBe('/wp-admin');
    expect(templateOf('/products/name-x/reviews', templates, 'other')).toBe('/products/name-x/reviews');
    expect(templates.lines).toContain('s /products/{id}/reviews');
  });

  it('have a bounded trie under a hostile sender', () => {
    const trie = createPathTrie();
    for (let i = 0; i < 5_000; i++)
      learnPath(trie, 's', `/word${String.fromCharCode(97 + (i % 26))}${'abcdefghij'[i % 10]}${i.toString(36)}q/x`);
    expect(trieToJson(trie).length).toBeLessThan(20_000);
  });

  it('learned apart and merged in any order give what is learned together', () => {
    const paths = fc.array(
      fc
        .array(fc.constantFrom('a', 'b', 'c', 'd', 'e', '17', 'x-y'), { maxLength: 4 })
        .map((parts) => `/${parts.join('/')}`),
      { maxLength: 30 },
    );
    const options = { maxChildren: 3, collapseFrom: 3, singleShare: 0.6, maxDepth: 16 };
    fc.assert(
      fc.property(paths, paths, paths, (a, b, c) => {
        const learned = (...lists: string[][]) => {
          const trie = createPathTrie();
          for (const list of lists) for (const path of list) learnPath(trie, 's', path, options);
          return trie;
        };
        const merged = (...tries: ReturnType<typeof createPathTrie>[]) => {
          const into = createPathTrie();
          for (const trie of tries) mergeTries(into, trie, options);
          return trieToJson(into);
        };
        const expected = trieToJson(learned(a, b, c));
        expect(merged(learned(a), learned(b), learned(c))).toBe(expected);
        expect(merged(learned(c), learned(b, a))).toBe(expected);
        const [left, right] = [learned(a, b), learned(c)];
        const before = trieToJson(right);
        expect(merged(right, left)).toBe(expected);
        expect(trieToJson(right)).toBe(before);
        expect(trieToJson(trieFromJson(expected))).toBe(expected);
      }),
      { numRuns: 150 },
    );
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
