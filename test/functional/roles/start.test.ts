/** Starting and stopping: what a role needs, what it says while it lacks it, and that it goes cleanly. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts';
import { searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { createClickHouse, freePort, keyOf, post, type Running, rowsOf, settingsOf, start, until } from './running.ts';

const NOW = Date.now() - EPOCH_MS;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function newDirectory(): string {
  const directory = temporaryDirectory();
  cleanups.push(() => removeDirectory(directory));
  return directory;
}

async function started(...args: Parameters<typeof start>): Promise<Running> {
  const running = await start(...args);
  cleanups.push(async () => {
    running.child.kill('SIGKILL');
    await running.ended;
  });
  return running;
}

it('a collector alone needs no ClickHouse, says that it is ready, and drains at SIGTERM', async () => {
  const directory = newDirectory();
  const settings = settingsOf(directory, { clickhouse: { url: `http://127.0.0.1:${await freePort()}` } });
  const running = await started(directory, settings, ['collector'], 'roles started');
  expect((await fetch(`${running.http}/readyz`)).status).toBe(200);
  expect(await post(running.otlp, searchTrace(1, NOW, '198.51.100.1'))).toBe(200);
  const status = (await (await fetch(`${running.http}/status`)).json()) as object;
  expect(status).toEqual({ collector: { spansAccepted: 4 } });
  running.child.kill('SIGTERM');
  expect(await running.ended).toBe(0);
  expect(running.lines.filter((line) => line.level === 'error')).toEqual([]);
});

it('a taken port is one clear line, and nothing is left behind', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  cleanups.push(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const directory = newDirectory();
  const settings = settingsOf(directory, { http: { port } });
  const running = start(directory, settings, ['collector'], 'roles started');
  await expect(running).rejects.toThrow(`port ${port} on 127.0.0.1 is taken`);
  await expect(running).rejects.toThrow('http.port');
});

describe.skipIf(noClickHouse)('ClickHouse down at start', () => {
  it('the collector takes spans, the others wait and say so, and recover by themselves', async () => {
    const directory = newDirectory();
    const clickhouse = await createClickHouse(directory);
    cleanups.push(() => clickhouse.kill());
    const settings = settingsOf(directory, { http: { port: await freePort() }, clickhouse: clickhouse.settings });
    const running = await started(directory, settings);
    const http = `http://127.0.0.1:${(settings.http as { port: number }).port}`;
    const spans = [1, 2, 3].flatMap((trace) => searchTrace(trace, NOW, '198.51.100.1'));
    expect(await post(running.otlp, spans)).toBe(200);
    const ready = await fetch(`${http}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toMatch(/trainer, detector, responder/);

    const server = await clickhouse.start();
    cleanups.push(() => server.stop());
    await until('ready', async () => (await fetch(`${http}/readyz`)).status === 200);
    await until('the spans', async () => (await countOf(server, 'otel_traces')) === spans.length);
    const stored = await rowsOf<{ key: string }>(server, 'SELECT TraceId || SpanId AS key FROM spanwarden.otel_traces');
    expect(stored.map(({ key }) => key).sort()).toEqual(spans.map(keyOf).sort());
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
  });

  it('SIGTERM ends the waiting', async () => {
    const directory = newDirectory();
    const settings = settingsOf(directory, { clickhouse: { url: `http://127.0.0.1:${await freePort()}` } });
    const running = await started(directory, settings, [], 'waiting for ClickHouse to have the schema');
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(running.lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});

async function countOf(server: ClickHouse, name: string): Promise<number> {
  const [row] = await rowsOf<{ n: string }>(server, `SELECT toString(count()) AS n FROM spanwarden.${name}`);
  return Number(row?.n ?? 0);
}
