/** Decisions about actors: rows of little traffic, the newest revision stands; and how many requests each met. */
import type { Decision } from '../../schemas/alerts/decision.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export const insertDecisions = (clickhouse: ClickHouse, decisions: readonly Decision[]): Promise<void> =>
  insertRows(
    clickhouse,
    'decisions',
    decisions.map((decision) => ({
      id: decision.id,
      number: decision.number,
      revision: decision.revision,
      incident_id: decision.incidentId,
      scope: decision.scope,
      value: decision.value,
      target: decision.target,
      type: decision.type,
      operations: decision.operations,
      state: decision.state,
      reason: decision.reason,
      scenario: decision.scenario,
      risk: Math.min(100, Math.max(0, Math.round(decision.risk))),
      created: dateTime(decision.createdMs),
      expires: dateTime(decision.expiresMs),
      undone_by: decision.undoneBy,
      undone: dateTime(decision.undoneMs),
      matched: decision.matched,
      matched_ordinary: decision.matchedOrdinary,
    })),
  );

export interface DecisionFilter {
  readonly states?: readonly Decision['state'][];
  /** Made since. */
  readonly sinceMs?: number;
  /** Ending, or lifted, later than this. */
  readonly endingAfterMs?: number;
  /** Id or the start of it, or the value. */
  readonly about?: string;
  readonly limit?: number;
}

type Row = { [K in keyof Decision]: Decision[K] extends number ? string | number : Decision[K] };

/** As they stand, newest first. */
export async function readDecisions(clickhouse: ClickHouse, filter: DecisionFilter = {}): Promise<Decision[]> {
  const rows = await queryRows<Row>(
    clickhouse,
    'decisions',
    `SELECT id, number, toString(revision) AS revision, incident_id AS incidentId, scope, value, target, type, operations, state, reason,
       scenario, risk, toUnixTimestamp64Milli(created) AS createdMs, toUnixTimestamp64Milli(expires) AS expiresMs,
       undone_by AS undoneBy, toUnixTimestamp64Milli(undone) AS undoneMs, toString(matched) AS matched,
       toString(matched_ordinary) AS matchedOrdinary
     FROM (SELECT * FROM ${table(clickhouse, 'decisions')} FINAL)
     WHERE (empty({states:Array(String)}) OR has({states:Array(String)}, state)) AND created >= fromUnixTimestamp64Milli({since:Int64})
       AND greatest(expires, undone) > fromUnixTimestamp64Milli({ending:Int64})
       AND ({about:String} = '' OR startsWith(id, {about:String}) OR value = {about:String})
     ORDER BY created DESC, id LIMIT {limit:UInt32}`,
    {
      states: filter.states ?? [],
      since: Math.floor(filter.sinceMs ?? 0),
      ending: Math.floor(filter.endingAfterMs ?? 0),
      about: filter.about ?? '',
      limit: filter.limit ?? 1_000,
    },
  );
  return rows.map((row) => ({
    ...row,
    number: Number(row.number),
    revision: Number(row.revision),
    risk: Number(row.risk),
    createdMs: Number(row.createdMs),
    expiresMs: Number(row.expiresMs),
    undoneMs: Number(row.undoneMs),
    matched: Number(row.matched),
    matchedOrdinary: Number(row.matchedOrdinary),
  }));
}

export interface Refusals {
  /** The rail, as the decisions' reason names it. */
  readonly reason: string;
  readonly count: number;
  /** Some of those about whom. */
  readonly values: readonly string[];
}

const MOST_REASONS = 100;

/** What rails refused since then, by reason, most first: there may be a thousand in an hour of attack. */
export async function readRefusals(clickhouse: ClickHouse, sinceMs: number): Promise<Refusals[]> {
  const rows = await queryRows<{ reason: string; refused: string; subjects: string[] }>(
    clickhouse,
    'refused decisions',
    `SELECT reason, toString(count()) AS refused, arraySort(groupUniqArray(5)(value)) AS subjects
     FROM (SELECT * FROM ${table(clickhouse, 'decisions')} FINAL)
     WHERE state = 'refused' AND created >= fromUnixTimestamp64Milli({since:Int64})
     GROUP BY reason ORDER BY count() DESC, reason LIMIT {most:UInt32}`,
    { since: Math.floor(sinceMs), most: MOST_REASONS },
  );
  return rows.map(({ reason, refused, subjects }) => ({ reason, count: Number(refused), values: subjects }));
}

export interface Matched {
  readonly matched: number;
  /** Without any finding. */
  readonly matchedOrdinary: number;
}

const DAY_MS = 86_400_000;

/**
 * Requests (traces entered by the actor, work behind queues left out) that a decision met or would have met from its beginning to its
 * end or `nowMs`. Of operations those whose name is the named one's.
 */
export async function countMatched(clickhouse: ClickHouse, decision: Decision, nowMs: number): Promise<Matched> {
  const endMs = Math.min(nowMs, decision.undoneMs > 0 ? decision.undoneMs : decision.expiresMs, decision.expiresMs);
  const who =
    decision.scope === 'user'
      ? 'client_user = {value:String}'
      : decision.scope === 'ip'
        ? 'client_address = {value:String}'
        : `isIPAddressInRange(if(client_address = '', '::', client_address), {value:String}) AND client_address != ''`;
  const [row] = await queryRows<{ matched: string; ordinary: string }>(
    clickhouse,
    'requests that a decision met',
    `SELECT toString(count()) AS matched, toString(countIf(odd = 0)) AS ordinary FROM (
       SELECT trace_id, max(anomalous OR notEmpty(findings.kind)) AS odd FROM (
         SELECT * FROM ${table(clickhouse, 'verdicts')} FINAL
         WHERE day BETWEEN toDate(fromUnixTimestamp64Milli({from:Int64} - {slack:Int64})) AND toDate(fromUnixTimestamp64Milli({to:Int64} + {slack:Int64}))
         SETTINGS do_not_merge_across_partitions_select_final = 1)
       WHERE state != 'withdrawn' AND NOT asynchronous AND start >= fromUnixTimestamp64Milli({from:Int64})
         AND start < fromUnixTimestamp64Milli({to:Int64}) AND ${who}
         AND (empty({operations:Array(String)}) OR arrayExists(one -> match(operation, one), {operations:Array(String)}))
       GROUP BY trace_id)`,
    {
      from: Math.floor(decision.createdMs),
      to: Math.floor(Math.max(decision.createdMs, endMs)),
      slack: DAY_MS,
      value: decision.value,
      operations: decision.operations.map(operationPattern),
    },
  );
  return { matched: Number(row?.matched ?? 0), matchedOrdinary: Number(row?.ordinary ?? 0) };
}

const escapePattern = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** `GET /orders/{id}` and `* /admin/**` as RE2, over names of operations as entry spans have them. */
export function operationPattern(operation: string): string {
  const space = operation.indexOf(' ');
  const method = operation.slice(0, space);
  const parts = operation
    .slice(space + 1)
    .split('/')
    .filter((part) => part !== '');
  const path = parts.map((part, i) => {
    if (part === '**' && i === parts.length - 1) return '(/.*)?';
    return part === '*' || /^\{[^{}]*\}$/.test(part) ? '/[^/]+' : `/${escapePattern(part)}`;
  });
  return `^(?i)${method === '*' ? '[A-Z]+' : escapePattern(method)} ${path.length === 0 ? '/' : path.join('')}/?$`;
}
