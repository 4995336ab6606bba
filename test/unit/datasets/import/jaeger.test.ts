/** Jaeger JSON to OTLP, field by field, as the specification's Jaeger page and OpenTracing compatibility have it. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { readJaegerTrace } from '../../../../datasets/import/jaeger.ts';
import { toJaeger } from './exporters.ts';
import { type DecodedSpan, written } from './spans.ts';

const TRACE = '83a9efd15c1c98a977e0711cc93ee28b';
const US = 1_485_467_191_639_875;

const jaegerSpan = (more: object = {}): Record<string, unknown> => ({
  traceID: TRACE,
  spanID: 'e127af99e3b3e074',
  operationName: 'op',
  references: [],
  startTime: US,
  duration: 5,
  tags: [],
  logs: [],
  processID: 'p1',
  ...more,
});
const tag = (key: string, type: string, value: unknown): object => ({ key, type, value });
const trace = (spans: readonly unknown[], processes: object = { p1: { serviceName: 'shop', tags: [] } }): object => ({
  traceID: TRACE,
  spans,
  processes,
});
const read = (...spans: unknown[]): DecodedSpan[] => written(readJaegerTrace(trace(spans))!.spans);
const one = (more: object): DecodedSpan => read(jaegerSpan(more))[0]!;

describe('a span', () => {
  it('keeps ids, name, and microseconds to the nanosecond', () => {
    expect(one({})).toMatchObject({
      traceId: TRACE,
      spanId: 'e127af99e3b3e074',
      parentSpanId: '',
      name: 'op',
      kind: 0,
      start: '1485467191639875000',
      end: '1485467191639880000',
      resource: { 'service.name': 'shop' },
    });
  });

  it.each([
    ['1', 'f', `${'0'.repeat(31)}1`, `${'0'.repeat(15)}f`],
    ['ABCDEF0123456789', '000000000000000A', `${'0'.repeat(16)}abcdef0123456789`, '000000000000000a'],
    [`${'0'.repeat(4)}${TRACE}`, '0000e127af99e3b3e074', TRACE, 'e127af99e3b3e074'],
  ])('has 64-bit and unpadded ids padded on the left: %s, %s', (traceID, spanID, traceId, spanId) => {
    expect(one({ traceID, spanID })).toMatchObject({ traceId, spanId });
  });

  it.each(['client', 'server', 'producer', 'consumer', 'internal'])('is of kind %s, and the tag is gone', (kind) => {
    const span = one({ tags: [tag('span.kind', 'string', kind)] });
    expect(span.kind).toBe({ internal: 1, server: 2, client: 3, producer: 4, consumer: 5 }[kind]);
    expect(span.attributes).toEqual({});
  });

  it('takes its scope and trace state from tags', () => {
    const span = one({
      tags: [
        tag('otel.library.name', 'string', 'http'),
        tag('otel.library.version', 'string', '1.2'),
        tag('w3c.tracestate', 'string', 'a=b'),
      ],
    });
    expect(span).toMatchObject({ scope: { name: 'http', version: '1.2' }, traceState: 'a=b', attributes: {} });
  });

  it('keeps the types of tags, and integers past 2⁵³', () => {
    const tags = [
      tag('s', 'string', 'text'),
      tag('b', 'bool', false),
      tag('i', 'int64', '9223372036854775222'),
      tag('n', 'int64', -7),
      tag('f', 'float64', 72.5),
      tag('whole', 'float64', 3),
      tag('x', 'binary', 'AAAwOQ=='),
      { key: 'untyped', value: 12 },
      { key: 'untyped float', value: 1.5 },
      tag('not an integer', 'int64', 'twelve'),
      tag('past 64 bits', 'int64', '9223372036854775808'),
      tag('nothing', 'string', null),
      tag('twice', 'string', 'first'),
      tag('twice', 'string', 'last'),
    ];
    expect(one({ tags }).attributes).toEqual({
      s: 'text',
      b: false,
      i: { int: '9223372036854775222' },
      n: { int: '-7' },
      f: 72.5,
      whole: 3,
      x: { bytes: 'AAAwOQ==' },
      untyped: { int: '12' },
      'untyped float': 1.5,
      'not an integer': 'twelve',
      'past 64 bits': '9223372036854775808',
      twice: 'last',
    });
  });

  it('has no time where Jaeger has none: unknown is not zero', () => {
    expect(one({ startTime: 0 })).toMatchObject({ start: undefined, end: undefined });
    expect(one({ startTime: undefined, duration: undefined })).toMatchObject({ start: undefined, end: undefined });
    expect(one({ duration: null })).toMatchObject({ start: `${US}000`, end: undefined });
    expect(one({ duration: -1 })).toMatchObject({ start: `${US}000`, end: undefined });
    expect(one({ duration: 0 })).toMatchObject({ start: `${US}000`, end: `${US}000` });
    expect(one({ startTime: 'soon' })).toMatchObject({ start: undefined, end: undefined });
  });
});

describe('the parent', () => {
  const reference = (refType: string, traceID: string, spanID: string): object => ({ refType, traceID, spanID });

  it('is the first CHILD_OF of the same trace; every other reference is a link', () => {
    const span = one({
      references: [
        reference('CHILD_OF', 'ff', 'ff'),
        reference('CHILD_OF', TRACE, '2'),
        reference('FOLLOWS_FROM', TRACE, '2'),
        reference('CHILD_OF', TRACE, '3'),
      ],
    });
    expect(span.parentSpanId).toBe('0000000000000002');
    expect(span.links.map(({ spanId, attributes }) => [spanId, attributes['opentracing.ref_type']])).toEqual([
      ['00000000000000ff', 'child_of'],
      ['0000000000000002', 'follows_from'],
      ['0000000000000003', 'child_of'],
    ]);
  });

  it('is what it follows when it is nobody else\u2019s child, and that is a link too', () => {
    const span = one({ references: [reference('FOLLOWS_FROM', TRACE, '7')] });
    expect(span).toMatchObject({ parentSpanId: '0000000000000007', links: [{ spanId: '0000000000000007' }] });
  });

  it('is not in another trace, and not the span itself', () => {
    expect(one({ references: [reference('FOLLOWS_FROM', 'ff', '7')] }).parentSpanId).toBe('');
    expect(one({ references: [reference('CHILD_OF', TRACE, 'e127af99e3b3e074')] }).parentSpanId).toBe('');
  });

  it('may stand in the field that older versions have', () => {
    expect(one({ parentSpanID: 'ab' }).parentSpanId).toBe('00000000000000ab');
  });
});

describe('the status', () => {
  it.each([
    ['error true', [tag('error', 'bool', true)], { code: 2 }],
    ['error "true"', [tag('error', 'string', 'true')], { code: 2 }],
    ['error beside OK', [tag('error', 'bool', true), tag('otel.status_code', 'string', 'OK')], { code: 2 }],
    [
      'a code and a description',
      [tag('otel.status_code', 'string', 'ERROR'), tag('otel.status_description', 'string', 'no stock')],
      { code: 2, message: 'no stock' },
    ],
    ['OK', [tag('otel.status_code', 'string', 'OK')], { code: 1 }],
    ['nothing', [], {}],
    ['a code nobody knows', [tag('otel.status_code', 'string', 'MAYBE')], {}],
  ])('of %s', (_, tags, status) => {
    expect(one({ tags }).status).toEqual(status);
  });

  it('says nothing for error = false, which stays a tag', () => {
    const span = one({ tags: [tag('error', 'bool', false)] });
    expect(span).toMatchObject({ status: {}, attributes: { error: false } });
  });
});

describe('logs', () => {
  it('are events, named by their field `event`', () => {
    const { events } = one({
      logs: [
        { timestamp: US, fields: [tag('event', 'string', 'sold'), tag('count', 'int64', 2)] },
        { timestamp: 0, fields: [tag('x', 'string', 'y')] },
      ],
    });
    expect(events).toEqual([
      { time: `${US}000`, name: 'sold', attributes: { count: { int: '2' } } },
      { time: undefined, name: 'log', attributes: { x: 'y' } },
    ]);
  });

  it('of an error are exceptions', () => {
    const fields = [
      tag('event', 'string', 'error'),
      tag('error.kind', 'string', 'Timeout'),
      tag('message', 'string', 'took too long'),
      tag('stack', 'string', 'at'),
    ];
    expect(one({ logs: [{ timestamp: US, fields }] }).events).toMatchObject([
      {
        name: 'exception',
        attributes: { 'exception.type': 'Timeout', 'exception.message': 'took too long', 'exception.stacktrace': 'at' },
      },
    ]);
  });
});

describe('a process', () => {
  it('is the resource, its host name by today\u2019s name', () => {
    const processes = { p1: { serviceName: 'shop', tags: [tag('hostname', 'string', 'h1'), tag('pid', 'int64', 4)] } };
    const [span] = written(readJaegerTrace(trace([jaegerSpan()], processes))!.spans);
    expect(span!.resource).toEqual({ 'service.name': 'shop', 'host.name': 'h1', pid: { int: '4' } });
  });

  it('may be missing, or stand in the span', () => {
    expect(one({ processID: 'p9' }).resource).toEqual({});
    const alone = readJaegerTrace(jaegerSpan({ process: { serviceName: 'cart' } }))!;
    expect(written(alone.spans)).toMatchObject([{ resource: { 'service.name': 'cart' } }]);
  });
});

test('tags of OpenTracing are there under the names that are read, beside the original', () => {
  const client = one({
    tags: [
      tag('span.kind', 'string', 'client'),
      tag('db.type', 'string', 'sql'),
      tag('db.instance', 'string', 'stock'),
      tag('db.statement', 'string', 'SELECT 1'),
      tag('peer.hostname', 'string', 'db.local'),
      tag('peer.ipv4', 'int64', -1_062_731_775),
      tag('peer.port', 'int64', 5432),
    ],
  });
  expect(client.attributes).toMatchObject({
    'db.type': 'sql',
    'db.system.name': 'other_sql',
    'db.namespace': 'stock',
    'server.address': 'db.local',
    'network.peer.address': '192.168.0.1',
    'network.peer.port': { int: '5432' },
  });
  expect(client.attributes).not.toHaveProperty('db.query.text');
  const server = one({ tags: [tag('span.kind', 'string', 'server'), tag('peer.hostname', 'string', 'caller')] });
  expect(server.attributes).toEqual({ 'peer.hostname': 'caller', 'client.address': 'caller' });
});

describe('what cannot be read', () => {
  it.each([
    ['no trace id', { ...jaegerSpan(), traceID: 'xyz' }, 'no valid traceID'],
    ['a zero trace id', jaegerSpan({ traceID: '0' }), 'no valid traceID'],
    ['a span id that is too long', jaegerSpan({ spanID: `1${'0'.repeat(16)}` }), 'no valid spanID'],
    ['no span id', jaegerSpan({ spanID: undefined }), 'no valid spanID'],
    ['a text', 'span', 'not an object'],
    ['null', null, 'not an object'],
  ])('%s costs that span alone, and is told with its place', (_, bad, problem) => {
    const result = readJaegerTrace(trace([jaegerSpan({ spanID: '1' }), bad, jaegerSpan({ spanID: '3' })]))!;
    expect(result.spans.map(({ span }) => span.spanId)).toEqual(['0000000000000001', '0000000000000003']);
    expect(result).toMatchObject({ rejected: 1, problems: [`span 2: ${problem}`] });
  });

  it('in a span costs that part alone', () => {
    const bad = jaegerSpan({
      tags: [{ value: 1 }, 'x', tag('good', 'string', 'yes')],
      logs: 'none',
      references: [null],
    });
    const result = readJaegerTrace(trace([bad]))!;
    expect(written(result.spans)).toMatchObject([{ attributes: { good: 'yes' }, events: [], links: [] }]);
    expect(result.rejected).toBe(0);
    expect(result.problems).toEqual([
      'span 1: tags holds what is no object',
      'span 1: tags: a tag without key',
      'span 1: logs is no list',
      'span 1: references holds what is no object',
    ]);
  });

  it.each([{}, { traceID: TRACE }, { spans: 'none' }, [], 'x', 3, null])('is no trace: %j', (value) => {
    expect(readJaegerTrace(value)).toBeUndefined();
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => void readJaegerTrace(trace([value, jaegerSpan({ tags: value })]))),
    );
  });
});

test('what the specification makes of OTLP comes back as it was', () => {
  const id = (digits: number) =>
    fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((hex) => !/^0+$/.test(hex));
  const value = fc.oneof(
    fc.string().map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => ({ intValue: String(n) })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((doubleValue) => ({ doubleValue })),
  );
  const attributes = fc.uniqueArray(fc.record({ key: fc.string({ minLength: 1 }).map((key) => `a.${key}`), value }), {
    selector: ({ key }) => key,
    maxLength: 4,
  });
  const micros = fc.integer({ min: 1, max: 4_000_000_000_000_000 });
  const span = fc
    .record({
      spanId: id(16),
      parent: id(16),
      root: fc.boolean(),
      name: fc.string(),
      kind: fc.constantFrom(0, 2, 3, 4, 5),
      start: micros,
      duration: fc.nat(),
      attributes,
      failed: fc.boolean(),
      message: fc.string(),
    })
    .filter(({ spanId, parent }) => spanId !== parent)
    .map(({ parent, root, start, duration, failed, message, ...rest }) => ({
      ...rest,
      traceId: TRACE,
      ...(!root && { parentSpanId: parent }),
      startTimeUnixNano: `${start}000`,
      endTimeUnixNano: `${BigInt(start + duration)}000`,
      events: [{ timeUnixNano: `${start + 1}000`, name: 'it happened', attributes: rest.attributes }],
      links: [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }],
      status: failed ? { code: 2, ...(message !== '' && { message }) } : {},
    }));
  fc.assert(
    fc.property(fc.uniqueArray(span, { selector: ({ spanId }) => spanId, minLength: 1, maxLength: 5 }), (spans) => {
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
      const data = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib', version: '1' }, spans }] }] };
      const [jaeger] = toJaeger([data]);
      const back = written(readJaegerTrace(JSON.parse(JSON.stringify(jaeger)))!.spans);
      const plain = ({ key, value }: (typeof spans)[number]['attributes'][number]): [string, unknown] => {
        const [inner] = Object.entries(value);
        // JSON has no negative zero
        return [key, inner![0] === 'intValue' ? { int: inner![1] } : inner![1] === 0 ? 0 : inner![1]];
      };
      expect(back).toEqual(
        spans.map((given) => ({
          traceId: given.traceId,
          spanId: given.spanId,
          parentSpanId: given.parentSpanId ?? '',
          traceState: '',
          name: given.name,
          kind: given.kind,
          start: given.startTimeUnixNano,
          end: given.endTimeUnixNano,
          attributes: Object.fromEntries(given.attributes.map(plain)),
          events: [
            {
              time: given.events[0]!.timeUnixNano,
              name: 'it happened',
              attributes: Object.fromEntries(given.attributes.map(plain)),
            },
          ],
          links: [{ ...given.links[0], attributes: { 'opentracing.ref_type': 'follows_from' } }],
          status: given.status,
          resource: { 'service.name': 'shop' },
          scope: { name: 'lib', version: '1' },
        })),
      );
    }),
  );
});
