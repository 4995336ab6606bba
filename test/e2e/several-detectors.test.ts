/** Several detectors on a real Kafka: one joins, one is killed, one stops, in the middle of traffic; the ledger is exact. */
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
import { brokerForTests, freshPrefix, noKafka } from '../kafka/for-tests.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(noClickHouse || noKafka)('several detectors on Kafka', () => {
  it('join, are killed and stop in the middle of traffic: every span is stored once, no alert has two bodies', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    const receiver = await startBodyReceiver((n) => (n % 3 === 0 ? 500 : 204));
    cleanups.push(() => receiver.stop());
    const kafka = { brokers: await brokerForTests(), topicPrefix: freshPrefix(), sessionTimeoutMs: 6_000 };
    const settings = settingsOf(directory, {
      kafka,
      log: { spansPartitions: 4 },
      detector: { handOverMs: 2_000 },
      alerts: { destinations: [{ name: 'test', url: receiver.url, secret: SECRET }] },
    });
    const processes: Running[] = [];
    cleanups.push(async () => {
      for (const { child } of processes) child.kill('SIGKILL');
      await Promise.all(processes.map(({ ended }) => ended));
    });
    const run = async (...roles: string[]): Promise<Running> => {
      const running = await start(directory, settings, roles, 'roles started');
      processes.push(running);
      return running;
    };
    // the embedded ClickHouse ends with the process that started it: that one stays
    const stays = await run('collector', 'responder');
    const clickhouse = await attach(directory);
    cleanups.push(() => clickhouse.stop());
    const version = await publish(directory, clickhouse, settings);

    const traffic = createTraffic(() => stays.otlp);
    cleanups.push(() => traffic.stop());
    const detectors = [await run('detector'), await run('detector')];
    const judging = async (): Promise<number> =>
      Number(
        (
          await rowsOf<{ n: string }>(
            clickhouse,
            `SELECT count() n FROM spanwarden.verdicts WHERE version = '${version}'`,
          )
        )[0]!.n,
      );
    await until('the version judges', async () => (await judging()) > 0);

    const goesOn = async (what: string): Promise<void> => {
      const before = await judging();
      await until(`verdicts go on after ${what}`, async () => (await judging()) > before + 100);
    };
    detectors.push(await run('detector'));
    await goesOn('a third one joined');
    detectors[0]!.child.kill('SIGKILL');
    await detectors[0]!.ended;
    await goesOn('one was killed');
    detectors[1]!.child.kill('SIGTERM');
    expect(await detectors[1]!.ended).toBe(0);
    await goesOn('one stopped');
    await until('an attack after all that', () => receiver.bodies.size > 0);
    await traffic.stop();

    const stored = async (): Promise<string[]> =>
      (await rowsOf<{ key: string }>(clickhouse, 'SELECT TraceId || SpanId AS key FROM spanwarden.otel_traces')).map(
        ({ key }) => key,
      );
    const { acknowledged, offered } = traffic;
    await until('every acknowledged span', async () => {
      const there = new Set(await stored());
      return [...acknowledged].every((key) => there.has(key));
    });
    const rows = await stored();
    expect(rows.length).toBe(new Set(rows).size); // none twice, before any merge
    expect(rows.filter((key) => !offered.has(key))).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(1_000);
    const verdicts = await rowsOf<{ id: string; n: string }>(
      clickhouse,
      'SELECT id, count() n FROM spanwarden.verdicts_latest GROUP BY id HAVING n > 1',
    );
    expect(verdicts).toEqual([]);
    expect([...receiver.bodies].filter(([, bodies]) => bodies.size !== 1)).toEqual([]);
    for (const { child, ended } of [detectors[2]!, stays]) {
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    }
    const errors = [...detectors.slice(1), stays].flatMap(({ lines }) =>
      lines.filter(({ level }) => level === 'error'),
    );
    expect(errors).toEqual([]);
  });
});
