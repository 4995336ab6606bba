/** The hourly check of closed days, on a real ClickHouse with a clock that the test moves. */
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClosedDaysDeps, createClosedDays } from '../../../runtime/clickhouse/closed-days.ts';
import { nanos, segmentOf, spanIdOf, traceIdOf, verdictOf } from './segments.ts';
import { noClickHouse, startTestServer, type TestServer } from './server.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LATE = 60_000;

describe.skipIf(noClickHouse)('closed days', () => {
  let server: TestServer;
  let written: string[];
  const today = Math.floor(Date.now() / DAY) * DAY;
  const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

  /** Three spans of a trace at noon of a day, as often as is said: once more is what a crash leaves. */
  const write = async (dayMs: number, times: number): Promise<void> => {
    const traceId = traceIdOf();
    const appendMs = dayMs + DAY / 2;
    const spans = [1, 2, 3].map((n) => ({
      traceId,
      spanId: spanIdOf(),
      name: `work ${n}`,
      startTimeUnixNano: nanos(appendMs - 1_000),
      endTimeUnixNano: nanos(appendMs - 990),
    }));
    const segment = segmentOf({ 'service.name': 'checkout' }, spans, { appendMs });
    for (let i = 0; i < times; i++) {
      const batch = server.store.createBatch();
      batch.add(segment, verdictOf(segment));
      await batch.flush();
    }
  };
  const rowsOf = async (dayMs: number): Promise<number> =>
    (
      await server.rows<{ n: number }>(
        `SELECT toUInt32(count()) AS n FROM spanwarden.otel_traces WHERE toDate(Timestamp) = '${dayOf(dayMs)}'`,
      )
    )[0]!.n;
  const closedDays = (nowMs: number, owns: ClosedDaysDeps['owns'] = () => true) =>
    createClosedDays(
      { lateMs: LATE },
      { clickhouse: server.clickhouse, owns, now: () => nowMs, logger: pino({ level: 'silent' }) },
    );
  const partsOf = async (dayMs: number): Promise<string[]> =>
    (
      await server.rows<{ name: string }>(
        `SELECT name FROM system.parts WHERE active AND database = 'spanwarden' AND table = 'otel_traces' AND partition = '${dayOf(dayMs)}' ORDER BY name`,
      )
    ).map(({ name }) => name);

  beforeAll(async () => {
    server = await startTestServer();
    // Only what is asked for merges: a background merge would do the same by chance.
    await server.clickhouse.client.command({
      query: 'ALTER TABLE spanwarden.otel_traces MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1',
    });
    await write(today - 3 * DAY, 1);
    written = await partsOf(today - 3 * DAY);
    await write(today - 2 * DAY, 2);
    await write(today - DAY, 3);
    await write(today, 2);
  });
  afterAll(() => server?.stop());

  test('a detector that does not own partition 0 looks at none', async () => {
    expect(await closedDays(today + 6 * HOUR, () => false).check()).toEqual([]);
  });

  test('a day is closed when late spans, and a margin for replays, are over', async () => {
    const yesterday = dayOf(today - DAY);
    const early = await closedDays(today + 2 * HOUR + LATE - 1).check();
    expect(early.map(({ day }) => day)).toEqual([dayOf(today - 3 * DAY), dayOf(today - 2 * DAY)]);
    expect(await closedDays(today + 2 * HOUR + LATE).check()).toEqual([{ day: yesterday, rows: 3, duplicates: 6 }]);
  });

  test('what was there twice is gone; a day without duplicates was left alone, and so is today', async () => {
    expect(await Promise.all([3, 2, 1, 0].map((ago) => rowsOf(today - ago * DAY)))).toEqual([3, 3, 3, 6]);
    expect(await partsOf(today - 3 * DAY)).toEqual(written);
    expect(await partsOf(today - 2 * DAY)).toHaveLength(1);
    expect(await partsOf(today)).toHaveLength(2);
  });

  test('a day is looked at once, by any detector, and again only when rows came to it', async () => {
    const later = today + 8 * HOUR;
    expect(await closedDays(later).check()).toEqual([]);
    await write(today - 2 * DAY, 2);
    expect(await closedDays(later + HOUR).check()).toEqual([{ day: dayOf(today - 2 * DAY), rows: 6, duplicates: 3 }]);
    expect(await rowsOf(today - 2 * DAY)).toBe(6);
    expect(await closedDays(later + 2 * HOUR).check()).toEqual([]);
    expect(
      await server.rows(
        'SELECT toString(day) AS day, toUInt32(rows) AS rows, toUInt32(duplicates) AS duplicates FROM spanwarden.closed_days FINAL ORDER BY day',
      ),
    ).toEqual([
      { day: dayOf(today - 3 * DAY), rows: 3, duplicates: 0 },
      { day: dayOf(today - 2 * DAY), rows: 6, duplicates: 6 },
      { day: dayOf(today - DAY), rows: 3, duplicates: 6 },
    ]);
  });

  test('a partition that is handed over in the middle ends the round', async () => {
    await write(today - 3 * DAY, 2);
    await write(today - DAY, 2);
    let asked = 0;
    const checked = await closedDays(today + 12 * HOUR, () => ++asked <= 2).check();
    expect(checked.map(({ day }) => day)).toEqual([dayOf(today - 3 * DAY)]);
  });

  test('runs by itself, and stops', async () => {
    const job = createClosedDays(
      { lateMs: LATE, everyMs: 20 },
      {
        clickhouse: server.clickhouse,
        owns: () => true,
        now: () => today + 13 * HOUR,
        logger: pino({ level: 'silent' }),
      },
    );
    await job.start();
    await expect.poll(() => rowsOf(today - DAY), { timeout: 20_000 }).toBe(6);
    await job.stop(5_000);
    expect(await job.check()).toEqual([]);
  });
});
