/** What one request says about who made it, read from spans as they come. */
import { describe, expect, test } from 'vitest';
import { createActorEvents } from '../../../detector/core/actor-events.ts';
import { toVerdict } from '../../../detector/core/attributed.ts';
import { createKeyedHash } from '../../../detector/core/keyed-hash.ts';
import { type ActorsConfig, actorsSection } from '../../../schemas/config/actors.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { VerdictStage } from '../../../schemas/log/verdict.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { segmentSpansOf, type WireSpan } from '../traces/otlp.ts';

type Attributes = NonNullable<WireSpan['attributes']>;

interface Asked {
  readonly actors?: Parameters<typeof actorsSection.parse>[0];
  readonly redaction?: Parameters<typeof redactionSection.parse>[0];
  readonly asynchronous?: boolean;
  readonly traceState?: string;
}

function eventOf(spans: readonly WireSpan[], asked: Asked = {}): ActorEvent {
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
  const actors: ActorsConfig = actorsSection.parse(asked.actors ?? {});
  const redactor = createRedactor(redactionSection.parse(asked.redaction ?? {}));
  const events = createActorEvents(actors, {
    symbols: kit.symbols,
    redactor,
    hash: createKeyedHash('a key of the installation', 'objects'),
  });
  const segment = segmentSpansOf(spans, { asynchronous: asked.asynchronous ?? false });
  expect(kit.reader.read(segment, kit.segment)).toBe(true);
  return events.request(kit.segment, toVerdict(segment, kit.segment, null, '', VerdictStage.closed, 'none'));
}

const entry = (attributes: Attributes, more: Partial<WireSpan> = {}): WireSpan => ({
  spanId: '00000000000000a1',
  service: 'gateway',
  kind: 'server',
  start: 0,
  end: 20,
  ...more,
  attributes: { 'network.peer.address': '203.0.113.9', ...attributes },
});
const inner = (attributes: Attributes, more: Partial<WireSpan> = {}): WireSpan => ({
  spanId: '00000000000000a2',
  parent: '00000000000000a1',
  service: 'auth',
  kind: 'server',
  start: 2,
  end: 10,
  attributes,
  ...more,
});
const http = (method: string, route: string, status: number, more: Attributes = {}): Attributes => ({
  'http.request.method': method,
  'http.route': route,
  'http.response.status_code': status,
  ...more,
});

describe('who asked for what, and what was answered', () => {
  test('client, outcome, status, bytes and weight of the entry', () => {
    const event = eventOf([
      entry(http('GET', '/orders/{id}', 404, { 'url.path': '/orders/17', 'http.response.body.size': 5120 }), {
        traceState: 'ot=th:c',
      }),
    ]);
    expect(event).toMatchObject({
      part: 'request',
      service: 'gateway',
      operation: 'GET /orders/{id}',
      asynchronous: false,
      outcome: 2,
      httpStatus: 404,
      responseBytes: 5120,
      sampleWeight: 4,
      login: null,
      anomalous: false,
      p: 1,
      findings: [],
    });
    expect(event.client.address).toBe('203.0.113.9');
    expect(event.id).toMatch(/^\d{8}-[0-9a-f]{32}-00000000000000a1$/);
  });

  test('without a size it is −1; users and sessions leave as redaction lets them', () => {
    const event = eventOf([entry(http('GET', '/', 200, { 'user.id': 'u-17', 'session.id': 'secret-session' }))]);
    expect(event.responseBytes).toBe(-1);
    expect(event.client.user).toBe('u-17');
    expect(event.client.session).toBe('[redacted]');
  });

  test.each(['user.id', 'enduser.id', '*user.id'])('a user is a secret where %s is one', (name) => {
    const user = (redaction: Asked['redaction']): string | null =>
      eventOf([entry(http('GET', '/', 200, { 'user.id': 'ana@example.com' }))], { redaction }).client.user;
    expect(user({ attributes: [name] })).toBeNull();
    expect(user({ mode: 'hash', key: 'sixteen characters', attributes: [name] })).toMatch(/^hmac:[0-9a-f]{16}$/);
    expect(user({ mode: 'keep', attributes: [name] })).toBe('ana@example.com');
  });
});

describe('what the request names', () => {
  const objects = (attributes: Attributes, asked?: Asked) =>
    eventOf([entry(attributes)], asked).objects.map(({ kind, number }) => [kind, number]);

  test('parts of a path that differ', () => {
    expect(objects(http('GET', '/users/{id}/orders/{order}', 200, { 'url.path': '/users/alice/orders/17' }))).toEqual([
      ['gateway GET /users/{id}/orders/{order} · 2', null],
      ['gateway GET /users/{id}/orders/{order} · 4', 17],
    ]);
  });

  test.each([
    ['id=17', 'id', 17],
    ['order_id=18', 'order_id', 18],
    ['orderId=19', 'orderId', 19],
    ['orderID=20', 'orderID', 20],
    ['invoice-number=21', 'invoice-number', 21],
    ['docRef=a7', 'docRef', null],
    ['filter%5Bid%5D=1', '', null],
    ['grid=7', '', null],
    ['paid=7', '', null],
    ['request_id=7', '', null],
    ['x.idempotency-key=7', '', null],
    ['api_key=17', '', null],
    ['card_number=17', 'card_number', null],
    ['id=4111111111111111', 'id', null],
    ['id=017', 'id', null],
    ['id=', '', null],
  ])('query %s', (query, name, number) => {
    const found = objects(http('GET', '/find', 200, { 'url.path': '/find', 'url.query': query }));
    expect(found).toEqual(name === '' ? [] : [[`gateway GET /find · ${name}`, number]]);
  });

  test('arguments of calls, where the entry names nothing', () => {
    const spans = [
      entry(http('GET', '/document', 200)),
      inner(
        { 'rpc.system': 'grpc', 'rpc.service': 'shop.Docs', 'rpc.method': 'Get', 'rpc.request.doc_id': 'x-1' },
        { service: 'docs' },
      ),
    ];
    expect(eventOf(spans).objects.map(({ kind }) => kind)).toEqual(['docs shop.Docs/Get · doc_id']);
    expect(
      eventOf([entry(http('GET', '/document/{id}', 200, { 'url.path': '/document/9' })), spans[1]!]).objects,
    ).toHaveLength(1);
  });

  test('at most eight, each once; names are configured', () => {
    const query = Array.from({ length: 40 }, (_, i) => `id=${i >> 1}`).join('&');
    const event = eventOf([entry(http('GET', '/', 200, { 'url.path': '/', 'url.query': query }))]);
    expect(event.objects.length).toBeLessThanOrEqual(8);
    expect(new Set(event.objects.map(({ hash }) => hash)).size).toBe(event.objects.length);
    const asked: Asked = { actors: { objects: { parameters: ['sku'], ignore: [] } } };
    expect(objects(http('GET', '/', 200, { 'url.path': '/', 'url.query': 'sku=9&id=1' }), asked)).toEqual([
      ['gateway GET / · sku', 9],
    ]);
  });

  test('one value is one thing under one name, another under another; never the value itself', () => {
    const of = (path: string, value: string) =>
      eventOf([entry(http('GET', `/${path}/{id}`, 200, { 'url.path': `/${path}/${value}` }))]).objects[0]!;
    expect(of('orders', 'ORD-77123').hash).toBe(of('orders', 'ORD-77123').hash);
    expect(of('orders', 'ORD-77123').hash).not.toBe(of('users', 'ORD-77123').hash);
    expect(JSON.stringify(of('orders', 'ORD-77123'))).not.toContain('77123');
  });
});

describe('attempts to sign in', () => {
  const login = (spans: readonly WireSpan[], asked?: Asked) => eventOf(spans, asked).login;
  const body = { 'http.request.body.username': 'alice' };

  test.each([
    ['POST', '/login'],
    ['POST', '/api/v2/sign-in'],
    ['POST', '/user/signIn/'],
    ['PUT', '/sessions'],
    ['POST', '/oauth/token'],
    ['POST', '/wp-login.php'],
    ['POST', '/Account/LogOn'],
  ])('%s %s is one', (method, route) => {
    expect(login([entry(http(method, route, 200, body))])).toEqual({ account: 'alice', succeeded: true });
  });

  test.each([
    ['GET', '/login'],
    ['POST', '/login/help'],
    ['POST', '/logins'],
    ['DELETE', '/sessions'],
    ['POST', '/tokens/{id}'],
  ])('%s %s is none', (method, route) => {
    expect(login([entry(http(method, route, 200, body))])).toBeNull();
  });

  test('an RPC method, and a GraphQL mutation', () => {
    const rpc = {
      'rpc.system': 'grpc',
      'rpc.service': 'shop.Auth',
      'rpc.method': 'Login',
      'rpc.request.email': 'a@b.example',
    };
    expect(login([entry({ ...rpc, 'rpc.grpc.status_code': 16 })])).toEqual({
      account: 'a@b.example',
      succeeded: false,
    });
    expect(login([entry({ ...rpc, 'rpc.grpc.status_code': 14 })])).toBeNull();
    expect(
      login([entry({ 'graphql.operation.type': 'mutation', 'graphql.operation.name': 'signIn', 'user.name': 'bob' })]),
    ).toEqual({ account: 'bob', succeeded: true });
  });

  test.each([
    [200, true],
    [302, true],
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [422, false],
    [429, false],
    [405, null],
    [500, null],
    [503, null],
  ])('answered %i: %s', (status, succeeded) => {
    const attempt = login([entry(http('POST', '/login', status, body))]);
    expect(attempt).toEqual(succeeded === null ? null : { account: 'alice', succeeded });
  });

  test('a page that is not there is none, without an account', () => {
    expect(login([entry(http('POST', '/wp-login.php', 404))])).toBeNull();
    expect(login([entry(http('POST', '/login', 401))])).toEqual({ account: '', succeeded: false });
  });

  test('a gateway that answers 200 and asked an auth service that said no: failed', () => {
    const asked = inner({
      'rpc.system': 'grpc',
      'rpc.service': 'shop.Auth',
      'rpc.method': 'Login',
      'rpc.grpc.status_code': 16,
    });
    expect(login([entry(http('POST', '/login', 200, body)), asked])).toEqual({ account: 'alice', succeeded: false });
  });

  test('behind an entry that is none, where an account is named', () => {
    const rpc = { 'rpc.system': 'grpc', 'rpc.service': 'shop.Auth', 'rpc.method': 'Login', 'rpc.grpc.status_code': 16 };
    expect(login([entry(http('POST', '/rpc', 401)), inner({ ...rpc, 'rpc.request.user_name': 'carol' })])).toEqual({
      account: 'carol',
      succeeded: false,
    });
    expect(login([entry(http('POST', '/rpc', 401)), inner(rpc)])).toBeNull();
  });

  test('queued work is none', () => {
    expect(login([entry(http('POST', '/login', 401, body))], { asynchronous: true })).toBeNull();
  });

  test.each<[string, Attributes, string]>([
    ['query', { 'url.path': '/login', 'url.query': 'email=q%40x' }, 'q%40x'],
    ['nested body', { 'http.request.body.user[email]': 'n@x' }, 'n@x'],
    ['header', { 'http.request.header.x-user.username': 'h' }, 'h'],
    ['nothing', {}, ''],
    ['a longer one, cut', { 'http.request.body.login': 'x'.repeat(500) }, 'x'.repeat(128)],
    ['user.name', { 'user.name': 'dora', 'enduser.id': '77' }, 'dora'],
    ['enduser.id', { 'enduser.id': '77' }, '77'],
  ])('account from %s', (_, attributes, account) => {
    expect(login([entry(http('POST', '/login', 401, attributes))])?.account).toBe(account);
  });

  test('user.email of a span further down', () => {
    expect(login([entry(http('POST', '/login', 401)), inner({ 'user.email': 'e@x' })])?.account).toBe('e@x');
  });

  test('a name that redaction calls a secret leaves as a secret', () => {
    const redaction = { mode: 'hash', key: 'sixteen characters', attributes: ['*username*'] } as const;
    expect(login([entry(http('POST', '/login', 401, body))], { redaction })?.account).toMatch(/^hmac:[0-9a-f]{16}$/);
  });

  test('what is masked is no account: all of them would be one', () => {
    const named = [entry(http('POST', '/login', 401, body))];
    expect(login(named, { redaction: { attributes: ['*username*'] } })?.account).toBe('');
    const user = [entry(http('POST', '/login', 401, { 'enduser.id': '77' }))];
    expect(login(user, { redaction: { attributes: ['enduser.id'] } })?.account).toBe('');
    const hashed = { mode: 'hash', key: 'sixteen characters', attributes: ['user.email'] } as const;
    const mail = [entry(http('POST', '/login', 401, { 'user.email': 'e@x' }))];
    expect(login(mail, { redaction: hashed })?.account).toMatch(/^hmac:/);
  });

  test('which operations and parameters is configured', () => {
    const actors = { login: { operations: ['GET saml/acs'], accountParameters: ['subject'] } };
    const attributes = { 'url.path': '/saml/acs', 'url.query': 'subject=s1' };
    expect(login([entry(http('GET', '/saml/acs', 403, attributes))], { actors })).toEqual({
      account: 's1',
      succeeded: false,
    });
    expect(login([entry(http('POST', '/saml/acs', 403, attributes))], { actors })).toBeNull();
    expect(login([entry(http('POST', '/login', 403, body))], { actors })).toBeNull();
  });
});
