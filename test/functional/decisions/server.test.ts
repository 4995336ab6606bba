/** The local API, checks and the feed over real sockets, also asked by the hostile and the confused. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { decisionOf } from '../../unit/decisions/decided.ts';
import { KEY, OTHER_KEY, PLUS_KEY, type Serving, startServing } from './serving.ts';

let serving: Serving;
beforeAll(async () => {
  serving = await startServing({ userHeader: 'x-user' });
});
afterAll(() => serving.stop());

const HOUR = 3_600_000;
const now = (fields: Partial<Decision> = {}): Decision =>
  decisionOf({ createdMs: serving.now(), expiresMs: serving.now() + HOUR, ...fields });
/** Everything that was decided is over. */
beforeEach(() => serving.pass(3 * HOUR));

const ask = (path: string, init: RequestInit & { key?: string } = {}): Promise<Response> =>
  fetch(`${serving.url}${path}`, { ...init, headers: { 'x-api-key': init.key ?? KEY, ...init.headers } });

/** As a gateway sends it: the path as it came, whatever it is. */
function check(
  method: string,
  path: string,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<{ status: number; risk: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port: serving.port,
        host: '127.0.0.1',
        method,
        path: `/check${path}`,
        headers: { 'x-api-key': KEY, ...headers },
      },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        const risk = answer.headers['x-spanwarden-risk'];
        answer.on('end', () => resolve({ status: answer.statusCode!, risk: risk as string | undefined, body }));
      },
    );
    sent.on('error', reject).end();
  });
}

describe('the local API', () => {
  it('answers nobody without a key that is good for it', async () => {
    serving.served.put([now()]);
    for (const path of ['/v1/decisions', '/v1/decisions/stream?startup=true', '/feed']) {
      for (const key of ['', 'wrong', `${KEY}x`, KEY.slice(1), 'x'.repeat(10_000)]) {
        const answer = await ask(path, { key });
        expect([answer.status, await answer.json()]).toEqual([403, { message: 'access forbidden' }]);
      }
      expect((await fetch(serving.url + path)).status).toBe(403);
      expect((await ask(path, { method: 'HEAD', key: 'wrong' })).status).toBe(403);
    }
    expect((await ask('/v1/usage-metrics', { method: 'POST', key: 'wrong', body: '{}' })).status).toBe(403);
    expect((await ask('/feed', { key: OTHER_KEY })).status).toBe(403); // a bouncer's
    expect((await ask(`/v1/decisions?key=${KEY}`, { key: 'wrong' })).status).toBe(403); // in the query for the feed alone
  });

  it('gives null where nothing is decided, and CrowdSec’s form where something is', async () => {
    expect(await (await ask('/v1/decisions?ip=203.0.113.7')).text()).toBe('null');
    serving.served.put([now({ number: 77 }), now({ scope: 'range', value: '198.51.100.0/24', type: 'captcha' })]);
    const answer = await ask('/v1/decisions?ip=203.0.113.7');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await answer.json()).toEqual([
      {
        id: 77,
        uuid: expect.any(String),
        origin: 'spanwarden',
        type: 'ban',
        scope: 'Ip',
        value: '203.0.113.7',
        duration: expect.stringMatching(/^(59m59(\.\d{1,3})?s|1h0m0s)$/),
        scenario: 'spanwarden/statement',
      },
    ]);
    expect(await (await ask('/v1/decisions?ip=198.51.100.3')).json()).toMatchObject([
      { scope: 'Range', type: 'captcha' },
    ]);
    const head = await ask('/v1/decisions', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('says 500 to what cannot be asked, as CrowdSec does', async () => {
    for (const query of ['ip=999.1.1.1', 'range=x/y', 'contains=perhaps', `scopes=${'x,'.repeat(2_000)}`]) {
      const answer = await ask(`/v1/decisions?${query}`);
      expect([query, answer.status, Object.keys((await answer.json()) as object)]).toEqual([query, 500, ['message']]);
      expect((await ask(`/v1/decisions/stream?${query}`)).status).toBe(500);
      expect((await ask(`/v1/decisions/stream?${query}`, { method: 'HEAD' })).status).toBe(200);
    }
    expect((await ask('/v1/decisions', { method: 'DELETE' })).status).toBe(404);
    expect((await ask('/v1/alerts')).status).toBe(404);
  });

  it('streams to each bouncer what is new and what is gone, once; a HEAD moves nothing', async () => {
    type Told = { new: { value: string }[]; deleted: { value: string; duration: string }[] };
    const pull = async (key: string, query = ''): Promise<[string[], string[]]> => {
      const told = (await (await ask(`/v1/decisions/stream?${query}`, { key })).json()) as Told;
      for (const { duration } of told.deleted) expect(duration).toMatch(/^(0s|-)/);
      return [told.new.map(({ value }) => value), told.deleted.map(({ value }) => value)];
    };
    const first = now({ value: '192.0.2.1' });
    const second = now({ value: '192.0.2.2', expiresMs: serving.now() + HOUR / 2 });
    serving.served.put([
      first,
      now({ scope: 'user', value: 'mallory' }),
      now({ value: '192.0.2.9', target: 'reduced-rights' }),
    ]);
    await pull(KEY, 'startup=true');
    await pull(OTHER_KEY, 'startup=true');
    serving.served.put([second]);
    expect((await ask('/v1/decisions/stream', { method: 'HEAD' })).status).toBe(200);
    expect(await pull(KEY)).toEqual([['192.0.2.2'], []]);
    expect(await pull(KEY)).toEqual([[], []]);
    serving.served.put([{ ...first, revision: 2, state: 'undone', undoneMs: serving.now() }]);
    expect(await pull(KEY)).toEqual([[], ['192.0.2.1']]);
    serving.pass(HOUR / 2 + 1_000);
    expect(await pull(KEY)).toEqual([[], ['192.0.2.2']]);
    expect(await pull(KEY)).toEqual([[], []]);
    // the other bouncer never heard of the second: an end too many does no harm, one too few would
    expect(await pull(OTHER_KEY)).toEqual([[], ['192.0.2.1', '192.0.2.2']]);
    expect((await pull(KEY, 'startup=true&scopes=username'))[0]).toEqual(['mallory']);
  });

  it('takes reports of usage, plain and in gzip, and no bombs', async () => {
    const report = {
      remediation_components: [
        {
          version: 'v1',
          utc_startup_timestamp: 5,
          metrics: [
            {
              meta: { window_size_seconds: 900, utc_now_timestamp: 5 },
              items: [{ name: 'dropped', unit: 'request', value: 4, labels: { origin: 'spanwarden' } }],
            },
          ],
        },
      ],
    };
    const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      ask('/v1/usage-metrics', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
    expect((await post(JSON.stringify(report))).status).toBe(201);
    expect((await post(new Uint8Array(gzipSync(JSON.stringify(report))), { 'content-encoding': 'gzip' })).status).toBe(
      201,
    );
    const counter = serving.metrics.counter('response_bouncer_reported_total', '');
    expect(counter.value({ bouncer: 'edge', name: 'dropped', unit: 'request' })).toBe(8);
    expect((await post('{')).status).toBe(400);
    expect((await post('{}')).status).toBe(400);
    expect((await post('{"remediation_components":[{}]}')).status).toBe(422);
    expect((await post('x', { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await post(new Uint8Array(gzipSync(Buffer.alloc(50 << 20))), { 'content-encoding': 'gzip' })).status).toBe(
      400,
    );
    expect((await post('x', { 'content-encoding': 'br' })).status).toBe(415);
    expect((await post('x'.repeat(2 << 20))).status).toBe(413);
  });
});

describe('checks', () => {
  const FROM = { 'x-forwarded-for': '203.0.113.7' };

  it('let ordinary requests go on with risk 0, refuse decided ones, mark reduced ones', async () => {
    expect(await check('GET', '/', FROM)).toEqual({ status: 200, risk: '0', body: '' });
    serving.served.put([now({ risk: 81 })]);
    expect(await check('GET', '/orders?x=1', FROM)).toEqual({
      status: 403,
      risk: undefined,
      body: '{"message":"refused"}',
    });
    expect(await check('HEAD', '/', FROM)).toMatchObject({ status: 403, body: '' });
    expect(await check('GET', '/', { 'x-forwarded-for': '203.0.113.8' })).toMatchObject({ status: 200, risk: '0' });
    serving.served.put([now({ value: '203.0.113.8', target: 'reduced-rights', risk: 30 })]);
    expect(await check('POST', '/checkout', { 'x-forwarded-for': '203.0.113.8' })).toMatchObject({
      status: 200,
      risk: '30',
    });
    serving.served.put([
      now({ scope: 'user', value: 'mallory', target: 'operations', operations: ['POST /checkout'] }),
    ]);
    const mallory = { 'x-forwarded-for': '192.0.2.5', 'x-user': 'mallory' };
    expect((await check('POST', '/checkout', mallory)).status).toBe(403);
    expect(await check('GET', '/checkout', mallory)).toMatchObject({ status: 200, risk: '70' });
  });

  it('do not believe a risk or another address that the client names', async () => {
    serving.served.put([now()]);
    const risk = { 'x-spanwarden-risk': '0' };
    expect((await check('GET', '/', { ...risk, 'x-forwarded-for': '9.9.9.9, 203.0.113.7' })).status).toBe(403);
    expect(await check('GET', '/', { ...risk, 'x-forwarded-for': '203.0.113.7, 9.9.9.9' })).toMatchObject({
      status: 200,
      risk: '0',
    });
  });

  it('without a good key are an error that the gateway passes over, never a refusal', async () => {
    serving.served.put([now()]);
    for (const key of ['', 'wrong', OTHER_KEY])
      expect((await check('GET', '/', { ...FROM, 'x-api-key': key })).status).toBe(503);
  });

  it('answer any method and any path, however odd: nothing but a decision refuses', async () => {
    const paths = [
      '',
      '/%zz',
      '/%',
      '//x',
      '/../../etc/passwd',
      '/\u00e9'.normalize(),
      `/${'a'.repeat(60_000)}`,
      '/?%00',
      '*',
      'x:80',
    ];
    for (const path of paths)
      expect((await check('GET', encodeURI(path).replaceAll('%25', '%'), FROM)).status).toBe(200);
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH', 'PURGE', 'REPORT'])
      expect((await check(method, '/x', FROM)).status).toBe(200);
    const long = {
      'x-forwarded-for': `${'x, '.repeat(21_000)}203.0.113.7`,
      authorization: `Bearer ${'t'.repeat(60_000)}`,
    };
    expect((await check('GET', '/', long)).status).toBe(200);
    serving.served.put([now()]);
    expect((await check('GET', '/', long)).status).toBe(403);
    for (const path of paths)
      expect((await check('GET', encodeURI(path).replaceAll('%25', '%'), FROM)).status).toBe(403);
  });

  it('read several headers of the same name as one list', async () => {
    serving.served.put([now()]);
    expect((await check('GET', '/', { 'x-forwarded-for': ['198.51.100.1', '203.0.113.7'] })).status).toBe(403);
    expect((await check('GET', '/', { 'x-forwarded-for': ['203.0.113.7', '198.51.100.1'] })).status).toBe(200);
  });

  it('survive a client that talks nonsense or goes away', async () => {
    for (const text of [
      'nonsense\r\n\r\n',
      'GET /check/ HTTP/1.1\r\nhost: x\r\n',
      'CONNECT /check HTTP/1.1\r\nhost: x\r\n\r\n',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(serving.port, '127.0.0.1', () => socket.end(text));
        socket
          .on('close', () => resolve())
          .on('error', () => {})
          .resume();
      });
    }
    expect((await check('GET', '/', FROM)).status).toBe(200);
  });
});

describe('the feed', () => {
  it('is text by key in header or query, and says when it is unchanged', async () => {
    serving.served.put([now({ value: '203.0.113.20' }), now({ scope: 'range', value: '2001:db8::/64' })]);
    for (const query of [`key=${PLUS_KEY}`, `key=${encodeURIComponent(PLUS_KEY)}`, `a=b&key=${PLUS_KEY}&c=d`])
      expect((await fetch(`${serving.url}/feed?${query}`)).status).toBe(200);
    for (const query of ['key=%', `key=${PLUS_KEY.replace('+', '%20')}`, `monkey=${PLUS_KEY}`, 'key='])
      expect((await fetch(`${serving.url}/feed?${query}`)).status).toBe(403);
    const answer = await fetch(`${serving.url}/feed?key=${KEY}`);
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
      'text/plain; charset=utf-8',
      '2001:db8::/64\n203.0.113.20\n',
    ]);
    const etag = answer.headers.get('etag')!;
    expect((await ask('/feed', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await ask('/feed', { headers: { 'if-none-match': `W/${etag}, "x"` } })).status).toBe(304);
    serving.served.put([now({ value: '203.0.113.21' })]);
    expect((await ask('/feed', { headers: { 'if-none-match': etag } })).status).toBe(200);
    const head = await ask('/feed', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});
