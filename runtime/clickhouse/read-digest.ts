/** The digest of a day and the rates beside it, as people read them. */
import type { ClickHouse } from './client.ts';
import { queryRows, table } from './statements.ts';

/** A row of `digest_latest`. */
export interface DigestRow {
  readonly rank: number;
  readonly kind: string;
  readonly explanation_key: string;
  readonly class: string;
  readonly service: string;
  readonly operation: string;
  readonly requests: number;
  readonly clients: readonly string[];
  readonly p: number;
  readonly severity: number;
  readonly expected: string;
  readonly seen: string;
  readonly match_text: string;
  readonly trace_id: string;
  readonly first_seen: string;
  readonly last_seen: string;
}

/** Nominal beside realised rate of a day, over all versions. */
export interface RateRow {
  readonly nominal: number;
  readonly segments: number;
  readonly realised: number;
}

/** The last state of the budget on a day; null when nothing was judged. */
export interface BudgetRow {
  readonly target_per_day: number;
  readonly expected_last_day: number;
  readonly threshold: number;
  readonly shift: number;
  readonly drift: number;
  readonly soft_last_day: number;
}

/** `day`: `YYYY-MM-DD` (UTC). */
export async function readDigest(
  clickhouse: ClickHouse,
  day: string,
  most: number,
): Promise<{ readonly entries: DigestRow[]; readonly rates: RateRow[]; readonly budget: BudgetRow | null }> {
  const [entries, rates, budget] = await Promise.all([
    queryRows<DigestRow>(
      clickhouse,
      'the digest',
      `SELECT * EXCEPT (day, rank, requests), toUInt32(rank) AS rank, toUInt32(requests) AS requests
       FROM ${table(clickhouse, 'digest_latest')} WHERE day = {day:Date} ORDER BY rank LIMIT {most:UInt32}`,
      { day, most },
    ),
    queryRows<RateRow>(
      clickhouse,
      'the rates',
      `SELECT nominal, toFloat64(sum(segments)) AS segments, toFloat64(sum(below) - sum(hard)) / segments AS realised
       FROM ${table(clickhouse, 'detection_rates')} WHERE toDate(hour) = {day:Date} GROUP BY nominal ORDER BY nominal DESC`,
      { day },
    ),
    queryRows<BudgetRow>(
      clickhouse,
      'the budget',
      `SELECT target_per_day, expected_last_day, threshold, shift, drift, toUInt32(soft_last_day) AS soft_last_day
       FROM ${table(clickhouse, 'budget')} FINAL WHERE toDate(hour) = {day:Date} ORDER BY hour DESC LIMIT 1`,
      { day },
    ),
  ]);
  return { entries, rates, budget: budget[0] ?? null };
}
