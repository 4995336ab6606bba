-- Inventory for people: every operation with its callers and its calls.
CREATE OR REPLACE VIEW {database}.inventory (
  service LowCardinality(String) COMMENT 'Service',
  kind LowCardinality(String) COMMENT 'Server, Client, Internal, Producer, Consumer or Unspecified',
  operation String COMMENT 'Route, RPC method, statement summary or destination',
  first_seen DateTime64(3, 'UTC') COMMENT 'First call ever',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last call',
  callers Array(String) COMMENT 'Services that called it; empty text = from outside',
  exposed Bool COMMENT 'Called from outside at least once',
  versions Array(String) COMMENT 'service.version values that served it',
  calls UInt64 COMMENT 'Calls counted, over the retention of verdicts',
  errors UInt64 COMMENT 'Those that failed'
)
AS SELECT o.service AS service, o.kind AS kind, o.operation AS operation, toDateTime64(o.first_seen, 3, 'UTC') AS first_seen,
  toDateTime64(o.last_seen, 3, 'UTC') AS last_seen,
  arraySort(o.callers) AS callers, CAST(o.exposed, 'Bool') AS exposed, arraySort(o.versions) AS versions, c.calls AS calls, c.errors AS errors
FROM (SELECT * FROM {database}.operations FINAL) AS o
LEFT JOIN (
  SELECT service, kind, operation, sum(calls) AS calls, sum(errors) AS errors
  FROM (SELECT * FROM {database}.inventory_calls FINAL)
  GROUP BY service, kind, operation
) AS c ON c.service = o.service AND c.kind = o.kind AND c.operation = o.operation
COMMENT 'Operations of services with their callers and calls'
