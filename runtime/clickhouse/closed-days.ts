/**
 * Closed days of `otel_traces`: a crash between spans and verdicts may have left rows twice (ARCHITECTURE decision 8), and
 * readers of that table send no FINAL. Once an hour the days that are over and have rows nobody checked are counted with
 * and without FINAL; a day whose counts differ is merged. `closed_days` remembers, so a day is looked at once, and again
 * only when rows came to it later.
 */
import type { Logger } from 'pino';
import { isRetryable } from '../errors.ts';
import type { Service } from '../lifecycle/service.ts';
import type { ClickHouse } from './client.ts';
import { clickhouseError } from './errors.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export interface ClosedDaysOptions {
  /** A span may come this long after its segment closed (`assembly.lateMs`). */
  readonly lateMs: number;
  readonly everyMs?: number;
}

export interface ClosedDaysDeps {
  readonly clickhouse: ClickHouse;
  /** Whether this process is the one that does it: the owner of the spans' partition 0. */
  owns(): boolean;
  readonly now: () => number;
  readonly logger: Logger;
}

export interface CheckedDay {
  /** `YYYY-MM-DD` (UTC). */
  readonly day: string;
  /** Rows after the check. */
  readonly rows: number;
  /** Rows the check removed. */
  readonly duplicates: number;
}

export interface ClosedDays extends Service {
  /** One round, as the timer does it: the days it checked, oldest first. Without ownership none. */
  check(): Promise<readonly CheckedDay[]>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** After `lateMs`: what a crash left is read again and stored within minutes. */
const MARGIN_MS = 2 * HOUR_MS;
/** The first round comes soon after a start, not at once: partitions are just being taken over. */
const FIRST_MS = 60_000;

/** Both statements may take minutes: the answer's headers keep the connection alive. */
const LONG = { send_progress_in_http_headers: 1, http_headers_progress_interval_ms: '20000' } as const;

export function createClosedDays(options: ClosedDaysOptions, deps: ClosedDaysDeps): ClosedDays {
  const { clickhouse, now, logger } = deps;
  const everyMs = options.everyMs ?? HOUR_MS;
  const spans = table(clickhouse, 'otel_traces');
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopping = false;

  /** Days that are over and have rows that the last check did not see, oldest first. */
  const pending = async (): Promise<{ day: string; rows: number; before: number }[]> => {
    const closedBefore = Math.floor((now() - options.lateMs - MARGIN_MS) / DAY_MS) * DAY_MS;
    const found = await queryRows<{ day: string; rows: string; before: string }>(
      clickhouse,
      'closed days',
      // A count by partition reads no rows: parts know theirs.
      `SELECT toString(p.day) AS day, toString(p.rows) AS rows, toString(c.duplicates) AS before
       FROM (SELECT toDate(parseDateTimeBestEffort(_partition_id)) AS day, count() AS rows FROM ${spans} GROUP BY _partition_id) AS p
       LEFT JOIN (SELECT day, rows, duplicates FROM ${table(clickhouse, 'closed_days')} FINAL) AS c ON c.day = p.day
       WHERE p.day < toDate({closed:String}) AND p.rows != c.rows
       ORDER BY p.day`,
      { closed: new Date(closedBefore).toISOString().slice(0, 10) },
    );
    return found.map((row) => ({ day: row.day, rows: Number(row.rows), before: Number(row.before) }));
  };

  /** FINAL merges rows in the order of the key as it reads: memory does not grow with the day. */
  const distinctRows = async (day: string): Promise<number> => {
    try {
      const result = await clickhouse.client.query({
        query: `SELECT toString(count()) AS n FROM ${spans} FINAL WHERE _partition_id = {partition:String}`,
        query_params: { partition: day.replaceAll('-', '') },
        format: 'JSONEachRow',
        clickhouse_settings: LONG,
      });
      const [row] = await result.json<{ n: string }>();
      return Number(row?.n ?? 0);
    } catch (error) {
      throw clickhouseError(error, 'the count of a closed day');
    }
  };

  const checkDay = async (day: string, rows: number, before: number): Promise<CheckedDay> => {
    const began = now();
    const distinct = await distinctRows(day);
    if (distinct < rows) await deduplicateDay(clickhouse, day);
    const duplicates = Math.max(0, rows - distinct);
    const ended = now();
    // Should the merge have left any, the day's rows differ from those recorded, and the next round sees it.
    await insertRows(clickhouse, 'closed_days', [
      {
        day,
        checked: dateTime(ended),
        rows: distinct,
        duplicates: before + duplicates,
        took_ms: Math.max(0, ended - began),
      },
    ]);
    if (duplicates > 0)
      logger.info({ day, duplicates, tookMs: ended - began }, 'removed duplicate spans of a closed day');
    return { day, rows: distinct, duplicates };
  };

  const check = async (): Promise<readonly CheckedDay[]> => {
    const checked: CheckedDay[] = [];
    if (stopping || !deps.owns()) return checked;
    for (const { day, rows, before } of await pending()) {
      if (stopping || !deps.owns()) break; // handed over meanwhile
      checked.push(await checkDay(day, rows, before));
    }
    return checked;
  };

  const round = (): void => {
    running = check()
      .catch((error: unknown) => {
        // The next round tries again; nothing waits for this one.
        const what = 'closed days could not be checked for duplicates';
        if (isRetryable(error)) logger.debug({ err: error }, what);
        else logger.warn({ err: error }, what);
      })
      .then(() => {
        if (!stopping) timer = setTimeout(round, everyMs).unref();
      });
  };

  return {
    name: 'closed-days',
    check,
    async start() {
      timer = setTimeout(round, Math.min(FIRST_MS, everyMs)).unref();
    },
    async stop(deadlineMs) {
      stopping = true;
      clearTimeout(timer);
      let late: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((done) => {
        late = setTimeout(done, deadlineMs);
      });
      // A merge that is under way goes on in the server; what it did is seen in the next round.
      await Promise.race([running, deadline]);
      clearTimeout(late);
    },
  };
}

/** Merges a day of `otel_traces` (`YYYY-MM-DD`) into one part: what is there twice goes. */
export async function deduplicateDay(clickhouse: ClickHouse, day: string): Promise<void> {
  try {
    await clickhouse.client.command({
      query: `OPTIMIZE TABLE ${table(clickhouse, 'otel_traces')} PARTITION '${day}' FINAL`,
      clickhouse_settings: LONG,
    });
  } catch (error) {
    throw clickhouseError(error, 'deduplication of a closed day');
  }
}
