/** What is stored already: to remove replays before they are inserted (decision 8), and to answer where work came from (decision 6). */
import type { ClientRecord, OriginState } from '../../schemas/log/verdict.ts';
import type { ClickHouse } from './client.ts';
import { queryRows, table } from './statements.ts';

export interface StoredVerdict {
  readonly revision: number;
  readonly traceId: string;
  readonly spanCount: number;
  /** Offset of the segment's first record, as the newest revision has it. */
  readonly firstOffset: number;
}

/** A stored segment as far as its origin goes. */
export interface StoredSegment {
  readonly id: string;
  readonly traceId: string;
  readonly entrySpanId: string;
  readonly client: ClientRecord;
  readonly origins: readonly ClientRecord[];
  readonly originState: OriginState;
}

/** Ids in one statement's parameters: they travel in the URL. */
const MOST_IDS = 500;

/**
 * Newest revision of each verdict of the partition whose segment begins at `fromOffset` or later. `sinceMs`: append time
 * before which nothing is looked for (the log's retention).
 */
export async function readStoredVerdicts(
  clickhouse: ClickHouse,
  partition: number,
  fromOffset: number,
  sinceMs = 0,
): Promise<Map<string, StoredVerdict>> {
  const rows = await queryRows<{
    id: string;
    revision: string;
    trace_id: string;
    span_count: number;
    first: string;
  }>(
    clickhouse,
    'stored verdicts',
    `SELECT id, toString(max(revision)) AS revision, any(trace_id) AS trace_id, argMax(v.span_count, v.revision) AS span_count,
            toString(argMax(v.first_offset, v.revision)) AS first
     FROM ${table(clickhouse, 'verdicts')} AS v
     WHERE partition = {partition:UInt32} AND first_offset >= {from:UInt64} AND day >= toDate(fromUnixTimestamp64Milli({since:Int64}))
     GROUP BY id`,
    { partition, from: fromOffset, since: Math.floor(sinceMs) },
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        revision: Number(row.revision),
        traceId: row.trace_id,
        spanCount: Number(row.span_count),
        firstOffset: Number(row.first),
      },
    ]),
  );
}

/** Span ids that `otel_traces` holds, by trace; a trace that has none is absent. */
export async function readStoredSpanIds(
  clickhouse: ClickHouse,
  traceIds: readonly string[],
): Promise<Map<string, ReadonlySet<string>>> {
  const found = new Map<string, ReadonlySet<string>>();
  const distinct = [...new Set(traceIds)];
  const times = table(clickhouse, 'otel_traces_trace_id_ts');
  for (let at = 0; at < distinct.length; at += MOST_IDS) {
    const rows = await queryRows<{ traceId: string; spanIds: string[] }>(
      clickhouse,
      'stored span ids',
      `WITH (SELECT min(Start) FROM ${times} WHERE TraceId IN {ids:Array(String)}) AS earliest,
            (SELECT max(End) + 1 FROM ${times} WHERE TraceId IN {ids:Array(String)}) AS latest
       SELECT TraceId AS traceId, groupUniqArray(SpanId) AS spanIds
       FROM ${table(clickhouse, 'otel_traces')}
       WHERE TraceId IN {ids:Array(String)} AND Timestamp >= earliest AND Timestamp <= latest
       GROUP BY TraceId`,
      { ids: distinct.slice(at, at + MOST_IDS) },
    );
    for (const { traceId, spanIds } of rows) found.set(traceId, new Set(spanIds));
  }
  return found;
}

interface SegmentRow {
  id: string;
  entry_span_id: string;
  client_address: string;
  client_source: ClientRecord['source'];
  client_confidence: ClientRecord['confidence'];
  client_reason: string;
  client_hops: string[];
  client_peer: string;
  client_entry_trace_id: string;
  client_entry_span_id: string;
  client_user: string;
  client_session: string;
  origin_state: OriginState;
  origins: string;
}

/** The segments of a trace as their newest verdicts have them; withdrawn ones are left out. */
export async function readVerdictsByTrace(clickhouse: ClickHouse, traceId: string): Promise<StoredSegment[]> {
  const rows = await queryRows<SegmentRow>(
    clickhouse,
    'verdicts of a trace',
    `SELECT id, entry_span_id, client_address, client_source, client_confidence, client_reason, client_hops, client_peer,
            client_entry_trace_id, client_entry_span_id, client_user, client_session, origin_state, origins
     FROM (SELECT * FROM ${table(clickhouse, 'verdicts')} WHERE trace_id = {traceId:String} ORDER BY revision DESC LIMIT 1 BY id)
     WHERE state != 'withdrawn' ORDER BY appended, id`,
    { traceId },
  );
  return rows.map((row) => ({
    id: row.id,
    traceId,
    entrySpanId: row.entry_span_id,
    client: {
      address: row.client_address === '' ? null : row.client_address,
      source: row.client_source,
      confidence: row.client_confidence,
      reason: row.client_reason,
      hops: row.client_hops,
      entrySpanId: row.client_entry_span_id,
      entryTraceId: row.client_entry_trace_id,
      user: row.client_user === '' ? null : row.client_user,
      session: row.client_session === '' ? null : row.client_session,
      ...(row.client_peer !== '' && { peer: row.client_peer }),
    },
    origins: row.origins === '' ? [] : (JSON.parse(row.origins) as ClientRecord[]),
    originState: row.origin_state,
  }));
}

/**
 * The stored segment that a span belongs to, for the question who caused it: the nearest entry span on the way up from the
 * span; undefined when the trace, the span or its way up is not stored. Where no span of the trace was kept (retention), it
 * is the only segment that nobody queued: of several, which outsiders may have opened under one trace id, nobody can tell.
 */
export async function readSegmentOfSpan(
  clickhouse: ClickHouse,
  traceId: string,
  spanId: string,
): Promise<StoredSegment | undefined> {
  const segments = await readVerdictsByTrace(clickhouse, traceId);
  if (segments.length === 0) return undefined;
  const byEntry = new Map(segments.map((segment) => [segment.entrySpanId, segment]));
  const times = table(clickhouse, 'otel_traces_trace_id_ts');
  const spans = await queryRows<{ spanId: string; parent: string }>(
    clickhouse,
    'spans of a trace',
    `SELECT SpanId AS spanId, ParentSpanId AS parent FROM ${table(clickhouse, 'otel_traces')}
     WHERE TraceId = {traceId:String}
       AND Timestamp >= (SELECT min(Start) FROM ${times} WHERE TraceId = {traceId:String})
       AND Timestamp <= (SELECT max(End) + 1 FROM ${times} WHERE TraceId = {traceId:String})
     LIMIT 1 BY SpanId LIMIT 100000`,
    { traceId },
  );
  if (spans.length === 0) {
    const begun = segments.filter(({ originState }) => originState === 'none');
    return begun.length === 1 ? begun[0] : undefined;
  }
  const parents = new Map(spans.map((span) => [span.spanId, span.parent]));
  let at = spanId;
  for (let hops = 0; hops <= parents.size; hops++) {
    const segment = byEntry.get(at);
    if (segment !== undefined) return segment;
    const parent = parents.get(at);
    if (parent === undefined || parent === '') return undefined;
    at = parent;
  }
  return undefined; // a cycle of parents
}
