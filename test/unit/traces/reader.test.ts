/** Reading a segment: the tree, labels from old and new conventions, times, outcomes, parameters, egress, producers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createAttribution } from '../../../traces/attribution/client.ts';
import { compileTemplates, type PathTemplates } from '../../../traces/operations/learned-templates.ts';
import { createPathTrie, type PathNode } from '../../../traces/operations/path-trie.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { createReader } from '../../../traces/reading/reader.ts';
import {
  endMsOf,
  Outcome,
  ParameterSource,
  type Segment,
  type SegmentSpans,
  spanIdHex,
} from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { EPOCH_MS, id, segmentSpansOf, TRACE, type WireSpan } from './otlp.ts';

function setUp(trusted: string[] = []) {
  const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 10_000 });
  const attribution = createAttribution(attributionSection.parse({ trustedProxies: trusted }));
  const reader = createReader({ symbols, config: readingSection.parse({}), attribution });
  const segment = createSegment(symbols);
  return {
    symbols,
    reader,
    segment,
    read: (spans: readonly WireSpan[], facts: Partial<SegmentSpans> = {}): Segment => {
      expect(reader.read(segmentSpansOf(spans, facts), segment)).toBe(true);
      return segment;
    },
  };
}

const labelsOf = (segment: Segment): string[] =>
  Array.from(segment.label.subarray(0, segment.spanCount), (label) => segment.symbols.labelText(label));

const labelOf = (span: Partial<WireSpan>): string => labelsOf(setUp().read([{ spanId: id(1), ...span }]))[0]!;

const SOURCES = Object.fromEntries(Object.entries(ParameterSource).map(([name, value]) => [value, name]));

const parametersOf = (segment: Segment): string[] =>
  Array.from({ length: segment.parameterCount }, (_, i) => {
    const value = Buffer.from(segment.values.subarray(segment.parameterStart[i]!, segment.parameterEnd[i]!)).toString();
    const name = segment.symbols.text(segment.parameterName[i]!);
    return `${segment.parameterSpan[i]} ${SOURCES[segment.parameterSource[i]!]} ${name}=${value}`;
  });

describe('the tree', () => {
  it('is in pre-order, siblings by start, then by span id', () => {
    const { read } = setUp();
    const segment = read([
      { spanId: id(1), start: 0, end: 100 },
      { spanId: id(5), parent: id(1), start: 20, end: 30 },
      { spanId: id(4), parent: id(1), start: 20, end: 30 },
      { spanId: id(3), parent: id(2), start: 12, end: 15 },
      { spanId: id(2), parent: id(1), start: 10, end: 19 },
    ]);
    expect(Array.from({ length: 5 }, (_, i) => spanIdHex(segment, i))).toEqual([1, 2, 3, 4, 5].map(id));
    expect([...segment.parent.subarray(0, 5)]).toEqual([-1, 0, 1, 0, 0]);
    expect([...segment.firstChild.subarray(0, 5)]).toEqual([1, 2, -1, -1, -1]);
    expect([...segment.nextSibling.subarray(0, 5)]).toEqual([-1, 3, -1, 4, -1]);
    expect([...segment.childCount.subarray(0, 5)]).toEqual([3, 1, 0, 0, 0]);
    // 100 − [10,19] − [20,30]: children that overlap count once.
    expect([...segment.selfNs.subarray(0, 5)]).toEqual([81e6, 6e6, 3e6, 10e6, 10e6]);
    expect(segment.startMs).toBe(EPOCH_MS);
    expect(segment.startNs[1]).toBe(10e6);
  });

  it('keeps a span id once, hangs orphans and members of a cycle under the entry, and counts all three', () => {
    const { read, reader } = setUp();
    const segment = read([
      { spanId: id(1) },
      { spanId: id(2), parent: id(1), start: 1 },
      { spanId: id(2), parent: id(1), start: 1 },
      { spanId: id(3), parent: id(99), start: 2 },
      { spanId: id(4), parent: id(5), start: 3 },
      { spanId: id(5), parent: id(4), start: 4 },
      { spanId: id(6), parent: id(5), start: 5 },
      { spanId: id(7), parent: id(7), start: 6 },
    ]);
    expect(segment.spanCount).toBe(7);
    expect([...segment.parent.subarray(0, 7)]).toEqual([-1, 0, 0, 0, 0, 4, 0]);
    expect(reader.stats).toMatchObject({ duplicates: 1, orphans: 2, cyclic: 2 });
  });

  it('is the same whatever the order of the spans behind the entry', () => {
    const tree = fc.array(fc.record({ parent: fc.nat(), start: fc.nat(20), length: fc.nat(20) }), { maxLength: 60 });
    fc.assert(
      fc.property(tree, fc.infiniteStream(fc.nat()), (plan, dice) => {
        const spans: WireSpan[] = [{ spanId: id(1), start: 0, end: 50 }];
        plan.forEach(({ parent, start, length }, i) => {
          spans.push({ spanId: id(i + 2), parent: id(1 + (parent % (i + 3))), start, end: start + length });
        });
        const shuffled = spans.slice(1);
        for (let i = shuffled.length - 1; i > 0; i--) {
          const j = dice.next().value % (i + 1);
          [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
        }
        const one = setUp().read(spans);
        const other = setUp().read([spans[0]!, ...shuffled]);
        const n = one.spanCount;
        for (const column of [
          'spanIdLow',
          'parent',
          'firstChild',
          'nextSibling',
          'childCount',
          'startNs',
          'selfNs',
        ] as const) {
          expect([...other[column].subarray(0, n)]).toEqual([...one[column].subarray(0, n)]);
        }
        for (let i = 1; i < n; i++) expect(one.parent[i]).toBeLessThan(i);
        for (let i = 0; i < n; i++) {
          expect(one.selfNs[i]).toBeGreaterThanOrEqual(0);
          expect(one.selfNs[i]).toBeLessThanOrEqual(one.durationNs[i]!);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads a small segment rightly after a large one', () => {
    const { read } = setUp();
    read([
      { spanId: id(1) },
      ...Array.from({ length: 500 }, (_, i) => ({ spanId: id(i + 2), parent: id(1), start: i })),
    ]);
    const segment = read([{ spanId: id(7) }, { spanId: id(8), parent: id(7), start: 1 }]);
    expect([...segment.parent.subarray(0, 2)]).toEqual([-1, 0]);
    expect(segment.spanCount).toBe(2);
  });
});

describe('labels', () => {
  it.each<[string, Partial<WireSpan>]>([
    [
      'shop server POST /checkout/:id',
      {
        kind: 'server',
        attributes: { 'http.request.method': 'POST', 'http.route': '/checkout/:id', 'url.path': '/checkout/7' },
      },
    ],
    [
      'shop server POST /checkout/:id',
      {
        kind: 'server',
        attributes: { 'http.method': 'POST', 'http.route': '/checkout/:id', 'http.target': '/checkout/7?a=b' },
      },
    ],
    [
      'shop server GET /users/{id}/orders',
      { kind: 'server', attributes: { 'http.request.method': 'GET', 'url.path': '/users/4711/orders' } },
    ],
    [
      'shop client GET /users/{id}',
      {
        kind: 'client',
        attributes: {
          'http.request.method': 'GET',
          'url.full': 'http://users:8080/users/550e8400-e29b-41d4-a716-446655440000?x=1',
        },
      },
    ],
    [
      'shop client GET /users/{id}',
      { kind: 'client', attributes: { 'http.method': 'get', 'http.url': 'http://users:8080/users/12/' } },
    ],
    ['shop server GET /', { kind: 'server', attributes: { 'http.request.method': 'GET', 'url.path': '/' } }],
    ['shop server GET', { kind: 'server', name: 'GET', attributes: { 'http.request.method': 'GET' } }],
    ['shop server GET /a/{id}', { kind: 'server', name: 'GET /a/77', attributes: { 'http.request.method': 'GET' } }],
    [
      'shop server _OTHER /',
      { kind: 'server', attributes: { 'http.request.method': 'AAAAAAAAAAAAAAAAAAAA', 'url.path': '/' } },
    ],
    [
      'shop server shop.Cart/Add',
      { kind: 'server', attributes: { 'rpc.system': 'grpc', 'rpc.service': 'shop.Cart', 'rpc.method': 'Add' } },
    ],
    [
      'shop server shop.Cart/Add',
      { kind: 'server', attributes: { 'rpc.system.name': 'grpc', 'rpc.method': 'shop.Cart/Add' } },
    ],
    [
      'shop client:postgresql SELECT orders',
      {
        kind: 'client',
        attributes: { 'db.system': 'postgresql', 'db.statement': 'select id from orders where id = $1' },
      },
    ],
    [
      'shop client:postgresql SELECT orders',
      {
        kind: 'client',
        attributes: {
          'db.system.name': 'postgresql',
          'db.query.summary': 'SELECT orders',
          'db.query.text': 'select 1',
        },
      },
    ],
    [
      'shop client:mongodb find carts',
      {
        kind: 'client',
        attributes: { 'db.system': 'mongodb', 'db.operation': 'find', 'db.mongodb.collection': 'carts' },
      },
    ],
    [
      'shop client:redis HGET',
      { kind: 'client', attributes: { 'db.system': 'redis', 'db.statement': 'HGET cart:17 total' } },
    ],
    [
      'shop producer:kafka publish invoices',
      {
        kind: 'producer',
        attributes: {
          'messaging.system': 'kafka',
          'messaging.destination': 'invoices',
          'messaging.operation': 'publish',
        },
      },
    ],
    [
      'shop consumer:rabbitmq process (anonymous)',
      {
        kind: 'consumer',
        attributes: {
          'messaging.system': 'rabbitmq',
          'messaging.destination.name': 'amq.gen-x',
          'messaging.destination.anonymous': true,
        },
      },
    ],
    [
      'shop internal query Cart',
      { kind: 'internal', attributes: { 'graphql.operation.type': 'query', 'graphql.operation.name': 'Cart' } },
    ],
    ['shop unspecified hipstershop.Frontend/Recv.', { name: 'hipstershop.Frontend/Recv.' }],
    ['shop internal job {id} of order-{id}', { kind: 'internal', name: 'job 7f3a9b2c11de of order-83f2a1' }],
    ['shop unspecified (unnamed)', { name: '' }],
  ])('%s', (expected, span) => {
    expect(labelOf(span)).toBe(expected);
  });

  it('takes the new name where a span carries both', () => {
    const attributes = { 'http.method': 'PUT', 'http.request.method': 'GET', 'http.route': '/x' };
    expect(labelOf({ kind: 'server', attributes })).toBe('shop server GET /x');
    expect(
      labelOf({
        kind: 'server',
        attributes: { 'http.request.method': 'GET', 'http.method': 'PUT', 'http.route': '/x' },
      }),
    ).toBe('shop server GET /x');
  });

  it('reads service and version of the resource, and labels one span by itself alike', () => {
    const { read, reader } = setUp();
    const span: WireSpan = {
      spanId: id(1),
      service: 'cart',
      kind: 'server',
      resource: { 'service.version': '1.4' },
      attributes: { 'http.method': 'GET', 'http.route': '/c' },
    };
    const segment = read([span, { spanId: id(2), parent: id(1), service: 'stock' }]);
    expect(segment.symbols.text(segment.serviceVersion)).toBe('1.4');
    expect([0, 1].map((i) => segment.symbols.text(segment.version[i]!))).toEqual(['1.4', '']);
    const spans = segmentSpansOf([span]);
    const [, from, to, , , start, end] = [...spans.places];
    expect(reader.labelAt(spans.records[0]!, from!, to!, start!, end!)).toBe(segment.label[0]);
  });

  // Semantic conventions want names of few values; instrumentation puts ids into every one of them.
  it.each<[string, (random: string) => Partial<WireSpan>]>([
    ['an HTTP path', (random) => ({ attributes: { 'http.request.method': 'GET', 'url.path': `/carts/${random}` } })],
    [
      'an old HTTP target',
      (random) => ({ attributes: { 'http.method': 'GET', 'http.target': `/carts/${random}?a=1` } }),
    ],
    ['an HTTP route', (random) => ({ attributes: { 'http.request.method': 'GET', 'http.route': `/carts/${random}` } })],
    ['a URL template', (random) => ({ attributes: { 'http.request.method': 'GET', 'url.template': `/c/${random}` } })],
    ['the name of an HTTP span', (random) => ({ name: `GET /c/${random}`, attributes: { 'http.method': 'GET' } })],
    ['an RPC method', (random) => ({ attributes: { 'rpc.system': 'grpc', 'rpc.method': `shop.Cart/${random}` } })],
    ['an RPC service', (random) => ({ attributes: { 'rpc.service': `shop-${random}`, 'rpc.method': 'Add' } })],
    [
      'a database summary',
      (random) => ({ attributes: { 'db.system': 'x', 'db.query.summary': `SELECT t_${random}` } }),
    ],
    [
      'a collection',
      (random) => ({
        attributes: { 'db.system': 'x', 'db.operation': 'find', 'db.mongodb.collection': `c_${random}` },
      }),
    ],
    ['a database operation', (random) => ({ attributes: { 'db.system': 'redis', 'db.operation': `GET ${random}` } })],
    ['a statement', (random) => ({ attributes: { 'db.statement': `SELECT a FROM t_${random} WHERE b = 1` } })],
    ['a destination', (random) => ({ attributes: { 'messaging.destination.name': `reply-${random}` } })],
    [
      'a destination template',
      (random) => ({ attributes: { 'messaging.system': 'x', 'messaging.destination.template': random } }),
    ],
    [
      'a GraphQL operation',
      (random) => ({ attributes: { 'graphql.operation.type': 'query', 'graphql.operation.name': `q_${random}` } }),
    ],
    ['the name of a span', (random) => ({ name: `job ${random}` })],
    ['the name of a function', (random) => ({ name: `fn-${random}`, attributes: { 'faas.trigger': 'timer' } })],
  ])('%s with a random id in it is one operation', (_, span) => {
    const random = ['3f1c9a7d20b84e65', '9b04d7e1f2a86c35', '550e8400e29b41d4', '17a4c6789b012e3f'];
    const operations = random.map((text) => {
      const segment = setUp().read([{ spanId: id(1), kind: 'server', ...span(text) }]);
      return segment.symbols.text(segment.operation[0]!);
    });
    expect(new Set(operations).size).toBe(1);
    expect(operations[0]).toContain('{id}');
  });

  it('gives operations past the cap of their service one label', () => {
    const symbols = createSymbols({ maxTexts: 1000, maxLabels: 1000 });
    const attribution = createAttribution(attributionSection.parse({}));
    const reader = createReader({ symbols, config: readingSection.parse({ maxOperationsPerService: 3 }), attribution });
    const segment = createSegment(symbols);
    const names = ['a', 'b', 'c', 'd', 'e', 'a'];
    const labels = names.map((name) => {
      reader.read(segmentSpansOf([{ spanId: id(1), name }]), segment);
      return symbols.labelText(segment.label[0]!);
    });
    expect(labels.map((label) => label.split(' ')[2])).toEqual(['a', 'b', 'c', '<overflow>', '<overflow>', 'a']);
    expect(reader.stats.overflowedOperations).toBe(2);
  });
});

describe('outcomes', () => {
  it.each<[keyof typeof Outcome, Partial<WireSpan>]>([
    ['ok', { kind: 'server' }],
    ['unknown', {}],
    ['ok', { status: 1 }],
    ['error', { kind: 'server', status: 2 }],
    ['clientError', { kind: 'client', status: 2, attributes: { 'http.response.status_code': 404 } }],
    ['error', { kind: 'server', attributes: { 'http.status_code': 503 } }],
    ['error', { kind: 'server', events: ['exception'] }],
    ['ok', { kind: 'server', events: ['cache miss'] }],
    ['ok', { kind: 'server', attributes: { 'rpc.grpc.status_code': 0 } }],
    ['clientError', { kind: 'server', status: 2, attributes: { 'rpc.grpc.status_code': 7 } }],
    ['error', { kind: 'server', attributes: { 'rpc.grpc.status_code': 14 } }],
    ['ok', { kind: 'server', attributes: { 'rpc.response.status_code': 'OK' } }],
    ['clientError', { kind: 'server', attributes: { 'rpc.response.status_code': 'UNAUTHENTICATED' } }],
    ['error', { kind: 'server', attributes: { 'rpc.response.status_code': 'INTERNAL' } }],
    ['clientError', { kind: 'server', attributes: { 'rpc.response.status_code': 'INVALID_ARGUMENT' } }],
  ])('%s', (expected, span) => {
    expect(setUp().read([{ spanId: id(1), ...span }]).outcome[0]).toBe(Outcome[expected]);
  });
});

describe('times', () => {
  it.each([
    ['1970', 5n],
    ['2100', 4_102_444_900_000_000_000n],
  ])('puts a start in %s at the append time', (_, start) => {
    const { read, reader } = setUp();
    const segment = read([{ spanId: id(1), start, end: start + 2_000_000n }]);
    expect(segment.startMs).toBe(EPOCH_MS + 1_000);
    expect(segment.durationNs[0]).toBe(2e6);
    expect(reader.stats.clampedTimes).toBe(1);
  });

  it('does not know the duration of a span without an end, that ends before its start, or of which one time is out of range', () => {
    const { read, reader } = setUp();
    const segment = read([
      { spanId: id(1), start: 10, end: 30 },
      { spanId: id(2), parent: id(1), start: 11, end: 0n },
      { spanId: id(3), parent: id(1), start: 12, end: 4 },
      { spanId: id(4), parent: id(1), start: 13, end: 13 },
      { spanId: id(5), parent: id(1), start: 1n, end: 20 },
    ]);
    expect([...segment.durationNs.subarray(0, 5)]).toEqual([20e6, Number.NaN, Number.NaN, 0, Number.NaN]);
    expect(segment.startNs[4]).toBe(990e6);
    expect(reader.stats).toMatchObject({ negativeDurations: 1, unknownDurations: 3, clampedTimes: 1 });
    expect(endMsOf(segment, 0)).toBe(EPOCH_MS + 30);
    expect(endMsOf(segment, 1)).toBe(EPOCH_MS + 11);
  });

  it('takes neither start nor end for a duration', () => {
    const segment = setUp().read([{ spanId: id(1), start: 0n, end: 0n }]);
    expect([...segment.durationNs.subarray(0, 1)]).toEqual([Number.NaN]);
    expect(segment.startMs).toBe(EPOCH_MS + 1_000);
  });

  it('does not know the self time of a span with a child that never ended, and knows that of all others', () => {
    const segment = setUp().read([
      { spanId: id(1), start: 0, end: 100 },
      { spanId: id(2), parent: id(1), start: 10, end: 40 },
      { spanId: id(3), parent: id(2), start: 20, end: 0n },
      { spanId: id(4), parent: id(1), start: 50, end: 60 },
    ]);
    expect([...segment.selfNs.subarray(0, 4)]).toEqual([60e6, Number.NaN, Number.NaN, 10e6]);
  });

  it('charges a span nothing for a child without an end that began after it', () => {
    const segment = setUp().read([
      { spanId: id(1), start: 0, end: 10 },
      { spanId: id(2), parent: id(1), start: 20, end: 0n },
    ]);
    expect([...segment.selfNs.subarray(0, 2)]).toEqual([10e6, Number.NaN]);
  });
});

describe('parameters', () => {
  it('come from path, query, headers, statement and size, in the order of their spans', () => {
    const { read } = setUp(['10.0.0.0/8']);
    const segment = read([
      {
        spanId: id(1),
        kind: 'server',
        attributes: {
          'http.request.method': 'GET',
          'http.route': '/u/:user/files/*',
          'url.path': '/u/17/files/a/../b',
          'url.query': 'q=a%20b&flag&&x=1=2',
          'http.request.header.accept_language': ['de', 'en'],
          'http.request.header.x-forwarded-for': ['1.2.3.4'],
          'user_agent.original': 'curl/8',
          'network.peer.address': '10.0.0.1',
          'http.response.body.size': 512,
        },
      },
      {
        spanId: id(3),
        parent: id(1),
        start: 3,
        kind: 'client',
        attributes: {
          'db.system.name': 'postgresql',
          'db.query.text': 'SELECT 1',
          'server.address': 'db',
          'server.port': 5432,
        },
      },
      {
        spanId: id(2),
        parent: id(1),
        start: 2,
        kind: 'client',
        attributes: { 'http.request.method': 'GET', 'url.full': 'https://api.example.com/v1/77?t=1' },
      },
    ]);
    expect(parametersOf(segment)).toEqual([
      '0 header accept-language=de',
      '0 header accept-language=en',
      '0 path 2=17',
      '0 path 4=a/../b',
      '0 query q=a%20b',
      '0 query (none)=flag',
      '0 query x=1=2',
      '0 header user-agent=curl/8',
      '0 size response=512',
      '1 path 2=77',
      '1 query t=1',
      '1 egress egress=public:api.example.com:443',
      '2 statement db.query.text=SELECT 1',
      '2 egress egress=private:db:5432',
    ]);
    expect(segment.client).toMatchObject({ address: '1.2.3.4', source: 'x-forwarded-for', confidence: 'high' });
  });

  it('are cut at their bounds, with counters', () => {
    const { read, reader } = setUp();
    const many = Array.from({ length: 80 }, (_, i) => `p${i}=1`).join('&');
    const segment = read([
      {
        spanId: id(1),
        kind: 'server',
        attributes: { 'http.method': 'GET', 'http.target': `/?long=${'x'.repeat(100_000)}&${many}` },
      },
    ]);
    expect(segment.parameterCount).toBe(64);
    expect(segment.parameterEnd[0]! - segment.parameterStart[0]!).toBe(4096);
    expect(reader.stats).toMatchObject({ truncatedValues: 1, droppedParameters: 17 });
  });

  it.each([
    [
      'service:pay',
      { kind: 'client', attributes: { 'url.full': 'http://10.1.2.3/x' } },
      { kind: 'server', service: 'pay' },
    ],
    ['service:pay', { kind: 'client', attributes: { 'peer.service': 'pay', 'server.address': 'h' } }, null],
    ['loopback:127.0.0.1:8500', { kind: 'client', attributes: { 'url.full': 'http://127.0.0.1:8500/v1' } }, null],
    ['loopback:127.1:80', { kind: 'client', attributes: { 'url.full': 'http://127.1/' } }, null],
    ['loopback:2130706433:80', { kind: 'client', attributes: { 'url.full': 'http://2130706433/' } }, null],
    ['loopback:[::1]:9000', { kind: 'client', attributes: { 'server.address': '::1', 'server.port': 9000 } }, null],
    [
      'link-local:169.254.169.254:80',
      { kind: 'client', attributes: { 'http.url': 'http://169.254.169.254/latest' } },
      null,
    ],
    [
      'link-local:metadata.google.internal:80',
      { kind: 'client', attributes: { 'http.url': 'http://metadata.google.internal/' } },
      null,
    ],
    ['private:10.1.2.3:80', { kind: 'client', attributes: { 'http.host': '10.1.2.3:80' } }, null],
    ['private:db.svc', { kind: 'client', attributes: { 'net.peer.name': 'DB.svc' } }, null],
    [
      'public:user@evil.example'.replace('user@', ''),
      { kind: 'client', attributes: { 'url.full': 'weird://db@evil.example' } },
      null,
    ],
  ] as const)('name an outgoing call %s', (expected, call, callee) => {
    const spans: WireSpan[] = [
      { spanId: id(1), kind: 'server' },
      { spanId: id(2), parent: id(1), ...call },
    ];
    if (callee !== null) spans.push({ spanId: id(3), parent: id(2), ...callee });
    const found = parametersOf(setUp().read(spans)).filter((text) => text.includes(' egress '));
    expect(found[0]!.replace(/:80$/, '')).toBe(`1 egress egress=${expected}`.replace(/:80$/, ''));
  });
});

describe('the rest of a segment', () => {
  it('names its producers once: links of the entry, and the parent of a consumer', () => {
    const other = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
    const segment = setUp().read(
      [
        {
          spanId: id(1),
          kind: 'consumer',
          parent: id(9),
          links: [
            { traceId: other, spanId: id(3) },
            { traceId: other, spanId: id(3) },
          ],
        },
      ],
      { asynchronous: true, entryReason: 'consumer' },
    );
    expect(segment.producers).toEqual([
      { traceId: other, spanId: id(3) },
      { traceId: TRACE, spanId: id(9) },
    ]);
    expect(segment.client).toMatchObject({ address: null, reason: 'origin-pending' });
  });

  it.each([
    ['ot=th:8', 2],
    ['vendor=1,ot=rv:abc;th:c', 4],
    ['ot=th:0', 1],
    ['vendor=th:8', 1],
    ['ot=th:ffffffffffffff', 1_000_000],
  ])('weighs %s as %d', (traceState, weight) => {
    expect(setUp().read([{ spanId: id(1), traceState }]).sampleWeight).toBe(weight);
  });

  it('takes user and session of the entry', () => {
    const segment = setUp().read([
      {
        spanId: id(1),
        kind: 'server',
        attributes: { 'enduser.id': 'ann', 'session.id': 's1', 'net.sock.peer.addr': '203.0.113.9' },
      },
    ]);
    expect(segment.client).toMatchObject({
      address: '203.0.113.9',
      user: 'ann',
      session: 's1',
      entrySpanId: id(1),
      entryTraceId: TRACE,
    });
  });

  it('gives false for an entry that cannot be decoded, and skips and counts any other', () => {
    const { reader, segment } = setUp();
    const spans = segmentSpansOf([{ spanId: id(1) }, { spanId: id(2), parent: id(1) }]);
    const broken = { ...spans, places: spans.places.slice() };
    broken.places[13] = broken.places[12]! + 5;
    expect(reader.read(broken, segment)).toBe(true);
    expect(segment.spanCount).toBe(1);
    broken.places[6] = broken.places[5]! + 5;
    expect(reader.read(broken, segment)).toBe(false);
    expect(reader.stats.malformed).toBe(2);
  });

  it('survives any damage to its bytes', () => {
    const { reader, segment } = setUp();
    const spans = segmentSpansOf([
      {
        spanId: id(1),
        kind: 'server',
        attributes: { 'http.method': 'GET', 'http.target': '/a?b=c', n: 1.5, l: ['x'] },
        links: [{ traceId: TRACE, spanId: id(2) }],
        events: ['exception'],
      },
    ]);
    const record = spans.records[0]!;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(record.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
        const bytes = record.slice();
        for (const [at, value] of changes) bytes[at] = value;
        reader.read({ ...spans, records: [bytes] }, segment);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('paths for templates', () => {
  const span = (n: number, kind: 'server' | 'client', path: string, more: WireSpan['attributes'] = {}): WireSpan => ({
    spanId: id(n),
    ...(n === 1 ? {} : { parent: id(1) }),
    start: n,
    service: kind === 'server' ? 'catalogue' : 'web',
    kind,
    attributes: { 'http.request.method': 'GET', 'url.path': path, 'http.response.status_code': 200, ...more },
  });

  it('are those of spans that name no route and were not refused, under the client of the entry', () => {
    const { reader, segment } = setUp();
    const trie = createPathTrie();
    const spans = segmentSpansOf([
      span(1, 'server', '/product/HAL-1', { 'network.peer.address': '198.51.100.7' }),
      span(2, 'client', '/price/HAL-1'),
      span(3, 'server', '/item/7', { 'http.route': '/item/:id' }),
      span(4, 'server', '/wp-admin', { 'http.response.status_code': 404 }),
      span(5, 'server', '/broken', { 'http.response.status_code': 500 }),
      span(6, 'client', '/quote/1', { 'url.template': '/quote/{id}' }),
    ]);
    expect(reader.read(spans, segment, null, trie)).toBe(true);
    expect(reader.read(spans, segment)).toBe(true); // read again, as for calibration: not counted again
    const ways = (node: PathNode | undefined): unknown =>
      node && Object.fromEntries([...node.children].map(([text, child]) => [text, [child.count, ways(child)]]));
    expect([...trie.services.keys()].sort()).toEqual(['catalogue', 'web']);
    expect(ways(trie.services.get('catalogue'))).toEqual({
      product: [1, { 'HAL-1': [1, {}] }],
      broken: [1, {}],
    });
    expect(ways(trie.services.get('web'))).toEqual({ price: [1, { 'HAL-1': [1, {}] }] });
    const clients = [...trie.services.values()].map((node) => node.clients);
    expect(clients[0]).not.toBe(0);
    expect(clients[1]).toBe(clients[0]);
  });

  it('read as the given templates say, and leave the collapsed segment as a parameter', () => {
    const { reader, segment } = setUp();
    const spans = segmentSpansOf([span(1, 'server', '/product/HAL-1/reviews')]);
    const templates = compileTemplates([
      { service: 'catalogue', prefix: ['product'], literals: ['new'], distinct: 99, count: 999 },
    ]);
    const read = (given: PathTemplates | null): [string, string[]] => {
      reader.read(spans, segment, given);
      return [labelsOf(segment)[0]!, parametersOf(segment)];
    };
    const collapsed = ['catalogue server GET /product/{id}/reviews', ['0 path 2=HAL-1']];
    expect(read(templates)).toEqual(collapsed);
    expect(read(null)).toEqual(['catalogue server GET /product/HAL-1/reviews', []]);
    expect(read(templates)).toEqual(collapsed);
    const place = spans.places;
    const label = reader.labelAt(spans.records[0]!, place[1]!, place[2]!, place[5]!, place[6]!, templates);
    expect(segment.symbols.labelText(label)).toBe(collapsed[0]);
  });
});
