/** `spanwarden shop` as the demo profile runs it: traces reach the endpoint, and a signal ends it with all its processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { startSink } from '../../../datasets/load/sink.ts';
import { until } from '../roles/running.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('sends traces where it is told, until SIGTERM', { timeout: 120_000 }, async () => {
  let bytes = 0;
  const sink = await startSink((request) => {
    bytes += request.length;
  });
  cleanups.push(() => sink.stop());
  const otlp = `http://127.0.0.1:${sink.port}`;
  const args = ['cli/spanwarden.ts', 'shop', '--otlp', otlp, '--rate', '20', '--export-delay', '200'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  cleanups.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('the shop', () => said.includes(`traces to ${otlp}`), 90_000);
  await until('spans', () => bytes > 10_000);
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
  expect(said).toContain('stopping');
});
