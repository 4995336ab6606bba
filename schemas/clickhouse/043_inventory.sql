-- Inventory for people: every operation with its callers and its calls.
CREATE VIEW IF NOT EXISTS {database}.inventory
AS SELECT o.service AS service, o.kind AS kind, o.operation AS operation, o.first_seen AS first_seen, o.last_seen AS last_seen,
  o.callers AS callers, CAST(o.exposed, 'Bool') AS exposed, o.versions AS versions, c.calls AS calls, c.errors AS errors
FROM (SELECT * FROM {database}.operations FINAL) AS o
LEFT JOIN (
  SELECT service, kind, operation, sum(calls) AS calls, sum(errors) AS errors
  FROM (SELECT * FROM {database}.inventory_calls FINAL)
  GROUP BY service, kind, operation
) AS c ON c.service = o.service AND c.kind = o.kind AND c.operation = o.operation
COMMENT 'Operations of services with their callers and calls'
