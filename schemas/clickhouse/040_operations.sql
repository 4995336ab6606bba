-- Inventory of operations. Every column merges by minimum, maximum or union: writing a row twice changes nothing.
CREATE TABLE IF NOT EXISTS {database}.operations (
  service LowCardinality(String) COMMENT 'Service',
  kind LowCardinality(String) COMMENT 'Server, Client, Internal, Producer, Consumer or Unspecified',
  operation String COMMENT 'Route, RPC method, statement summary or destination',
  first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First call',
  last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Last call',
  callers SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Services that called it; empty text = from outside',
  exposed SimpleAggregateFunction(max, UInt8) COMMENT '1: called from outside at least once',
  versions SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'service.version values that served it'
)
ENGINE = AggregatingMergeTree
ORDER BY (service, kind, operation)
COMMENT 'Inventory: operations of services'
