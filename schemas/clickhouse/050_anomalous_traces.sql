-- Where an analysis starts: what did not fit, a trace in one row. Filter by day: it is the partition of the verdicts behind it.
CREATE OR REPLACE VIEW {database}.anomalous_traces (
  day Date COMMENT 'Log-append day (UTC); a trace over midnight has a row in both',
  appended DateTime64(3, 'UTC') COMMENT 'Log-append time of its first record',
  trace_id String COMMENT '32 lowercase hex digits',
  start DateTime64(3, 'UTC') COMMENT 'Start of its first anomalous segment',
  end DateTime64(3, 'UTC') COMMENT 'Latest end of a span in an anomalous segment',
  score Float64 COMMENT 'Highest score of its segments; higher = more anomalous',
  p Float64 COMMENT 'Smallest calibrated probability under normal',
  deviation Float64 COMMENT 'Largest deviation from the best match; above 1 = outside the baseline',
  service LowCardinality(String) COMMENT 'Service of the entry span of the worst segment',
  operation LowCardinality(String) COMMENT 'Operation of that entry span',
  match_text String COMMENT 'How the worst segment compares with the baseline, in one sentence',
  kinds Array(String) COMMENT 'Kinds of its findings',
  hard Bool COMMENT 'A finding is near-certain by its kind',
  findings Array(String) COMMENT 'Each finding in words: where, what was expected, what was seen',
  client_address String COMMENT 'External client, that of the worst segment whose client is known; empty = unknown',
  client_confidence LowCardinality(String) COMMENT 'high, medium, low or none',
  clients Array(String) COMMENT 'Every known client, those across links included',
  users Array(String) COMMENT 'Users, where known',
  services Array(String) COMMENT 'Services its findings lie in',
  asynchronous Bool COMMENT 'A segment of it is work behind a queue or batch',
  segments UInt64 COMMENT 'Anomalous segments in it',
  version LowCardinality(String) COMMENT 'Baseline version of the worst segment'
)
AS SELECT
  v.day AS day,
  min(v.appended) AS appended,
  v.trace_id AS trace_id,
  min(v.start) AS start,
  max(v.end) AS end,
  max(v.score) AS score,
  min(v.p) AS p,
  max(v.match_deviation_max) AS deviation,
  argMax(v.service, v.score) AS service,
  argMax(v.operation, v.score) AS operation,
  argMax(v.match_text, v.score) AS match_text,
  arraySort(groupUniqArrayArray(v.findings.kind)) AS kinds,
  CAST(max(has(v.findings.hard, true)), 'Bool') AS hard,
  arraySort(groupUniqArrayArray(arrayMap(
    (kind, service, operation, parameter, expected, seen) -> concat(
      kind, ' in ', service, ' ', operation, if(parameter = '', '', concat(' ', parameter)), ': expected ', expected, '; seen ', seen),
    v.findings.kind, v.findings.service, v.findings.operation, v.findings.parameter, v.findings.expected, v.findings.seen
  ))) AS findings,
  argMax(v.client_address, (v.client_address != '', v.score)) AS client_address,
  argMax(v.client_confidence, (v.client_address != '', v.score)) AS client_confidence,
  arraySort(groupUniqArrayArray(arrayFilter(a -> a != '', arrayConcat([v.client_address], v.origin_addresses)))) AS clients,
  arraySort(groupUniqArrayIf(v.client_user, v.client_user != '')) AS users,
  arraySort(groupUniqArrayArray(v.findings.service)) AS services,
  max(v.asynchronous) AS asynchronous,
  count() AS segments,
  argMax(v.version, v.score) AS version
FROM {database}.verdicts AS v FINAL
WHERE v.state = 'scored' AND (v.anomalous OR has(v.findings.hard, true))
GROUP BY v.day, v.trace_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Traces with a segment that did not fit: what deviated, how much, who caused it'
