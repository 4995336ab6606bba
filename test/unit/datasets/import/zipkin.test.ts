/** Zipkin JSON v2 to OTLP: fields, parts of one span, and ids that two sides share. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { zipkinFormat } from '../../../../datasets/import/trace-formats.ts';
import { readZipkinSpan, type ZipkinSpan } from '../../../../datasets/import/zipkin-span.ts';
import { toZipkin } from './exporters.ts';
import { type DecodedSpan, written } from './spans.ts';

const US = 1_541_405_397_200_023;

const zipkinSpan = (more: object = {}): Record<string, unknown> => ({
  traceId: '562809467078eab0',
  id: '9fdf808ef0d60c00',
  name: 'get',
  timestamp: US,
  duration: 26,
  localEndpoint: { serviceName: 'shop', ipv4: '10.0.0.1', port: 8080 },
  ...more,
});
const checked = (value: unknown): ZipkinSpan => {
  const span = readZipkinSpan(value);
  if (typeof span === 'string') throw new Error(span);
  return span;
};
const read = (...spans: object[]): DecodedSpan[] => written(zipkinFormat.toOtlp(spans.map(checked)));
const one = (more: object): DecodedSpan => read(zipkinSpan(more))[0]!;

describe('a span', () => {
  it('keeps ids, name, and microseconds to the nanosecond; its service is the resource', () => {
    expect(one({ parentId: '1' })).toMatchObject({
      traceId: '0000000000000000562809467078eab0',
      spanId: '9fdf808ef0d60c00',
      parentSpanId: '0000000000000001',
      name: 'get',
      kind: 0,
      start: '1541405397200023000',
      end: '1541405397200049000',
      resource: { 'service.name': 'shop' },
      attributes: { 'network.local.address': '10.0.0.1', 'network.local.port': { int: '8080' } },
    });
    expect(one({ traceId: 'AB'.repeat(16) }).traceId).toBe('ab'.repeat(16));
  });

  it.each([
    ['SERVER', 2],
    ['CLIENT', 3],
    ['PRODUCER', 4],
    ['CONSUMER', 5],
    [undefined, 0],
    ['OTHER', 0],
  ])('of kind %s is %d', (kind, expected) => {
    expect(one({ kind }).kind).toBe(expected);
  });

  it('is no child of itself', () => {
    expect(one({ parentId: '9fdf808ef0d60c00' }).parentSpanId).toBe('');
  });

  it('has no end without a duration, and no start without a time: unknown is not zero', () => {
    expect(one({ duration: undefined })).toMatchObject({ start: `${US}000`, end: undefined });
    const absent = one({ timestamp: undefined });
    expect(absent).toMatchObject({ start: undefined, end: undefined });
    expect(absent.attributes['otel.zipkin.absentField.startTime']).toBe(true);
    expect(one({ timestamp: 0 })).toMatchObject({ start: undefined, end: undefined });
    expect(one({ duration: 0 })).toMatchObject({ start: `${US}000`, end: `${US}000` });
    const annotations = [
      { timestamp: US + 9, value: 'later' },
      { timestamp: US + 2, value: 'first' },
    ];
    expect(one({ timestamp: undefined, annotations })).toMatchObject({ start: `${US + 2}000`, end: undefined });
  });

  it('has texts as tags, whatever they came as', () => {
    expect(one({ tags: { a: 'x', n: 5, b: true, o: { k: 1 }, nothing: null } }).attributes).toMatchObject({
      a: 'x',
      n: '5',
      b: 'true',
      o: '{"k":1}',
    });
  });

  it('gives back what OpenTelemetry put into tags: scope, resource, trace state, status, links', () => {
    const span = one({
      tags: {
        'otel.scope.name': 'http',
        'otel.scope.version': '2',
        'service.version': '7',
        'telemetry.sdk.language': 'go',
        'service.peer.name': 'cart',
        'w3c.tracestate': 'a=b',
        'otel.status_code': 'ERROR',
        error: 'no stock',
        'otlp.link.0': `${'ab'.repeat(16)}|${'cd'.repeat(8)}|x=y|{"k":"v","n":3}|0`,
        'otlp.link.1': 'broken',
      },
    });
    expect(span).toMatchObject({
      scope: { name: 'http', version: '2' },
      resource: { 'service.name': 'shop', 'service.version': '7', 'telemetry.sdk.language': 'go' },
      traceState: 'a=b',
      status: { code: 2, message: 'no stock' },
      links: [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), attributes: { k: 'v', n: { int: '3' } } }],
    });
    expect(span.attributes).toMatchObject({ 'service.peer.name': 'cart', 'otlp.link.1': 'broken' });
    expect(span.attributes).not.toHaveProperty('error');
  });

  it.each([
    ['', { code: 2 }],
    ['true', { code: 2 }],
    ['some error', { code: 2, message: 'some error' }],
    ['false', {}],
  ])('with the tag error = "%s" has the status %j', (error, status) => {
    const span = one({ tags: { error } });
    expect(span.status).toEqual(status);
    expect(span.attributes).not.toHaveProperty('error');
  });

  it('has its annotations as events, those of OpenTelemetry with their attributes', () => {
    const annotations = [
      { timestamp: US, value: 'wr' },
      { timestamp: US + 1, value: '"sold": {"count":2,"to":"x"}' },
      { timestamp: US + 2, value: 'sold|{"ok":true}|1' },
      { timestamp: US + 3, value: '"odd": {not json}' },
      { value: 'when?' },
    ];
    expect(one({ annotations }).events).toEqual([
      { time: `${US}000`, name: 'wr', attributes: {} },
      { time: `${US + 1}000`, name: 'sold', attributes: { count: { int: '2' }, to: 'x' } },
      { time: `${US + 2}000`, name: 'sold', attributes: { ok: true } },
      { time: `${US + 3}000`, name: '"odd": {not json}', attributes: {} },
      { time: undefined, name: 'when?', attributes: {} },
    ]);
  });
});

describe('the remote endpoint', () => {
  const remoteEndpoint = { serviceName: 'stock', ipv4: '10.0.0.2', port: 5432 };

  it('of a client is the server it calls', () => {
    expect(one({ kind: 'CLIENT', remoteEndpoint }).attributes).toMatchObject({
      'peer.service': 'stock',
      'server.address': '10.0.0.2',
      'server.port': { int: '5432' },
      'network.peer.address': '10.0.0.2',
    });
  });

  it('of a server is the client as it calls itself: never a socket\u2019s peer', () => {
    const { attributes } = one({ kind: 'SERVER', remoteEndpoint: { ipv6: '2001:db8::9' } });
    expect(attributes).toMatchObject({ 'client.address': '2001:db8::9' });
    expect(attributes).not.toHaveProperty('network.peer.address');
  });

  it('of a consumer is the broker', () => {
    const { attributes } = one({ kind: 'CONSUMER', remoteEndpoint, tags: { 'kafka.topic': 'jobs' } });
    expect(attributes).toMatchObject({
      'server.address': '10.0.0.2',
      'messaging.system': 'kafka',
      'messaging.destination.name': 'jobs',
    });
    expect(attributes).not.toHaveProperty('client.address');
  });

  it('does not overrule what the span says itself', () => {
    const tags = { 'peer.service': 'explicit', 'http.url': 'http://archive/x' };
    const { attributes } = one({ kind: 'CLIENT', remoteEndpoint, tags });
    expect(attributes['peer.service']).toBe('explicit');
    expect(attributes).not.toHaveProperty('server.address');
  });
});

describe('a span that was sent in parts', () => {
  it('is one, with what each part says', () => {
    const [span, ...others] = read(
      zipkinSpan({ kind: 'SERVER', name: 'get /x', duration: undefined, tags: { a: '1' } }),
      zipkinSpan({ kind: 'SERVER', name: 'unknown', timestamp: undefined, tags: { a: '9', b: '2' } }),
      zipkinSpan({ name: '', timestamp: undefined, duration: undefined, tags: { c: '3' } }),
    );
    expect(others).toEqual([]);
    expect(span).toMatchObject({ name: 'get /x', kind: 2, start: `${US}000`, end: `${US + 26}000` });
    expect(span!.attributes).toMatchObject({ a: '1', b: '2', c: '3' });
  });

  it('is one when it was sent twice', () => {
    const annotations = [{ timestamp: US, value: 'once' }];
    expect(read(zipkinSpan({ annotations }), zipkinSpan({ annotations }))).toMatchObject([
      { name: 'get', events: [{ name: 'once' }] },
    ]);
  });
});

describe('an id that two sides share', () => {
  const client = (more: object = {}): object =>
    zipkinSpan({ id: '2', parentId: '1', kind: 'CLIENT', localEndpoint: { serviceName: 'web' }, ...more });
  const server = (more: object = {}): object =>
    zipkinSpan({
      id: '2',
      parentId: '1',
      kind: 'SERVER',
      shared: true,
      localEndpoint: { serviceName: 'shop' },
      ...more,
    });
  const local = (id: string, parentId: string, service: string): object =>
    zipkinSpan({ id, parentId, localEndpoint: { serviceName: service } });
  const by = (spans: readonly DecodedSpan[], service: string, kind: number): DecodedSpan =>
    spans.find((span) => span.resource['service.name'] === service && span.kind === kind)!;

  it('stays the client\u2019s; the server gets its own and hangs under the client; children go where they were', () => {
    const spans = read(
      server(),
      client(),
      local('3', '2', 'shop'),
      local('4', '2', 'web'),
      local('5', '2', 'elsewhere'),
    );
    const [c, s] = [by(spans, 'web', 3), by(spans, 'shop', 2)];
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(5);
    expect(c).toMatchObject({ spanId: '0000000000000002', parentSpanId: '0000000000000001' });
    expect(s.parentSpanId).toBe(c.spanId);
    expect(by(spans, 'shop', 0).parentSpanId).toBe(s.spanId);
    expect(by(spans, 'web', 0).parentSpanId).toBe(c.spanId);
    expect(by(spans, 'elsewhere', 0).parentSpanId).toBe(s.spanId);
  });

  it('is told apart without the flag, which older tracers do not set', () => {
    const spans = read(client(), server({ shared: undefined }));
    expect(by(spans, 'shop', 2).parentSpanId).toBe('0000000000000002');
  });

  it('is told apart where a service calls itself', () => {
    const self = { localEndpoint: { serviceName: 'web' } };
    const spans = read(client(self), server(self), local('3', '2', 'web'));
    expect(by(spans, 'web', 2).parentSpanId).toBe(by(spans, 'web', 3).spanId);
    expect(by(spans, 'web', 0).parentSpanId).toBe(by(spans, 'web', 2).spanId);
  });

  it('gives the parts of the server\u2019s side one id', () => {
    const spans = read(client(), server({ duration: undefined }), server({ kind: undefined, timestamp: undefined }));
    expect(spans).toHaveLength(2);
  });

  it('stays with a server whose client sent nothing: its parent is who is there', () => {
    expect(read(server())).toMatchObject([{ spanId: '0000000000000002', parentSpanId: '0000000000000001' }]);
  });

  it('goes to several receivers, each with an id of its own', () => {
    const at = (ipv4: string): object => ({ localEndpoint: { serviceName: 'shop', ipv4 } });
    const spans = read(client(), server(at('10.0.0.1')), server(at('10.0.0.2')));
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(3);
    expect(spans.filter(({ parentSpanId }) => parentSpanId === '0000000000000002')).toHaveLength(2);
    const orphans = read(server(at('10.0.0.1')), server(at('10.0.0.2')));
    expect(new Set(orphans.map(({ spanId }) => spanId)).size).toBe(2);
    expect(orphans.every(({ parentSpanId }) => parentSpanId === '0000000000000001')).toBe(true);
  });

  it('makes a chain of calls a chain of spans, whatever the order', () => {
    const hop = (n: number, from: string, to: string): object[] => {
      const ids = { id: String(n), ...(n > 1 && { parentId: String(n - 1) }) };
      return [
        zipkinSpan({ ...ids, kind: 'CLIENT', localEndpoint: { serviceName: from } }),
        zipkinSpan({ ...ids, kind: 'SERVER', shared: true, localEndpoint: { serviceName: to } }),
      ];
    };
    const chain = [...hop(1, 'a', 'b'), ...hop(2, 'b', 'c'), ...hop(3, 'c', 'd')];
    fc.assert(
      fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (shuffled) => {
        const spans = read(...shuffled);
        const path: string[] = [];
        for (let at = spans.find(({ parentSpanId }) => parentSpanId === ''); at !== undefined; ) {
          path.push(`${at.kind === 3 ? '' : '→'}${at.resource['service.name']}`);
          const { spanId } = at;
          at = spans.find(({ parentSpanId }) => parentSpanId === spanId);
        }
        expect(path).toEqual(['a', '→b', 'b', '→c', 'c', '→d']);
      }),
      { numRuns: 50 },
    );
  });
});

describe('what cannot be read', () => {
  it.each([
    [{ ...zipkinSpan(), traceId: undefined }, 'no valid traceId'],
    [{ ...zipkinSpan(), id: 'zz' }, 'no valid id'],
    [{ ...zipkinSpan(), binaryAnnotations: [] }, 'a span of Zipkin v1: only v2 is read'],
    ['text', 'not an object'],
    [null, 'not an object'],
  ])('costs that span alone: %j', (bad, problem) => {
    const result = zipkinFormat.read([zipkinSpan(), bad, [zipkinSpan({ id: '3' })]]);
    expect(result.spans).toHaveLength(2);
    expect(result).toMatchObject({ rejected: 1, problems: [`span 2: ${problem}`] });
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        zipkinFormat.read([value]);
        const odd = zipkinSpan({
          tags: value,
          annotations: value,
          localEndpoint: value,
          remoteEndpoint: value,
          name: value,
        });
        written(zipkinFormat.toOtlp([checked(odd)]));
      }),
    );
  });
});

test('what the specification makes of OTLP comes back as it was, but for the types of attributes', () => {
  const spans = [
    {
      traceId: 'ab'.repeat(16),
      spanId: '01'.repeat(8),
      name: 'GET /',
      kind: 2,
      startTimeUnixNano: `${US}000`,
      endTimeUnixNano: `${US + 5}000`,
      attributes: [{ key: 'n', value: { intValue: '7' } }],
      events: [
        { timeUnixNano: `${US + 1}000`, name: 'sold', attributes: [{ key: 'to', value: { stringValue: 'x' } }] },
      ],
      status: { code: 2, message: 'no stock' },
    },
  ];
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  const data = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib', version: '1' }, spans }] }] };
  expect(read(...toZipkin([data]))).toEqual([
    {
      traceId: 'ab'.repeat(16),
      spanId: '01'.repeat(8),
      parentSpanId: '',
      traceState: '',
      name: 'GET /',
      kind: 2,
      start: `${US}000`,
      end: `${US + 5}000`,
      attributes: { n: '7' },
      events: [{ time: `${US + 1}000`, name: 'sold', attributes: { to: 'x' } }],
      links: [],
      status: { code: 2, message: 'no stock' },
      resource: { 'service.name': 'shop' },
      scope: { name: 'lib', version: '1' },
    },
  ]);
});
