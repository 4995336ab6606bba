/** The HTTP server on a real port: metrics, health, readiness, errors, a taken port. */
import { afterEach, expect, test } from 'vitest';
import { createHttpServer } from '../../../runtime/http/server.ts';
import { createSilentLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';

const running: { stop(deadlineMs: number): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop(1_000);
});

function createServer(port = 0) {
  const metrics = createMetrics();
  const server = createHttpServer({ host: '127.0.0.1', port }, { logger: createSilentLogger(), metrics });
  running.push(server);
  return { server, metrics };
}

test('serves metrics, health and readiness; readiness names what is not ready', async () => {
  const { server, metrics } = createServer();
  metrics.counter('spans_total', 'Spans').add(3);
  let schema = false;
  server.readiness.register('clickhouse schema', () => schema || 'tables are missing');
  server.readiness.register('log', () => true);
  server.readiness.register('broken', () => {
    if (!schema) throw new Error('no connection');
    return true;
  });
  const { url } = await server.start();
  const scrape = await fetch(`${url}/metrics`);
  expect(scrape.headers.get('content-type')).toContain('text/plain');
  expect(await scrape.text()).toMatch(/^spanwarden_spans_total 3$/m);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const waiting = await fetch(`${url}/readyz`);
  expect(waiting.status).toBe(503);
  expect(await waiting.json()).toEqual({
    ready: false,
    waiting: [
      { name: 'clickhouse schema', reason: 'tables are missing' },
      { name: 'broken', reason: 'no connection' },
    ],
  });
  schema = true;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('a handler that throws gives 500 without internals', async () => {
  const { server } = createServer();
  server.app.get('/boom', async () => {
    throw new Error('password=hunter2');
  });
  const { url } = await server.start();
  const answer = await fetch(`${url}/boom`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('hunter2');
});

test('a taken port is PORT_TAKEN and names the port and the setting', async () => {
  const first = await createServer().server.start();
  const { server } = createServer(first.port);
  await expect(server.start()).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(new RegExp(`port ${first.port} .*SPANWARDEN_HTTP_PORT`)),
  });
});

test('stop ends keep-alive connections and may be called twice', async () => {
  const { server } = createServer();
  const { url } = await server.start();
  await (await fetch(`${url}/healthz`)).text();
  await Promise.all([server.stop(500), server.stop(500)]);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
