/**
 * What does a 1.5 KB record cost to append to and to read from the embedded log? `node test/bench/log.ts`
 * CPU of the whole process (all threads), per record: in produce calls of 340 records, as the collector makes of an SDK's
 * request, and of one record. ARCHITECTURE decision 3 asks for ≤ 8 µs in frames.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWallClock } from '../../runtime/log/clock.ts';
import { createEmbeddedStore } from '../../runtime/log/embedded/store.ts';
import type { Log, NewRecord } from '../../runtime/log/port.ts';
import { createStoredLog } from '../../runtime/log/stored-log.ts';
import { RecordKind } from '../../schemas/log/topics.ts';

const VALUE_BYTES = 1_500;
const SAMPLES = 15;

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
const open = async (): Promise<Log> => {
  const log = createStoredLog(
    { queueBytes: 67_108_864, leaseMs: 5_000, pollMs: 50 },
    { store: createEmbeddedStore({ directory }), clock: createWallClock() },
  );
  await log.start();
  await log.ensureTopic('spans', { partitions: 4, retentionMs: 3_600_000 });
  return log;
};

const value = new Uint8Array(VALUE_BYTES).map((_, i) => (i * 31) & 0xff);
const hex = (n: number): string => Math.imul(n, 2_654_435_761).toString(16).padStart(32, '0').slice(-32);
const recordsFrom = (from: number, count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({ kind: RecordKind.spans, key: hex(from + i), value }));

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Microseconds of CPU and wall time per record of `work`, which handles `count` records. */
async function measure(count: number, work: () => Promise<void>): Promise<{ cpu: number; wall: number }> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  await work();
  const wall = (performance.now() - before) * 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpu: (user + system) / count, wall: wall / count };
}

async function report(name: string, count: number, work: () => Promise<void>, samples = SAMPLES): Promise<void> {
  await work();
  const all: { cpu: number; wall: number }[] = [];
  for (let i = 0; i < samples; i++) all.push(await measure(count, work));
  const cpu = median(all.map((one) => one.cpu));
  const wall = median(all.map((one) => one.wall));
  console.log(`${name.padEnd(52)} ${cpu.toFixed(2)} µs CPU, ${wall.toFixed(2)} µs wall a record`);
}

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, value ${VALUE_BYTES} bytes, 4 partitions`,
);
const log = await open();
let next = 0;
const take = (count: number): NewRecord[] => {
  next += count;
  return recordsFrom(next, count);
};
await report('append, 340 records a call, 4 calls under way', 340 * 12, async () => {
  const lane = async () => {
    for (let i = 0; i < 3; i++) await log.produce('spans', take(340));
  };
  await Promise.all(Array.from({ length: 4 }, lane));
});
await report('append, 340 records a call, one after the other', 340 * 4, async () => {
  for (let i = 0; i < 4; i++) await log.produce('spans', take(340));
});
await report('append, 1 record a call, 200 calls under way', 2_000, async () => {
  const lane = async () => {
    for (let i = 0; i < 10; i++) await log.produce('spans', take(1));
  };
  await Promise.all(Array.from({ length: 200 }, lane));
});
await report('append, 1 record a call, one after the other', 50, async () => {
  for (let i = 0; i < 50; i++) await log.produce('spans', take(1));
});
const { latest } = await log.offsets('spans');
const total = Math.min(...latest) * 4;
await report(
  'read, a consumer from the start',
  total,
  async () => {
    let seen = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const consumer = log.consumer({
      topic: 'spans',
      group: `g${next++}`,
      handler: {
        assigned: async () => undefined,
        revoked: () => {},
        async batch(_partition, records) {
          seen += records.length;
          if (seen >= total) resolve();
        },
        idle: async () => {},
      },
    });
    await consumer.start();
    await promise;
    await consumer.stop(1_000);
  },
  5,
);
await log.stop(5_000);
rmSync(directory, { recursive: true, force: true });
