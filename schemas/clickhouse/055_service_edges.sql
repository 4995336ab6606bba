-- Which service reaches which, as a map.
CREATE OR REPLACE VIEW {database}.service_edges (
  caller_service LowCardinality(String) COMMENT 'Calling service; empty text = from outside',
  service LowCardinality(String) COMMENT 'Called service',
  first_seen DateTime64(3, 'UTC') COMMENT 'First call between the two',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last one',
  operations Array(String) COMMENT 'Operations called',
  calls UInt64 COMMENT 'Calls counted, over the retention of verdicts',
  errors UInt64 COMMENT 'Those that failed'
)
AS SELECT e.caller_service AS caller_service, e.service AS service, e.first_seen AS first_seen, e.last_seen AS last_seen,
  e.operations AS operations, c.calls AS calls, c.errors AS errors
FROM (
  SELECT caller_service, service, toDateTime64(min(f.first_seen), 3, 'UTC') AS first_seen,
    toDateTime64(max(f.last_seen), 3, 'UTC') AS last_seen, arraySort(groupUniqArray(operation)) AS operations
  FROM (SELECT * FROM {database}.edges FINAL) AS f
  WHERE caller_service != service
  GROUP BY caller_service, service
) AS e
LEFT JOIN (
  SELECT caller_service, service, sum(calls) AS calls, sum(errors) AS errors
  FROM (SELECT * FROM {database}.inventory_calls FINAL)
  GROUP BY caller_service, service
) AS c ON c.caller_service = e.caller_service AND c.service = e.service
COMMENT 'Which service calls which'
