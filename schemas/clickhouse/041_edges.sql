-- Inventory of calls between operations; merges like operations.
CREATE TABLE IF NOT EXISTS {database}.edges (
  caller_service LowCardinality(String) COMMENT 'Calling service; empty text = from outside',
  caller_operation String COMMENT 'Calling operation',
  service LowCardinality(String) COMMENT 'Called service',
  operation String COMMENT 'Called operation',
  first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First call',
  last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Last call'
)
ENGINE = AggregatingMergeTree
ORDER BY (caller_service, caller_operation, service, operation)
COMMENT 'Inventory: who calls what'
