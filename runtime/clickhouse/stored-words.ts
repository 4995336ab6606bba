/** What operators said of incidents, as it stands. */
import type { ClickHouse } from './client.ts';
import { queryRows, table } from './statements.ts';

export interface JudgedBad {
  /** The incident of which it was said, and who said it. */
  readonly id: string;
  readonly by: string;
}

/**
 * The incident, or one about the same novelty, that was judged bad and not reopened since: the responder lets nobody expect
 * that novelty. The incident itself first.
 */
export async function readJudgedBad(
  clickhouse: ClickHouse,
  { id, kind, explanationKey }: { readonly id: string; readonly kind: string; readonly explanationKey: string },
): Promise<JudgedBad | undefined> {
  const [row] = await queryRows<JudgedBad>(
    clickhouse,
    'incidents judged bad',
    `SELECT incident_id AS id, argMax(said_by, taken) AS by
     FROM (SELECT * FROM ${table(clickhouse, 'incident_actions')} FINAL)
     WHERE result != 'refused' AND toString(action) IN ('bad', 'reopen') AND incident_id IN (
       SELECT id FROM (SELECT * FROM ${table(clickhouse, 'incidents')} FINAL)
       WHERE id = {id:String} OR (toString(kind) = {kind:String} AND explanation_key = {key:String}))
     GROUP BY incident_id HAVING argMax(toString(action), taken) = 'bad'
     ORDER BY incident_id = {id:String} DESC, incident_id LIMIT 1`,
    { id, kind, key: explanationKey },
  );
  return row;
}
