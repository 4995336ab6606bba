-- What each external client did, by day and entry operation, work it caused behind queues included. Filter by day.
CREATE OR REPLACE VIEW {database}.client_activity (
  day Date COMMENT 'Log-append day (UTC)',
  client_address String COMMENT 'External client; empty = nobody can tell',
  service LowCardinality(String) COMMENT 'Service of the entry span',
  operation LowCardinality(String) COMMENT 'Operation of the entry span',
  asynchronous Bool COMMENT 'Work behind a queue or batch that this client caused',
  requests UInt64 COMMENT 'Segments; one with several origins counts for each of these clients',
  anomalous UInt64 COMMENT 'Those that did not fit',
  kinds Array(String) COMMENT 'Kinds of their findings',
  score Float64 COMMENT 'Highest score',
  worst_trace_id String COMMENT 'Trace of the highest score',
  duration_median_ms Float64 COMMENT 'Median time from the start of the entry span to the end of the last span',
  first_seen DateTime64(3, 'UTC') COMMENT 'First request',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last request',
  confidence Array(String) COMMENT 'How sure the address is: high, medium, low or none',
  users Array(String) COMMENT 'Users, where known'
)
AS SELECT
  v.day AS day,
  v.client AS client_address,
  v.service AS service,
  v.operation AS operation,
  v.asynchronous AS asynchronous,
  count() AS requests,
  countIf(v.anomalous) AS anomalous,
  arraySort(groupUniqArrayArray(v.kinds)) AS kinds,
  max(v.score) AS score,
  argMax(v.trace_id, v.score) AS worst_trace_id,
  quantileExact(0.5)(v.duration_ms) AS duration_median_ms,
  min(v.start) AS first_seen,
  max(v.start) AS last_seen,
  arraySort(groupUniqArray(toString(v.client_confidence))) AS confidence,
  arraySort(groupUniqArrayIf(v.client_user, v.client_user != '')) AS users
FROM (
  SELECT day, service, operation, asynchronous, anomalous, score, trace_id, start, client_confidence, client_user,
    findings.kind AS kinds,
    toUnixTimestamp64Milli(end) - toUnixTimestamp64Milli(start) AS duration_ms,
    arrayJoin(if(empty(origin_addresses), [client_address], arrayDistinct(origin_addresses))) AS client
  FROM {database}.verdicts FINAL
  WHERE state != 'withdrawn'
  SETTINGS do_not_merge_across_partitions_select_final = 1
) AS v
GROUP BY v.day, v.client, v.service, v.operation, v.asynchronous
COMMENT 'What each client did: requests by day and entry operation'
