-- Feeds verdict_inserts.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.verdict_inserts_mv
TO {database}.verdict_inserts
AS SELECT now64(3, 'UTC') AS inserted, stage, count() AS verdicts, sum(span_count) AS spans,
  quantileExact(0.5)(greatest(0, toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(appended))) AS delay_median_ms,
  max(greatest(0, toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(appended))) AS delay_max_ms
FROM {database}.verdicts
GROUP BY stage
COMMENT 'Feeds verdict_inserts'
