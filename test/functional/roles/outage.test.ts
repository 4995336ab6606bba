/** ClickHouse goes away while traffic goes on: alerts do not wait for it, and nothing is missing or doubled afterwards. */
import { afterEach, describe, expect, it } from 'vitest';
import { searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS, type WireSpan } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { SECRET, startBodyReceiver } from './receiver.ts';
import { createClickHouse, freePort, keyOf, post, publish, rowsOf, settingsOf, start, until } from './running.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const now = (): number => Date.now() - EPOCH_MS;

describe.skipIf(noClickHouse)('ClickHouse away', () => {
  it('past detector.maxUnstoredBytes alerts go on without rows; when it is back everything is stored exactly once', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    const receiver = await startBodyReceiver();
    cleanups.push(() => receiver.stop());
    const clickhouse = await createClickHouse(directory);
    cleanups.push(() => clickhouse.kill());
    const before = await clickhouse.start();
    const httpPort = await freePort();
    const running = await start(
      directory,
      settingsOf(directory, {
        http: { port: httpPort },
        clickhouse: clickhouse.settings,
        detector: { maxUnstoredBytes: 1_048_576 },
        alerts: { destinations: [{ name: 'test', url: receiver.url, secret: SECRET }] },
      }),
      [],
      'roles started',
    );
    cleanups.push(async () => {
      running.child.kill('SIGKILL');
      await running.ended;
    });
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
      return Number(new RegExp(`^spanwarden_${name}(?:{[^}]*})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
    };

    const version = await publish(directory, before);
    const sent: WireSpan[] = [];
    let trace = 0;
    const send = async (count: number, client: string, oddity: 'none' | 'pair' | 'statement'): Promise<void> => {
      const spans = Array.from({ length: count }, () => searchTrace(++trace, now() - 60, client, oddity)).flat();
      expect(await post(running.otlp, spans)).toBe(200);
      sent.push(...spans);
    };
    await until('the version judges', async () => {
      await send(1, '198.51.100.1', 'none');
      const rows = await rowsOf(before, `SELECT 1 FROM spanwarden.verdicts WHERE version = '${version}' LIMIT 1`);
      return rows.length > 0;
    });

    await before.stop();
    await clickhouse.kill();
    for (let i = 0; i < 60; i++) await send(50, `198.51.100.${i % 40}`, 'none');
    await until('alert-only mode', async () => (await metric('detector_alert_only')) === 1);
    await send(1, '203.0.113.9', 'pair');
    await until('an alert without a store', () => receiver.bodies.size > 0);
    const alerted = [...receiver.bodies.keys()];

    const after = await clickhouse.start();
    cleanups.push(() => after.stop());
    const stored = async (): Promise<string[]> =>
      (await rowsOf<{ key: string }>(after, 'SELECT TraceId || SpanId AS key FROM spanwarden.otel_traces')).map(
        ({ key }) => key,
      );
    const wanted = sent.map(keyOf).sort();
    await until('every span', async () => (await stored()).length >= wanted.length);
    await until('its verdict', async () => {
      const [row] = await rowsOf<{ n: string }>(
        after,
        'SELECT toString(uniqExact(trace_id)) AS n FROM spanwarden.verdicts',
      );
      return row?.n === `${trace}`;
    });
    expect((await stored()).sort()).toEqual(wanted);
    await until('the alert’s row', async () => (await rowsOf(after, 'SELECT id FROM spanwarden.alerts')).length > 0);
    // read again and judged again, but said only once
    expect([...receiver.bodies.keys()]).toEqual(alerted);
    expect([...receiver.bodies.values()].every((bodies) => bodies.size === 1)).toBe(true);
    expect(await metric('detector_alert_only')).toBe(0);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
  });
});
