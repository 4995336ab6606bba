-- What services offer: every route, RPC method and consumed destination, who calls it and how often. `inventory` has the calls out as well.
CREATE OR REPLACE VIEW {database}.api_operations (
  service LowCardinality(String) COMMENT 'Service that serves it',
  kind LowCardinality(String) COMMENT 'Server or Consumer',
  operation String COMMENT 'Route, RPC method or destination',
  exposed Bool COMMENT 'Called from outside at least once',
  callers Array(String) COMMENT 'Services that called it; empty text = from outside',
  versions Array(String) COMMENT 'service.version values that served it',
  first_seen DateTime64(3, 'UTC') COMMENT 'First call ever',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last call',
  calls UInt64 COMMENT 'Calls counted, over the retention of verdicts',
  errors UInt64 COMMENT 'Those that failed',
  error_share Float64 COMMENT 'errors / calls; 0 without calls'
)
AS SELECT service, kind, operation, exposed, callers, versions, first_seen, last_seen, calls, errors,
  if(calls = 0, 0, errors / calls) AS error_share
FROM {database}.inventory
WHERE kind IN ('Server', 'Consumer')
COMMENT 'Operations that services offer, with their callers and errors'
