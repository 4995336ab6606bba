-- One row an insert of verdicts and stage: how long it took from the log to here. A second attempt is an insert of its own.
CREATE TABLE IF NOT EXISTS {database}.verdict_inserts (
  inserted DateTime64(3, 'UTC') COMMENT 'When' CODEC(Delta(8), ZSTD(1)),
  stage Enum8('provisional' = 0, 'closed' = 1, 'absence judged' = 2, 'withdrawn' = 3) COMMENT 'Stage of these verdicts',
  verdicts UInt64 COMMENT 'Verdicts of that stage in the insert',
  spans UInt64 COMMENT 'Spans of their segments, those stored earlier included',
  delay_median_ms Float64 COMMENT 'From the log-append time of a segment''s first record to the insert, median',
  delay_max_ms Float64 COMMENT 'The same, the longest'
)
ENGINE = MergeTree
PARTITION BY toDate(inserted)
ORDER BY inserted
TTL toDate(inserted) + toIntervalDay({spansTtlDays})
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Inserts of verdicts and their delay'
