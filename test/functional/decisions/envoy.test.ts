/**
 * The shipped Envoy example: read strictly into Envoy's own API types with their validation rules (go-control-plane), and the request
 * that Envoy would make of it answered by our server. Envoy itself is not run.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../../runtime/config/load.ts';
import { decisionOf } from '../../unit/decisions/decided.ts';
import { buildGo, type GoProgram } from './go.ts';
import { type Serving, startServing } from './serving.ts';

const EXAMPLE = new URL('../../../docs/examples/envoy/', import.meta.url);
const read = (): Bootstrap => parse(readFileSync(new URL('envoy.yaml', EXAMPLE), 'utf8')) as Bootstrap;

interface Bootstrap {
  static_resources: {
    listeners: { filter_chains: { filters: { typed_config: ConnectionManager }[] }[] }[];
    clusters: {
      name: string;
      load_assignment: {
        endpoints: {
          lb_endpoints: { endpoint: { address: { socket_address: { address: string; port_value: number } } } }[];
        }[];
      };
    }[];
  };
}
interface ConnectionManager {
  use_remote_address: boolean;
  http_filters: { name: string; typed_config: Record<string, unknown> }[];
}
interface Patterns {
  patterns: { exact: string }[];
}
interface ExtAuthz {
  failure_mode_allow: boolean;
  allowed_headers: Patterns;
  http_service: {
    path_prefix: string;
    server_uri: { cluster: string; timeout: string };
    authorization_request: { headers_to_add: { key: string; value: string }[] };
    authorization_response: { allowed_upstream_headers: Patterns };
  };
}

const managerOf = (bootstrap: Bootstrap): ConnectionManager =>
  bootstrap.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
const authzOf = (bootstrap: Bootstrap): ExtAuthz =>
  managerOf(bootstrap).http_filters.find(({ name }) => name === 'envoy.filters.http.ext_authz')!
    .typed_config as unknown as ExtAuthz;
const exact = ({ patterns }: Patterns): string[] => patterns.map((one) => one.exact);

describe('the Envoy example in Envoy’s API types', () => {
  let program: GoProgram;
  beforeAll(async () => {
    program = await buildGo(
      new URL('envoy/', import.meta.url),
      'the Envoy example against Envoy’s API types',
      'envoy-types',
    );
  }, 300_000);
  afterAll(() => program && rmSync(program.directory, { recursive: true, force: true }));

  const validate = (bootstrap: unknown): Promise<{ code: number | null; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = spawn(program.binary!);
      let out = '';
      let err = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        out += chunk;
      });
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        err += chunk;
      });
      child.on('close', (code) => resolve({ code, out, err }));
      child.stdin.end(JSON.stringify(bootstrap));
    });

  it('is valid, and one with a field that Envoy does not have, or a value it refuses, is not', async (context) => {
    if (program.binary === null) context.skip();
    const { code, out, err } = await validate(read());
    expect([code, err]).toEqual([0, '']);
    const typed = authzOf(JSON.parse(out) as Bootstrap);
    expect(typed).toMatchObject({
      failure_mode_allow: true,
      allowed_headers: { patterns: [{ exact: 'x-forwarded-for' }] },
      http_service: {
        path_prefix: '/check',
        server_uri: { cluster: 'spanwarden', timeout: '0.050s' },
        authorization_response: { allowed_upstream_headers: { patterns: [{ exact: 'x-spanwarden-risk' }] } },
      },
    });
    const misspelt = read();
    Object.assign(authzOf(misspelt), { failure_mode_allowed: true });
    expect(await validate(misspelt)).toMatchObject({ code: 1, err: expect.stringContaining('failure_mode_allowed') });
    const refused = read();
    authzOf(refused).http_service.server_uri.cluster = '';
    expect(await validate(refused)).toMatchObject({ code: 1, err: expect.stringContaining('Cluster') });
  });
});

describe('the Envoy example beside our server', () => {
  let serving: Serving | undefined;
  afterEach(() => serving?.stop());

  it('takes a client’s risk away before it asks, believes the socket, and does without us', () => {
    const manager = managerOf(read());
    expect(manager.use_remote_address).toBe(true);
    expect(manager.http_filters.map(({ name }) => name)).toEqual([
      'envoy.filters.http.header_mutation',
      'envoy.filters.http.ext_authz',
      'envoy.filters.http.router',
    ]);
    expect(manager.http_filters[0]!.typed_config).toMatchObject({
      mutations: { request_mutations: [{ remove: 'x-spanwarden-risk' }] },
    });
    expect(authzOf(read()).failure_mode_allow).toBe(true);
  });

  it('asks in a way that the server beside it, configured as shipped, answers', async () => {
    const config = loadConfig({ file: new URL('spanwarden.yaml', EXAMPLE).pathname, env: {} });
    const { http_service: service, allowed_headers } = authzOf(read());
    const cluster = read().static_resources.clusters.find(({ name }) => name === service.server_uri.cluster)!;
    const { socket_address } = cluster.load_assignment.endpoints[0]!.lb_endpoints[0]!.endpoint.address;
    expect([socket_address.address, socket_address.port_value]).toEqual([config.response.host, config.response.port]);

    serving = await startServing({ ...config.response, mode: 'enforce', port: 0 }, config.attribution);
    const expiresMs = serving.now() + 3_600_000;
    serving.served.put([
      decisionOf({ createdMs: serving.now(), expiresMs }),
      decisionOf({
        value: '203.0.113.8',
        target: 'operations',
        operations: config.response.rules[1]!.operations,
        expiresMs,
      }),
    ]);
    const { port } = serving;
    /** What Envoy makes of a request that came from `address`: the allowed headers, then its own, which overwrite. */
    const ask = (method: string, path: string, address: string, headers: Record<string, string> = {}) =>
      new Promise<{ status: number; upstream: Record<string, unknown> }>((resolve, reject) => {
        const before = headers['x-forwarded-for'];
        const downstream = { ...headers, 'x-forwarded-for': before === undefined ? address : `${before},${address}` };
        const sent: Record<string, string> = { 'content-length': '0' };
        for (const [name, value] of Object.entries(downstream))
          if (name === 'authorization' || exact(allowed_headers).includes(name)) sent[name] = value;
        for (const { key, value } of service.authorization_request.headers_to_add) sent[key] = value;
        request({ port, host: '127.0.0.1', method, path: service.path_prefix + path, headers: sent }, (answer) => {
          answer.resume();
          const allowed = exact(service.authorization_response.allowed_upstream_headers);
          const upstream = Object.fromEntries(allowed.map((name) => [name, answer.headers[name]]));
          answer.on('end', () => resolve({ status: answer.statusCode!, upstream }));
        })
          .on('error', reject)
          .end();
      });
    expect(await ask('GET', '/orders', '198.51.100.1')).toEqual({
      status: 200,
      upstream: { 'x-spanwarden-risk': '0' },
    });
    expect((await ask('GET', '/orders', '203.0.113.7')).status).toBe(403);
    // through a balancer of ours, and with what the client itself wrote
    expect((await ask('GET', '/', '10.0.0.9', { 'x-forwarded-for': '9.9.9.9, 203.0.113.7' })).status).toBe(403);
    expect((await ask('GET', '/', '198.51.100.1', { 'x-forwarded-for': '203.0.113.7' })).status).toBe(200);
    expect((await ask('POST', '/checkout', '203.0.113.8')).status).toBe(403);
    expect((await ask('DELETE', '/admin/users/1', '203.0.113.8')).status).toBe(403);
    expect(await ask('GET', '/orders', '203.0.113.8', { 'x-spanwarden-risk': '0', 'x-api-key': 'stolen' })).toEqual({
      status: 200,
      upstream: { 'x-spanwarden-risk': '70' },
    });
  });
});
