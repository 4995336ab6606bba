-- One row a delivery and revision; the newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.deliveries (
  alert_id String COMMENT 'Alert' CODEC(ZSTD(1)),
  destination LowCardinality(String) COMMENT 'Name of the destination',
  revision UInt64 COMMENT 'Grows with every change',
  attempt UInt32 COMMENT 'Attempts so far',
  state Enum8('pending' = 0, 'delivered' = 1, 'failed' = 2, 'dead' = 3) COMMENT 'dead: given up',
  http_status UInt16 COMMENT 'Last answer; 0 = none',
  error String COMMENT 'Why the last attempt failed' CODEC(ZSTD(1)),
  next_attempt DateTime64(3, 'UTC') COMMENT 'When it is tried again',
  updated DateTime64(3, 'UTC') COMMENT 'When this changed'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (alert_id, destination)
TTL toDateTime(updated) + toIntervalDay({incidentsTtlDays})
COMMENT 'Deliveries of alerts to destinations'
