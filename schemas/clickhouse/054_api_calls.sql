-- Who calls what, by hour, and since when: a call whose first_seen is young was never seen before.
CREATE OR REPLACE VIEW {database}.api_calls (
  hour DateTime('UTC') COMMENT 'Hour of the log-append time',
  caller_service LowCardinality(String) COMMENT 'Calling service; empty text = from outside',
  caller_operation String COMMENT 'Calling operation',
  service LowCardinality(String) COMMENT 'Called service, or the service itself where it calls a database, a queue or another system',
  kind LowCardinality(String) COMMENT 'Kind of the called span: Server, Client, Internal, Producer, Consumer or Unspecified',
  operation String COMMENT 'Called operation',
  calls UInt64 COMMENT 'Calls in that hour',
  errors UInt64 COMMENT 'Those that failed',
  first_seen DateTime64(3, 'UTC') COMMENT 'First such call ever',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last one'
)
AS SELECT c.hour AS hour, c.caller_service AS caller_service, c.caller_operation AS caller_operation, c.service AS service,
  c.kind AS kind, c.operation AS operation, c.calls AS calls, c.errors AS errors,
  toDateTime64(e.first_seen, 3, 'UTC') AS first_seen, toDateTime64(e.last_seen, 3, 'UTC') AS last_seen
FROM (
  SELECT hour, caller_service, caller_operation, service, kind, operation, sum(calls) AS calls, sum(errors) AS errors
  FROM (SELECT * FROM {database}.inventory_calls FINAL)
  GROUP BY hour, caller_service, caller_operation, service, kind, operation
) AS c
LEFT JOIN (SELECT * FROM {database}.edges FINAL) AS e
  ON e.caller_service = c.caller_service AND e.caller_operation = c.caller_operation AND e.service = c.service AND e.operation = c.operation
COMMENT 'Calls between operations by hour, with when each was first seen'
