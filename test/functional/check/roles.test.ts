/** `spanwarden check` beside running roles: the version in effect, on what the log holds, without leaving a trace of itself. */
import { afterEach, describe, expect, it } from 'vitest';
import type { CheckReport } from '../../../detector/check/report.ts';
import { createLogReader } from '../../../runtime/log/create.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { orderTrace, searchTrace } from '../../unit/detector/traffic.ts';
import { EPOCH_MS } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { attach, post, publish, rowsOf, settingsOf, start, until } from '../roles/running.ts';
import { type Said, spanwarden } from './command.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const REQUESTS = 1_400;

describe.skipIf(noClickHouse)('beside running roles', () => {
  it('judges what the log holds with the version in effect, and adds nothing to it', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    const settings = settingsOf(directory);
    const config = `${directory}/config.yaml`;
    const running = await start(directory, settings, [], 'roles started');
    cleanups.push(async () => {
      running.child.kill('SIGKILL');
      await running.ended;
    });
    const none = await spanwarden('check', '--config', config);
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/no version that can raise alerts is in effect yet/);

    const clickhouse = await attach(directory);
    cleanups.push(() => clickhouse.stop());
    const version = await publish(directory, clickhouse, settings);
    let trace = 0;
    for (let sent = 0; sent < REQUESTS; sent += 50) {
      const spans = Array.from({ length: 50 }, () => {
        trace++;
        const [atMs, client] = [Date.now() - EPOCH_MS - 60, `198.51.100.${trace % 40}`];
        return trace % 3 === 0 ? orderTrace(trace, atMs, client) : searchTrace(trace, atMs, client);
      });
      expect(await post(running.otlp, spans.flat())).toBe(200);
    }
    const log = createLogReader({ log: logSection.parse(settings.log) });
    await log.start();
    cleanups.push(() => log.stop(1_000));
    const traces = () =>
      rowsOf<{ n: string }>(
        clickhouse,
        'SELECT uniqExact(trace_id) AS n, uniqExact(version) AS v FROM spanwarden.verdicts',
      );
    await until('all is stored', async () => Number((await traces())[0]?.n) === REQUESTS);
    const [before, rowsBefore] = [await log.offsets('spans'), await traces()];

    let said: Said = { code: -1, out: '', err: '' };
    let report: CheckReport | undefined;
    await until('all has settled, and the version is in effect', async () => {
      said = await spanwarden('check', '--config', config, '--since', '1h', '--each', '20', '--json');
      report = said.out === '' ? undefined : (JSON.parse(said.out) as CheckReport);
      return report?.traffic.segments === REQUESTS;
    });
    if (report === undefined) throw new Error('no report');
    const { code, err } = said;
    expect(err).not.toMatch(/spanwarden: /);
    expect(report.version).toBe(version);
    expect([0, 3]).toContain(code);
    expect(report.traffic).toMatchObject({ segments: REQUESTS, sampled: REQUESTS, whole: true, unreadable: 0 });
    expect(report.withoutMatch).toBe(0);
    expect(report.ranking.planted).toBeGreaterThan(100);
    expect(report.kinds.find(({ kind }) => kind === 'skipped ancestor')!.recall.verdict).toBeGreaterThan(0.9);

    expect((await log.offsets('spans')).latest).toEqual(before.latest);
    expect(await traces()).toEqual(rowsBefore);
    expect(running.child.exitCode).toBeNull();
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
  });
});
