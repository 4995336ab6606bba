-- Published versions of the baseline. Written last: a version whose row is here has all its entries.
CREATE TABLE IF NOT EXISTS {database}.baseline_versions (
  version String COMMENT 'Hash of its content',
  parent String COMMENT 'Version its entries are a change to; empty for the first',
  full Bool COMMENT 'True: its entries are complete; false: a change to the parent''s',
  created DateTime64(3, 'UTC') COMMENT 'When it was cut',
  offsets Array(UInt64) COMMENT 'Next offset of each spans partition: segments that began below are in it',
  segments UInt64 COMMENT 'Segments learned',
  alerting Bool COMMENT 'Alerts can be raised with it',
  entries UInt64 COMMENT 'Entries it has, the parent''s that did not change included',
  manifest String COMMENT 'Everything else of it, JSON' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY version
TTL toDateTime(created) + toIntervalDay({baselinesTtlDays})
COMMENT 'Versions of the baseline'
