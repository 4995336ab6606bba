/** Findings of stored verdicts, as operators' edits refer to them. */
import type { ClickHouse } from './client.ts';
import { dateTime, queryRows, table } from './statements.ts';

export interface StoredVerdictFindings {
  readonly id: string;
  readonly traceId: string;
  readonly operation: string;
  readonly anomalous: boolean;
  readonly findings: readonly {
    readonly kind: string;
    readonly explanationKey: string;
    readonly service: string;
    readonly operation: string;
    readonly hard: boolean;
    readonly candidate: boolean;
  }[];
}

interface Row {
  id: string;
  traceId: string;
  operation: string;
  anomalous: boolean;
  findings: [string, string, string, string, boolean, boolean][];
}

const COLUMNS = `id, trace_id AS traceId, operation, anomalous, arrayZip(arrayMap(k -> toString(k), \`findings.kind\`),
  \`findings.explanation_key\`, arrayMap(s -> toString(s), \`findings.service\`), \`findings.operation\`, \`findings.hard\`, \`findings.candidate\`) AS findings`;

const toVerdict = ({ findings, ...row }: Row): StoredVerdictFindings => ({
  ...row,
  findings: findings.map(([kind, explanationKey, service, operation, hard, candidate]) => ({
    kind,
    explanationKey,
    service,
    operation,
    hard,
    candidate,
  })),
});

/** A look at a whole day takes no longer. */
const MOST_SECONDS = 60;

/** Newest verdicts of these traces that have findings. */
export async function readFindingsOfTraces(
  clickhouse: ClickHouse,
  traceIds: readonly string[],
): Promise<StoredVerdictFindings[]> {
  const rows = await queryRows<Row>(
    clickhouse,
    'findings of traces',
    `SELECT ${COLUMNS} FROM (SELECT * FROM ${table(clickhouse, 'verdicts')} WHERE trace_id IN {ids:Array(String)}
       ORDER BY revision DESC LIMIT 1 BY id)
     WHERE state = 'scored' AND notEmpty(\`findings.kind\`) ORDER BY appended, id`,
    { ids: traceIds },
  );
  return rows.map(toVerdict);
}

/**
 * Newest verdicts with findings since then, the latest ones when there are more; and about how many
 * verdicts there are in all. A day can have many millions: nothing is sorted but those with findings, and the count is an estimate
 * (uniq: exact up to some ten thousand).
 */
export async function readRecentFindings(
  clickhouse: ClickHouse,
  sinceMs: number,
  most: number,
): Promise<{ readonly verdicts: readonly StoredVerdictFindings[]; readonly scored: number }> {
  const since = Math.floor(sinceMs);
  const rows = await queryRows<Row>(
    clickhouse,
    'recent findings',
    `SELECT ${COLUMNS} FROM ${table(clickhouse, 'verdicts_latest')}
     WHERE day >= toDate(fromUnixTimestamp64Milli({since:Int64})) AND appended >= fromUnixTimestamp64Milli({since:Int64})
       AND state = 'scored' AND notEmpty(\`findings.kind\`)
     ORDER BY appended DESC LIMIT {most:UInt32} SETTINGS max_execution_time = ${MOST_SECONDS}`,
    { since, most },
  );
  const [all] = await queryRows<{ n: string }>(
    clickhouse,
    'recent verdicts',
    `SELECT toString(uniq(id)) AS n FROM ${table(clickhouse, 'verdicts')}
     WHERE day >= toDate(fromUnixTimestamp64Milli({since:Int64})) AND appended >= fromUnixTimestamp64Milli({since:Int64}) AND state = 'scored'
     SETTINGS max_execution_time = ${MOST_SECONDS}`,
    { since },
  );
  return { verdicts: rows.map(toVerdict), scored: Number(all?.n ?? 0) };
}

/** Kinds and explanation keys that stored verdicts or incidents have, the most frequent first. */
export async function readNovelties(
  clickhouse: ClickHouse,
  sinceMs: number,
): Promise<{ readonly kind: string; readonly explanationKey: string }[]> {
  return queryRows(
    clickhouse,
    'novelties',
    `SELECT kind, explanationKey FROM (
       SELECT toString(kind) AS kind, explanation_key AS explanationKey FROM ${table(clickhouse, 'verdicts')}
       ARRAY JOIN \`findings.kind\` AS kind, \`findings.explanation_key\` AS explanation_key
       WHERE day >= toDate(fromUnixTimestamp64Milli({since:Int64}))
       UNION ALL
       SELECT toString(kind) AS kind, explanation_key AS explanationKey FROM ${table(clickhouse, 'incidents')}
       WHERE opened >= {opened:String})
     GROUP BY kind, explanationKey ORDER BY count() DESC, kind, explanationKey LIMIT 20000`,
    { since: Math.floor(sinceMs), opened: dateTime(sinceMs) },
  );
}

/** Operations of the inventory. */
export const readInventoryCalls = (
  clickhouse: ClickHouse,
): Promise<{ readonly service: string; readonly operation: string }[]> =>
  queryRows(
    clickhouse,
    'operations',
    `SELECT DISTINCT toString(service) AS service, operation FROM ${table(clickhouse, 'operations')} LIMIT 100000`,
  );
