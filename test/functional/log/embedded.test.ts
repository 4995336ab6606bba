/** The embedded log: conformance, and what only real files and real processes show. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createWallClock } from '../../../runtime/log/clock.ts';
import { createLog, ensureTopics } from '../../../runtime/log/create.ts';
import { createEmbeddedStore, type EmbeddedStoreConfig } from '../../../runtime/log/embedded/store.ts';
import type { Log } from '../../../runtime/log/port.ts';
import { createStoredLog } from '../../../runtime/log/stored-log.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { describeLogConformance } from './conformance.ts';
import {
  bytes,
  consume,
  createRecorder,
  type LogHarness,
  type LogOverrides,
  realTurn,
  text,
  until,
} from './harness.ts';

let directory: string;

const open = async (overrides: LogOverrides & Partial<EmbeddedStoreConfig> = {}): Promise<Log> => {
  const store = createEmbeddedStore({ directory, retentionEveryMs: 20, ...overrides });
  const log = createStoredLog(
    { queueBytes: overrides.queueBytes ?? 67_108_864, leaseMs: overrides.leaseMs ?? 2_000, pollMs: 20 },
    { store, clock: createWallClock() },
  );
  await log.start();
  return log;
};

const temporary = () => mkdtemp(join(tmpdir(), 'spanwarden-log-'));
const harness: LogHarness = { open, turn: realTurn, now: () => Date.now(), close: async () => {} };

describeLogConformance('embedded', async () => {
  directory = await temporary();
  return { ...harness, close: () => rm(directory, { recursive: true, force: true }) };
});

describe('embedded log, processes and files', () => {
  const children: ChildProcess[] = [];
  const logs: Log[] = [];
  const opened = async (...args: Parameters<typeof open>): Promise<Log> => {
    const log = await open(...args);
    logs.push(log);
    return log;
  };
  beforeEach(async () => {
    directory = await temporary();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const log of logs.splice(0)) await log.stop(1_000);
    await rm(directory, { recursive: true, force: true });
  });

  /** A child process that uses the log; each line it prints is one thing that happened. */
  function start(role: 'produce' | 'consume', ...args: string[]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), directory, role, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines: string[] = [];
    const waiting = new Set<() => void>();
    const told = () => {
      for (const check of waiting) check();
    };
    createInterface({ input: child.stdout! })
      .on('line', (line) => {
        lines.push(line);
        told();
      })
      .on('close', told);
    const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
    return {
      child,
      lines,
      exited,
      line(wanted: (line: string) => boolean): Promise<string> {
        return new Promise((resolve) => {
          const check = () => {
            const found = lines.find(wanted);
            if (found === undefined) return;
            waiting.delete(check);
            resolve(found);
          };
          waiting.add(check);
          check();
        });
      },
    };
  }

  test('kill -9 of a producing process loses nothing acknowledged', async () => {
    const log = await opened();
    await log.ensureTopic('spans', { partitions: 3, retentionMs: 3_600_000 });
    const producer = start('produce', '1000000', 'a');
    await producer.line((line) => Number(line.split(' ')[1]) >= 400);
    producer.child.kill('SIGKILL');
    await producer.exited;
    const acknowledged = producer.lines.map((line) => line.split(' ')[1]!);
    expect(acknowledged.length).toBeGreaterThanOrEqual(400);
    const there = new Set<string>();
    const { latest } = await log.offsets('spans');
    for (let p = 0; p < 3; p++) for (const one of await log.read('spans', p, 0, 1_000_000)) there.add(text(one.value));
    expect(acknowledged.filter((value) => !there.has(`a${value}`))).toEqual([]);
    await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('after'), partition: 0 }]);
    expect((await log.offsets('spans')).latest[0]).toBe(latest[0]! + 1);
  });

  test('processes that write at the same time share the partitions without a gap', async () => {
    const log = await opened();
    await log.ensureTopic('spans', { partitions: 2, retentionMs: 3_600_000 });
    const producers = [start('produce', '300', 'a'), start('produce', '300', 'b')];
    const own = Array.from({ length: 300 }, (_, i) =>
      log.produce('spans', [{ kind: RecordKind.spans, key: `c${i}`, value: bytes(`c${i}`) }]),
    );
    await Promise.all([...own, ...producers.map((producer) => producer.exited)]);
    const all = new Set<string>();
    const { latest } = await log.offsets('spans');
    for (const p of [0, 1]) {
      const records = await log.read('spans', p, 0, 10_000);
      expect(records.map((r) => r.offset)).toEqual(Array.from({ length: latest[p]! }, (_, i) => i));
      const times = records.map((r) => r.appendMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      for (const one of records) all.add(text(one.value));
    }
    expect(all.size).toBe(900);
  });

  test('a stand-by takes over from a killed process when the lease ran out', async () => {
    const log = await opened({ leaseMs: 500 });
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    const consumer = start('consume', 'g');
    await consumer.line((line) => line.startsWith('assigned'));
    const recorder = createRecorder();
    await consume(log, 'g', recorder);
    await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('one') }]);
    await consumer.line((line) => line === 'committed true 1');
    expect(recorder.told).toEqual([]);
    consumer.child.kill('SIGKILL');
    await until(harness, () => recorder.assignments.size === 1);
    expect(recorder.assignments.get(0)!.committed).toBe(1);
  });

  test('a frozen owner is replaced, and when it wakes up its commit is refused and its partitions are revoked', async () => {
    const log = await opened({ leaseMs: 500 });
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    const frozen = start('consume', 'g');
    await frozen.line((line) => line.startsWith('assigned'));
    frozen.child.stdin!.write('freeze\n');
    await frozen.line((line) => line === 'frozen');
    const recorder = createRecorder();
    const consumer = await consume(log, 'g', recorder);
    await until(harness, () => recorder.assignments.size === 1);
    await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('one') }]);
    await until(harness, () => recorder.records.length === 1);
    expect(await consumer.commit(recorder.assignments.get(0)!, 1)).toBe(true);
    frozen.child.stdin!.write('commit 0\n');
    await writeFile(join(directory, 'thaw'), '');
    await frozen.line((line) => line === 'revoked 0');
    await frozen.line((line) => line === 'committed false 0');
    const again = createRecorder();
    await consumer.stop(1_000);
    frozen.child.kill('SIGKILL');
    await consume(log, 'g', again);
    await until(harness, () => again.assignments.size === 1);
    expect(again.assignments.get(0)!.committed).toBe(1);
  });

  test('a full disk is LOG_FULL with its directory; what was acknowledged stays readable, and room brings it back', async () => {
    const log = await opened({ maxPages: 400, retentionEveryMs: 3_600_000 });
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 1 });
    const value = new Uint8Array(60_000);
    let acknowledged = 0;
    let failure: unknown;
    while (!failure && acknowledged < 1_000) {
      try {
        await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value }]);
        acknowledged++;
      } catch (error) {
        failure = error;
      }
    }
    expect(failure).toMatchObject({ code: 'LOG_FULL', retryable: true, message: expect.stringContaining(directory) });
    expect(await log.read('spans', 0, 0, 1_000)).toHaveLength(acknowledged);
    await log.stop(1_000);
    const roomy = await opened({ maxPages: 400, retentionEveryMs: 10 });
    await until(harness, async () => (await roomy.offsets('spans')).earliest[0]! > 0);
    await roomy.produce('spans', [{ kind: RecordKind.spans, key: 'k', value }]);
  });

  test('while another process keeps the file busy, appends are LOG_UNAVAILABLE and a stand-by goes on asking', async () => {
    const log = await opened({ busyMs: 30 });
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    // the log itself writes now and then: its turn is waited for
    const other = new DatabaseSync(join(directory, 'spans.db'), { timeout: 10_000 });
    other.exec('BEGIN IMMEDIATE');
    const recorder = createRecorder();
    const consumer = await consume(log, 'g', recorder);
    const append = () => log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('v') }]);
    await expect(append()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true });
    await expect(append()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(recorder.told).toEqual([]);
    other.exec('ROLLBACK');
    other.close();
    await append();
    await until(harness, () => recorder.records.length === 1);
    await consumer.stop(1_000);
  });

  test('a directory that cannot be used, and files that are no log, are said at start', async () => {
    const file = join(directory, 'taken');
    await writeFile(file, '');
    await expect(open({ directory: join(file, 'log') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('log.directory'),
    });
    await writeFile(join(directory, 'spans.db'), 'x'.repeat(10_000));
    await expect(open()).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(directory),
    });
  });

  test('spans and small topics are in files of their own; a process opens only what it uses', async () => {
    const log = await opened();
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    expect((await readdir(directory)).filter((name) => name.endsWith('.db'))).toEqual(['spans.db']);
    await log.ensureTopic('findings', { partitions: 1, retentionMs: 3_600_000 });
    expect((await readdir(directory)).filter((name) => name.endsWith('.db')).sort()).toEqual(['spans.db', 'topics.db']);
  });

  test('while records are consumed the WAL does not grow with them', async () => {
    const log = await opened();
    await log.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
    const recorder = createRecorder();
    await consume(log, 'g', recorder);
    const value = new Uint8Array(1_500);
    const records = Array.from({ length: 400 }, (_, i) => ({ kind: RecordKind.spans, key: `${i}`, value }));
    for (let i = 0; i < 100; i++) await log.produce('spans', records);
    await until(harness, () => recorder.records.length === 40_000);
    const { stat } = await import('node:fs/promises');
    expect((await stat(join(directory, 'spans.db-wal'))).size).toBeLessThan(40_000_000);
  });

  test('createLog chooses by configuration and makes all topics', async () => {
    const config = logSection.parse({ directory });
    const log = createLog({ log: config });
    logs.push(log);
    await log.start();
    await ensureTopics(log, config);
    await ensureTopics(log, config);
    expect(await log.partitions('spans')).toBe(config.spansPartitions);
    expect(await log.partitions('findings')).toBe(1);
    expect(await log.partitions('actor-events')).toBe(1);
    const memory = createLog({ log: { ...config, kind: 'memory' } });
    await ensureTopics(memory, config);
    expect(await memory.partitions('baselines')).toBe(1);
    await memory.stop(100);
  });

  test('actor-events of an older log keep their partitions: only the first is used', async () => {
    const config = logSection.parse({ directory });
    const log = createLog({ log: config });
    logs.push(log);
    await log.start();
    await log.ensureTopic('actor-events', { partitions: 4, retentionMs: 1_000 });
    await ensureTopics(log, config);
    expect(await log.partitions('actor-events')).toBe(4);
  });
});
