-- Calls an hour, counted by the owner of a log partition. A replay counts again from the start of what it replays, so the
-- largest count of an (hour, partition) stands: never too many, at worst too few after a crash.
CREATE TABLE IF NOT EXISTS {database}.inventory_calls (
  hour DateTime('UTC') COMMENT 'Hour of the log-append time',
  partition UInt32 COMMENT 'Log partition',
  caller_service LowCardinality(String) COMMENT 'Calling service; empty text = from outside',
  caller_operation String COMMENT 'Calling operation',
  service LowCardinality(String) COMMENT 'Called service',
  kind LowCardinality(String) COMMENT 'Kind of the called span',
  operation String COMMENT 'Called operation',
  calls SimpleAggregateFunction(max, UInt64) COMMENT 'Calls counted',
  errors SimpleAggregateFunction(max, UInt64) COMMENT 'Calls that failed'
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(hour)
ORDER BY (service, operation, kind, caller_service, caller_operation, hour, partition)
TTL hour + toIntervalDay({verdictsTtlDays})
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Inventory: calls an hour'
