/** Actors over many requests, and the parts of their owner's snapshot. */
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';

export const insertActors = (clickhouse: ClickHouse, records: readonly ActorRecord[]): Promise<void> =>
  insertRows(
    clickhouse,
    'actors',
    records.map((record) => ({
      id: record.id,
      revision: record.revision,
      subject: record.subject.kind,
      key: record.subject.key,
      abuse: record.abuse,
      evidence: record.evidence,
      bound: record.bound,
      risk: Math.min(100, Math.max(0, Math.round(record.risk))),
      reasons: record.reasons,
      'stages.stage': record.stages.map(({ stage }) => stage),
      'stages.technique': record.stages.map(({ technique }) => technique),
      'stages.by': record.stages.map(({ by }) => by),
      'stages.first': record.stages.map(({ firstMs }) => dateTime(firstMs)),
      'stages.last': record.stages.map(({ lastMs }) => dateTime(lastMs)),
      'stages.count': record.stages.map(({ count }) => Math.min(4_294_967_295, count)),
      client_address: record.client.address ?? '',
      client: JSON.stringify(record.client),
      clients: record.clients,
      client_count: record.clientCount,
      users: record.users,
      accounts: record.accounts,
      facts_users: Math.min(4_294_967_295, Math.round(record.facts.users)),
      facts_requests: record.facts.requests,
      facts_misattributed: record.facts.misattributed === true,
      first_seen: dateTime(record.facts.firstSeenMs),
      service: record.service,
      operation: record.operation,
      expected: record.expected,
      seen: record.seen,
      trace_ids: record.traceIds,
      start: dateTime(record.startMs),
      end: dateTime(record.endMs),
      ended: dateTime(record.endedMs ?? 0),
      told: dateTime(record.atMs),
    })),
  );

export interface ActorRow {
  readonly subject: string;
  readonly key: string;
  readonly risk: number;
  readonly abuses: readonly string[];
  readonly stages: readonly string[];
  readonly techniques: readonly string[];
  readonly reasons: readonly string[];
  readonly seen: readonly string[];
  readonly client_address: string;
  readonly client_count: number;
  readonly users: readonly string[];
  readonly facts_users: number;
  readonly facts_misattributed: boolean;
  readonly service: string;
  readonly operation: string;
  readonly trace_ids: readonly string[];
  readonly start: string;
  readonly end: string;
}

/** As they stand, the riskiest first. */
export const readActors = (
  clickhouse: ClickHouse,
  filter: { readonly minRisk: number; readonly key?: string | undefined; readonly limit: number },
): Promise<ActorRow[]> =>
  queryRows<ActorRow>(
    clickhouse,
    'actors',
    `SELECT subject, key, risk, abuses, stages, techniques, reasons, seen, client_address, toUInt32(client_count) AS client_count, users,
       facts_users, facts_misattributed, service, operation, trace_ids, toString(start) AS start, toString(end) AS end
     FROM ${table(clickhouse, 'actors_latest')}
     WHERE risk >= {minRisk:UInt8} AND ({key:String} = '' OR key = {key:String})
     ORDER BY risk DESC, told DESC, subject, key LIMIT {limit:UInt32}`,
    { minRisk: filter.minRisk, key: filter.key ?? '', limit: filter.limit },
  );

export interface StoredPart {
  readonly name: string;
  readonly place: number;
  /** Base64. */
  readonly bytes: string;
}

export const insertSnapshotParts = (
  clickhouse: ClickHouse,
  owner: string,
  parts: readonly StoredPart[],
  nowMs: number,
): Promise<void> =>
  insertRows(
    clickhouse,
    'snapshot_parts',
    parts.map(({ name, place, bytes }) => ({ owner, name, place, bytes, written: dateTime(nowMs) })),
  );

/** Of these names, every place of each. */
export const readSnapshotParts = (
  clickhouse: ClickHouse,
  owner: string,
  names: readonly string[],
): Promise<StoredPart[]> =>
  queryRows<StoredPart>(
    clickhouse,
    'parts of a snapshot',
    `SELECT name, place, bytes FROM ${table(clickhouse, 'snapshot_parts')}
     WHERE owner = {owner:String} AND name IN {names:Array(String)} ORDER BY written DESC LIMIT 1 BY name, place`,
    { owner, names },
  );
