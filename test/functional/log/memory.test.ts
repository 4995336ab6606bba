/** The log in memory under a clock moved by hand: conformance, and determinism. */
import { expect, test } from 'vitest';
import { createMemoryLog, type MemoryLog } from '../../../runtime/log/memory.ts';
import { createMemoryStore } from '../../../runtime/log/memory-store.ts';
import type { Log } from '../../../runtime/log/port.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { describeLogConformance } from './conformance.ts';
import { bytes, consume, createRecorder, type LogHarness } from './harness.ts';

async function createMemoryHarness(): Promise<LogHarness> {
  let time = 1_700_000_000_000;
  const now = () => time;
  const store = createMemoryStore({ now });
  const logs = new Set<MemoryLog>();
  return {
    async open(overrides = {}) {
      const log = createMemoryLog({ now, store, ...overrides });
      await log.start();
      logs.add(log);
      return log;
    },
    crash(log: Log) {
      (log as MemoryLog).crash();
      logs.delete(log as MemoryLog);
    },
    async turn() {
      time += 10;
      for (const log of logs) await log.tick();
    },
    now,
    async close() {},
  };
}

describeLogConformance('memory', createMemoryHarness);

test('nothing happens between ticks but what was written: the same run gives the same calls', async () => {
  const run = async () => {
    let time = 5_000;
    const log = createMemoryLog({ now: () => time });
    await log.ensureTopic('spans', { partitions: 3, retentionMs: 1_000_000 });
    const recorder = createRecorder();
    const consumer = await consume(log, 'g', recorder, { maxBatchRecords: 4 });
    for (let i = 0; i < 50; i++) {
      await log.produce('spans', [{ kind: RecordKind.spans, key: `k${i * 7}`, value: bytes(String(i)) }]);
      await log.settled();
      time += 3;
      await log.tick();
      if (i % 9 === 0) consumer.seek(i % 3, 0);
    }
    await log.settled();
    return [recorder.told, recorder.idleTimes];
  };
  const first = await run();
  expect(await run()).toEqual(first);
});

test('with the wall clock its timers are real', async () => {
  const log = createMemoryLog();
  await log.ensureTopic('spans', { partitions: 1, retentionMs: 1_000_000 });
  const { promise, resolve } = Promise.withResolvers<number>();
  const recorder = createRecorder();
  await consume(log, 'g', { ...recorder, idle: async (_partition, nowMs) => resolve(nowMs) });
  expect(await promise).toBeGreaterThan(1_700_000_000_000);
  await log.stop(1_000);
});

test('lag is shown by partition, not as a mean, and is gone with the consumer', async () => {
  let time = 5_000;
  const metrics = createMetrics();
  const log = createMemoryLog({ now: () => time }, { metrics });
  await log.ensureTopic('spans', { partitions: 2, retentionMs: 1_000_000 });
  const consumer = await consume(log, 'g', createRecorder());
  await log.settled();
  consumer.pause(1);
  const record = { kind: RecordKind.spans, key: 'k', value: bytes('v') };
  for (const partition of [0, 1, 1, 1]) await log.produce('spans', [{ ...record, partition }]);
  time += 1_000;
  await log.tick();
  const text = await metrics.text();
  expect(text).toMatch(/^spanwarden_log_lag_records\{topic="spans",group="g",partition="0"\} 0$/m);
  expect(text).toMatch(/^spanwarden_log_lag_records\{topic="spans",group="g",partition="1"\} 3$/m);
  const stopping = consumer.stop(0);
  await log.tick();
  await stopping;
  expect(await metrics.text()).not.toContain('spanwarden_log_lag_records{');
});
