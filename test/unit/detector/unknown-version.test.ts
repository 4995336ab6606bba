/** An announced version that cannot be had: judged by the one before; when that passes is waited for, what stays is passed over. */
import { expect, test } from 'vitest';
import type { Baseline } from '../../../baseline/baseline.ts';
import { createVersions } from '../../../detector/versions.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createMemoryLog } from '../../../runtime/log/memory.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { VERSION_EFFECT_MS, type VersionAnnouncement } from '../../../schemas/log/version.ts';

const START = Date.UTC(2026, 0, 5);

/** `failures` by version: the code its loading fails with, changed by the test as it goes. */
async function setUp(failures: Map<string, 'BASELINE_UNKNOWN' | 'BASELINE_DAMAGED' | 'CLICKHOUSE_UNAVAILABLE'>) {
  let nowMs = START;
  let loads = 0;
  const now = () => nowMs;
  const log = createMemoryLog({ now });
  await log.ensureTopic('baselines', { partitions: 1, retentionMs: 1e9 });
  const versions = createVersions({
    log,
    logger: createLogger({ name: 'test', level: 'silent' }),
    now,
    async load(version) {
      loads++;
      const code = failures.get(version);
      if (code !== undefined) throw new SpanwardenError(code, `version ${version}`);
      return { version } as Baseline;
    },
  });
  return {
    versions,
    loads: () => loads,
    wait(ms: number) {
      nowMs += ms;
      return nowMs;
    },
    /** Announces, and gives the time at which it is in effect. */
    async announce(version: string, fields: Partial<VersionAnnouncement> = {}): Promise<number> {
      const announcement = { version, parent: '', offsets: [0], segments: 1, alerting: true, ...fields };
      await log.produce('baselines', [{ kind: RecordKind.version, key: version, value: encodeJson(announcement) }]);
      await log.settled();
      nowMs += VERSION_EFFECT_MS;
      return nowMs;
    },
  };
}

test('a version that never comes into the store is waited for, then passed over', async () => {
  const failures = new Map([['lost', 'BASELINE_UNKNOWN']] as const);
  const { versions, announce, wait } = await setUp(failures);
  await announce('good');
  const at = await announce('lost');
  await expect(versions.ready(at, at)).rejects.toMatchObject({ code: 'BASELINE_UNKNOWN' });
  const later = wait(60_000);
  await versions.ready(later, later);
  expect(versions.at(later)?.version).toBe('good');
});

test('a damaged version is passed over at once', async () => {
  const { versions, announce } = await setUp(new Map([['bad', 'BASELINE_DAMAGED']] as const));
  await announce('good');
  const at = await announce('bad');
  await versions.ready(at, at);
  expect(versions.at(at)?.version).toBe('good');
});

test('while the store is away the last version goes on; when it is back the new one judges', async () => {
  const failures = new Map<string, 'CLICKHOUSE_UNAVAILABLE'>();
  const { versions, announce, wait } = await setUp(failures);
  const first = await announce('one');
  await versions.ready(first, first);
  failures.set('two', 'CLICKHOUSE_UNAVAILABLE');
  const second = await announce('two');
  await expect(versions.ready(second, second)).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE' });
  expect(versions.at(second)?.version).toBe('one');
  failures.clear();
  const later = wait(1_000);
  await versions.ready(second, later);
  expect(versions.at(second)?.version).toBe('two');
  expect(versions.at(second - 1)?.version).toBe('one');
});

test('while everything is still learning nothing judges, so nothing can be alerted', async () => {
  const { versions, announce } = await setUp(new Map());
  const at = await announce('young', { alerting: false });
  await versions.ready(at, at);
  expect(versions.at(at)).toBeNull();
  expect(versions.alerting).toBe(false);
});

test('every version that can judge what is open is loaded, also one that was in effect between two reads', async () => {
  const { versions, announce } = await setUp(new Map());
  const first = await announce('one');
  await announce('two');
  const last = await announce('three');
  await versions.ready(first, last);
  expect([first, first + VERSION_EFFECT_MS, last].map((ms) => versions.at(ms)?.version)).toEqual([
    'one',
    'two',
    'three',
  ]);
});

test('old versions are let go, and loaded again for a partition that stands further back', async () => {
  const { versions, announce, loads } = await setUp(new Map());
  const times: number[] = [];
  for (let i = 0; i < 8; i++) times.push(await announce(`v${i}`));
  for (const at of times) await versions.ready(at, at);
  expect(loads()).toBe(8);
  await versions.ready(times[0]!, times[0]!);
  expect([versions.at(times[0]!)?.version, loads()]).toEqual(['v0', 9]);
});

test('a version that cannot raise alerts does not silence the one before; one announced twice takes effect once', async () => {
  const { versions, announce, loads } = await setUp(new Map());
  await announce('good');
  const at = await announce('poor', { alerting: false });
  await announce('good');
  await versions.ready(at, at + 60_000);
  expect([versions.at(at)?.version, versions.at(at + 60_000)?.version, loads()]).toEqual(['good', 'good', 1]);
  expect([versions.latest?.version, versions.alerting]).toEqual(['good', true]);
});
