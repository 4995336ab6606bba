/** What operators ask of the trainer, as rows of a real ClickHouse, and versions that are not learned. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VersionFacts } from '../../../runtime/clickhouse/store.ts';
import type { BaselineRequest } from '../../../schemas/baselines/request.ts';
import { versionId } from '../../../schemas/baselines/version.ts';
import { noClickHouse, startTestServer, type TestServer } from './server.ts';

const request = (id: string, atMs: number, more: Partial<BaselineRequest> = {}): BaselineRequest => ({
  id,
  kind: 'roll-back',
  version: 'v1',
  manifest: '',
  force: false,
  forget: false,
  by: 'ada',
  comment: "it's worse",
  atMs,
  ...more,
});

describe.skipIf(noClickHouse)('requests about the baseline', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  test('are asked once, answered as often as there is something to say, and pending until that ends them', async () => {
    const { store } = server;
    const nowMs = Date.now();
    const [first, second] = [request('r1', nowMs), request('r2', nowMs + 5, { kind: 'import', force: true })];
    await store.requestBaseline(second);
    await store.requestBaseline(first);
    expect((await store.baselineRequests({ pending: true })).map(({ id }) => id)).toEqual(['r1', 'r2']);
    await store.answerBaselineRequest(second, {
      state: 'confirming',
      message: '4 of 1000',
      result: '',
      atMs: nowMs + 10,
    });
    await store.answerBaselineRequest(first, { state: 'done', message: 'current', result: 'v9', atMs: nowMs + 20 });
    await store.requestBaseline(first); // asked again by somebody who heard no answer
    const [pending, ...none] = await store.baselineRequests({ pending: true });
    expect(none).toEqual([]);
    expect(pending).toEqual({
      ...second,
      answer: { state: 'confirming', message: '4 of 1000', result: '', atMs: nowMs + 10 },
    });
    const [, done] = await store.baselineRequests();
    expect(done).toEqual({ ...first, answer: { state: 'done', message: 'current', result: 'v9', atMs: nowMs + 20 } });
  });

  test('name entries that are no version until the trainer makes one of them', async () => {
    const { store } = server;
    const facts = {
      ...{ parent: '', createdMs: 1, offsets: [0], segments: 9, clients: 2, buckets: 3, bucketMs: 1_000, schema: 2 },
      ...{ segmentsPerDay: 9, calibrated: 9, profile: 'export', alpha: 0.01, alerting: true, learning: [] },
    };
    const content = [{ group: 'structure', kind: 'edge', key: 'a → b', value: '{"n":1}' }];
    const theirs = versionId(2, facts, content);
    const value = JSON.stringify({ version: theirs, ...facts });
    const entries = [{ group: 'manifest', kind: 'manifest', key: 'manifest', value }, ...content];
    await store.insertImported(theirs, entries);
    await store.insertImported(theirs, entries);
    // of other content, or under another's id, it would replace what is stored
    const changed = [entries[0]!, { ...content[0]!, value: '{"n":2}' }];
    await expect(store.insertImported(theirs, changed)).rejects.toThrow(/its content is not that of/);
    await expect(store.insertImported('0123456789abcdef', entries)).rejects.toThrow(/the baseline is/);
    expect(await store.loadImported('0123456789abcdef')).toEqual([]);
    expect(await store.loadImported(theirs)).toEqual(entries);
    expect(await store.listVersions()).toEqual([]);
    expect(await store.loadImported('nobody')).toEqual([]);
  });

  test('a version that was not learned is newest with the counters of the one that was, however many follow', async () => {
    const { store } = server;
    const nowMs = Date.now();
    const entries = [{ group: 'structure', kind: 'edge', key: 'a → b', value: '{"n":1}' }];
    const version = (id: string, createdMs: number, more: Partial<VersionFacts> = {}): VersionFacts => ({
      version: id,
      parent: '',
      createdMs,
      offsets: [7],
      segments: 10,
      alerting: true,
      ...more,
    });
    const partials = [{ partition: 0, block: 0, group: 'all', payload: Uint8Array.from([1, 2, 3]) }];
    await store.insertVersion({ manifest: version('learned', nowMs, { quarantined: 4 }), entries, partials });
    for (let i = 1; i <= 5; i++) {
      const manifest = version(`edited ${i}`, nowMs + i, { kind: 'edited', source: 'learned', counters: 'learned' });
      await store.insertVersion({ manifest, entries, partials: [] });
    }
    const latest = await store.latestVersion();
    expect(latest?.manifest).toMatchObject({ version: 'edited 5', kind: 'edited', source: 'learned' });
    expect(latest?.partials).toEqual([{ partition: 0, block: 0, group: 'all', payload: Buffer.from([1, 2, 3]) }]);
    // held by a roll-back, and learned on: '' names its own counters
    const own = [{ partition: 0, block: 0, group: 'all', payload: Uint8Array.from([4]) }];
    const held = version('held', nowMs + 9, { kind: 'rolled-back', source: 'learned', counters: '' });
    await store.insertVersion({ manifest: held, entries, partials: own });
    expect((await store.latestVersion())?.partials).toMatchObject([{ payload: Buffer.from([4]) }]);
    const rows = await server.rows(
      `SELECT version, kind, source, counters, quarantined, admitted FROM ${server.clickhouse.database}.baseline_versions FINAL ORDER BY created LIMIT 2`,
    );
    expect(rows).toMatchObject([
      { version: 'learned', kind: 'learned', source: '', counters: '', admitted: { 'structure edge': 1 } },
      { version: 'edited 1', kind: 'edited', source: 'learned', counters: 'learned' },
    ]);
  });
});
