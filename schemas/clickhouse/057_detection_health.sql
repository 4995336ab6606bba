-- How much of the traffic is judged, and how well: by hour and entry operation. Filter by day.
CREATE OR REPLACE VIEW {database}.detection_health (
  day Date COMMENT 'Log-append day (UTC)',
  hour DateTime('UTC') COMMENT 'Hour of the log-append time',
  service LowCardinality(String) COMMENT 'Service of the entry span',
  operation LowCardinality(String) COMMENT 'Operation of the entry span',
  segments UInt64 COMMENT 'Requests and pieces of asynchronous work',
  spans UInt64 COMMENT 'Their spans',
  learning UInt64 COMMENT 'Not judged: no baseline that may alert yet',
  unseen_entry UInt64 COMMENT 'Judged against everything: the entry operation was never learned',
  provisional UInt64 COMMENT 'Judged by what came so far',
  anomalous UInt64 COMMENT 'Did not fit',
  hard UInt64 COMMENT 'With a finding that is near-certain by its kind',
  unknown_client UInt64 COMMENT 'Nobody can tell who caused it',
  uncertain_client UInt64 COMMENT 'Client known with low confidence',
  asynchronous UInt64 COMMENT 'Work behind a queue or batch',
  unknown_origin UInt64 COMMENT 'Asynchronous work whose cause is not known, or not yet',
  truncated UInt64 COMMENT 'Cut by a cap',
  versions Array(String) COMMENT 'Baseline versions that judged',
  newest DateTime64(3, 'UTC') COMMENT 'Latest log-append time'
)
AS SELECT
  v.day AS day,
  toStartOfHour(v.appended) AS hour,
  v.service AS service,
  v.operation AS operation,
  count() AS segments,
  sum(v.span_count) AS spans,
  countIf(v.state = 'learning') AS learning,
  countIf(v.match_unseen_entry) AS unseen_entry,
  countIf(v.stage = 'provisional') AS provisional,
  countIf(v.anomalous) AS anomalous,
  countIf(has(v.findings.hard, true)) AS hard,
  countIf(v.client_address = '') AS unknown_client,
  countIf(v.client_address != '' AND v.client_confidence = 'low') AS uncertain_client,
  countIf(v.asynchronous) AS asynchronous,
  countIf(v.asynchronous AND v.origin_state IN ('pending', 'unknown')) AS unknown_origin,
  countIf(v.truncated) AS truncated,
  arraySort(groupUniqArrayIf(toString(v.version), v.version != '')) AS versions,
  max(v.appended) AS newest
FROM {database}.verdicts AS v FINAL
WHERE v.state != 'withdrawn'
GROUP BY v.day, hour, v.service, v.operation
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How much of the traffic is judged, by hour and entry operation'
