/** kill -9 of everything in the middle of traffic, again and again, on one data directory: the ledger is exact. */
import { afterEach, describe, expect, it } from 'vitest';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../functional/clickhouse/server.ts';
import { SECRET, startBodyReceiver } from '../functional/roles/receiver.ts';
import {
  attach,
  createTraffic,
  publish,
  type Running,
  rowsOf,
  settingsOf,
  start,
  until,
} from '../functional/roles/running.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(noClickHouse)('kill -9 in the middle of traffic', () => {
  it('every acknowledged span is stored exactly once, no alert has two bodies, an attack is alerted', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    // every third delivery fails: some are under way when the process dies
    const receiver = await startBodyReceiver((n) => (n % 3 === 0 ? 500 : 204));
    cleanups.push(() => receiver.stop());
    const settings = settingsOf(directory, {
      alerts: { destinations: [{ name: 'test', url: receiver.url, secret: SECRET }] },
    });
    let running: Running | undefined;
    cleanups.push(async () => {
      running?.child.kill('SIGKILL');
      await running?.ended;
    });

    running = await start(directory, settings, [], 'roles started');
    const first = await attach(directory);
    const version = await publish(directory, first);
    const traffic = createTraffic(() => running?.otlp);
    cleanups.push(() => traffic.stop());
    await until('the version judges', async () => {
      const rows = await rowsOf(first, `SELECT 1 FROM spanwarden.verdicts WHERE version = '${version}' LIMIT 1`);
      return rows.length > 0;
    });
    await first.stop();

    for (const afterMs of [700, 1_900, 1_150]) {
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      running.child.kill('SIGKILL');
      await running.ended;
      running = await start(directory, settings, [], 'roles started');
    }
    await until('an attack after all that', () => receiver.bodies.size > 0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await traffic.stop();
    const { acknowledged, offered } = traffic;

    const clickhouse = await attach(directory);
    cleanups.push(() => clickhouse.stop());
    const stored = async (): Promise<string[]> =>
      (await rowsOf<{ key: string }>(clickhouse, 'SELECT TraceId || SpanId AS key FROM spanwarden.otel_traces')).map(
        ({ key }) => key,
      );
    await until('every acknowledged span', async () => {
      const there = new Set(await stored());
      return [...acknowledged].every((key) => there.has(key));
    });
    const rows = await stored();
    expect(rows.length).toBe(new Set(rows).size); // none twice, before any merge
    expect(rows.filter((key) => !offered.has(key))).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(1_000);
    expect([...receiver.bodies].filter(([, bodies]) => bodies.size !== 1)).toEqual([]);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(running.lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});
