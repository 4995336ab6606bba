/** Recent traffic out of an embedded log that another process is writing: whole segments, and nothing of the log is changed. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRecentLog } from '../../../detector/check/recent-log.ts';
import { createLog, createLogReader, ensureTopics, type LogReader } from '../../../runtime/log/create.ts';
import type { Log } from '../../../runtime/log/port.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { logSection } from '../../../schemas/config/log.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { searchTrace, traceIdOf } from '../../unit/detector/traffic.ts';
import { tracesData } from '../../unit/traces/otlp.ts';
import { removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';

const directory = temporaryDirectory();
afterAll(() => removeDirectory(directory));
const config = { log: logSection.parse({ directory: join(directory, 'log'), spansPartitions: 2 }) };
const TRACES = 400;
const GRACES = { graceMs: 1, absenceGraceMs: 2, idleMs: 3, maxAgeMs: 1_000, lateMs: 2 };
/** Everything of these tests is appended within seconds, and judged as if an hour had passed. */
const later = (): number => Date.now() + 3_600_000;

async function read(log: LogReader, most: number, seed = 1, sinceMs?: number, now = later) {
  const recent = createRecentLog({
    log,
    assembly: assemblySection.parse(GRACES),
    createAssembler: (assembly, sink) => createAssembler(assembly, { sink }),
    now,
  });
  const segments: SegmentSpans[] = [];
  for await (const spans of recent.segments({ most, seed, ...(sinceMs !== undefined && { sinceMs }) }))
    segments.push(spans);
  return { segments, covered: recent.covered };
}

describe('beside the process that writes', () => {
  let log: Log;
  let reader: LogReader;

  beforeAll(async () => {
    log = createLog(config);
    await log.start();
    await ensureTopics(log, config.log);
    for (let trace = 0; trace < TRACES; trace++) {
      const [root, ...rest] = searchTrace(trace, trace, '198.51.100.7');
      await log.produce(
        'spans',
        [[root!], rest].map((spans) => ({ kind: RecordKind.spans, key: traceIdOf(trace), value: tracesData(spans) })),
      );
    }
    reader = createLogReader(config);
    await reader.start();
  });
  afterAll(async () => {
    await reader.stop(1_000);
    await log.stop(1_000);
  });

  it('every segment comes whole, once, in order', async () => {
    const { segments, covered } = await read(reader, 10_000);
    expect(segments.map(({ traceId }) => traceId).sort()).toEqual(
      Array.from({ length: TRACES }, (_, trace) => traceIdOf(trace)).sort(),
    );
    for (const { spanCount } of segments) expect(spanCount).toBe(4);
    expect(covered).toMatchObject({ segments: TRACES, given: TRACES, records: 2 * TRACES, unfinished: 0, whole: true });
    const times = segments.map(({ appendMs }) => appendMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('a sample is of whole segments, the same for the same seed, and of all of the time', async () => {
    const one = await read(reader, 10, 7);
    expect(one.covered).toMatchObject({ given: 10, whole: false });
    for (const { spanCount } of one.segments) expect(spanCount).toBe(4);
    const ids = (all: typeof one) => all.segments.map(({ traceId }) => traceId);
    expect(ids(await read(reader, 10, 7))).toEqual(ids(one));
    expect(ids(await read(reader, 10, 8))).not.toEqual(ids(one));
    const chosen = new Set<string>();
    for (let seed = 1; seed <= 16; seed++) for (const id of ids(await read(reader, 10, seed))) chosen.add(id);
    const quarters = [0, 0, 0, 0];
    for (let trace = 0; trace < TRACES; trace++)
      if (chosen.has(traceIdOf(trace))) quarters[Math.floor((4 * trace) / TRACES)]!++;
    for (const count of quarters) expect(count).toBeGreaterThan(12);
  });

  it('nothing before the time asked for', async () => {
    expect((await read(reader, 100, 1, 1_000)).segments).toEqual([]);
    expect((await read(reader, 1_000, 1, 7_200_000)).segments).toHaveLength(TRACES);
  });

  it('what has not settled yet is left out and counted', async () => {
    const { segments, covered } = await read(reader, 1_000, 1, undefined, () => 0);
    expect(segments.length).toBeLessThan(TRACES);
    expect(covered.unfinished).toBe(TRACES - segments.length);
  });

  it('reads on while it is written, and writes nothing itself', async () => {
    const before = await log.offsets('spans');
    const produced = log.produce('spans', [
      { kind: RecordKind.spans, key: traceIdOf(9_000), value: tracesData(searchTrace(9_000, 0, '198.51.100.7')) },
    ]);
    const { segments } = await read(reader, 1_000);
    await produced;
    expect(segments.length).toBeGreaterThanOrEqual(TRACES);
    const after = await reader.offsets('spans');
    expect(after.latest[0]! + after.latest[1]!).toBe(before.latest[0]! + before.latest[1]! + 1);
    const asLog = reader as Log;
    const record = { kind: RecordKind.spans, key: 'a', value: new Uint8Array(1) };
    await expect(asLog.produce('spans', [record])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });
});

describe('without anybody who writes', () => {
  it('the log of a process that has ended can be read', async () => {
    const reader = createLogReader(config);
    await reader.start();
    expect((await read(reader, 10_000)).segments.length).toBeGreaterThanOrEqual(TRACES);
    await reader.stop(1_000);
  });

  it('where there is no log it says so, and makes none', async () => {
    const empty = join(directory, 'empty');
    mkdirSync(empty);
    const reader = createLogReader({ log: logSection.parse({ directory: empty }) });
    await expect(reader.start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('no log to read'),
    });
    await reader.stop(100);
    expect(readdirSync(empty)).toEqual([]);
  });

  it('a log in memory cannot be read by others', () => {
    expect(() => createLogReader({ log: logSection.parse({ kind: 'memory' }) })).toThrow(/log\.kind: memory/);
  });
});
