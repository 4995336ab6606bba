/**
 * What Grafana and HyperDX ask `otel_traces`. Grafana: the query builder of grafana/clickhouse-datasource, OTel mode
 * (src/data/sqlGenerator.ts generateTraceSearchQuery and generateTraceIdQuery, src/otel.ts column map and
 * traceTimestampTableSuffix `_trace_id_ts`, read at commit aa8d73219ca5). HyperDX: the default trace source that it infers from
 * the columns (hyperdxio/hyperdx, packages/app/src/source.ts inferTableSourceConfig).
 */

/** A dashboard's or the explorer's list of traces: roots in a range of time. */
export const grafanaSearch = (database: string, from: string, to: string): string =>
  `SELECT "TraceId" as traceID, "ServiceName" as serviceName, "SpanName" as operationName, "Timestamp" as startTime,
   multiply("Duration", 0.000001) as duration
   FROM "${database}"."otel_traces"
   WHERE ( Timestamp >= ${from} AND Timestamp <= ${to} ) AND ( ParentSpanId = '' ) AND ( Duration > 0 )
   ORDER BY Timestamp DESC, Duration DESC LIMIT 1000`;

/** A trace by its id, in two steps, with events and links. */
export const grafanaTrace = (database: string, traceId: string): string =>
  `WITH '${traceId}' as trace_id,
   (SELECT min(Start) FROM "${database}"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_start,
   (SELECT max(End) + 1 FROM "${database}"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_end
   SELECT "TraceId" as traceID, "SpanId" as spanID, "ParentSpanId" as parentSpanID, "ServiceName" as serviceName,
   "SpanName" as operationName, multiply(toUnixTimestamp64Nano("Timestamp"), 0.000001) as startTime,
   multiply("Duration", 0.000001) as duration,
   arrayMap(key -> map('key', key, 'value',"SpanAttributes"[key]), mapKeys("SpanAttributes")) as tags,
   arrayMap(key -> map('key', key, 'value',"ResourceAttributes"[key]), mapKeys("ResourceAttributes")) as serviceTags,
   if("StatusCode" IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) as statusCode,
   arrayMap((name, timestamp, attributes) -> tuple(name, toString(toUnixTimestamp64Milli(timestamp)), arrayMap( key -> map('key', key, 'value', attributes[key]), mapKeys(attributes)))::Tuple(name String, timestamp String, fields Array(Map(String, String))), "Events".Name, "Events".Timestamp, "Events".Attributes) AS logs,
   arrayMap((traceID, spanID, attributes) -> tuple(traceID, spanID, arrayMap(key -> map('key', key, 'value', attributes[key]), mapKeys(attributes)))::Tuple(traceID String, spanID String, tags Array(Map(String, String))), "Links".TraceId, "Links".SpanId, "Links".Attributes) AS references,
   "SpanKind" as kind, "StatusMessage" as statusMessage, "ScopeName" as instrumentationLibraryName,
   "ScopeVersion" as instrumentationLibraryVersion, "TraceState" as traceState
   FROM "${database}"."otel_traces"
   WHERE traceID = trace_id AND "Timestamp" >= trace_start AND "Timestamp" <= trace_end
   LIMIT 1000`;

/** Our own look-up: the same two steps, a span once whatever was replayed. */
export const ownTrace = (database: string, traceId: string): string =>
  `SELECT * FROM "${database}"."otel_traces"
   WHERE TraceId = '${traceId}'
     AND Timestamp >= (SELECT min(Start) FROM "${database}"."otel_traces_trace_id_ts" WHERE TraceId = '${traceId}')
     AND Timestamp <= (SELECT max(End) + 1 FROM "${database}"."otel_traces_trace_id_ts" WHERE TraceId = '${traceId}')
   ORDER BY Timestamp LIMIT 1 BY SpanId`;

/** HyperDX's expressions for a table with these columns. */
export const HYPERDX_EXPRESSIONS = {
  timestampValueExpression: 'Timestamp',
  defaultTableSelectExpression:
    'Timestamp, ServiceName as service, StatusCode as level, round(Duration / 1e6) as duration, SpanName',
  eventAttributesExpression: 'SpanAttributes',
  resourceAttributesExpression: 'ResourceAttributes',
  serviceNameExpression: 'ServiceName',
  durationExpression: 'Duration',
  parentSpanIdExpression: 'ParentSpanId',
  spanIdExpression: 'SpanId',
  spanKindExpression: 'SpanKind',
  spanNameExpression: 'SpanName',
  traceIdExpression: 'TraceId',
  statusCodeExpression: 'StatusCode',
  statusMessageExpression: 'StatusMessage',
  spanEventsValueExpression: 'Events',
} as const;

/** HyperDX reads nested columns by their parts. */
export const hyperdxSearch = (database: string, from: string, to: string): string => {
  const { spanEventsValueExpression: events, defaultTableSelectExpression: columns, ...others } = HYPERDX_EXPRESSIONS;
  return `SELECT ${columns}, ${Object.values(others).join(', ')}, ${events}.Timestamp, ${events}.Name, ${events}.Attributes
   FROM ${database}.otel_traces WHERE Timestamp >= ${from} AND Timestamp <= ${to} ORDER BY Timestamp DESC LIMIT 100000`;
};
