-- What became of each alert at each destination. An alert without a destination has one row of state none.
CREATE OR REPLACE VIEW {database}.alert_deliveries (
  alert_id String COMMENT 'Alert; also its webhook-id',
  created DateTime64(3, 'UTC') COMMENT 'When the alert was made',
  type LowCardinality(String) COMMENT 'incident.opened, incident.updated, incident.closed, incident.acknowledged, storm or digest',
  incident_id String COMMENT 'Incident it tells of',
  class LowCardinality(String) COMMENT 'Class of the incident: security, operational, telemetry or inventory',
  title String COMMENT 'The incident in one line',
  destination LowCardinality(String) COMMENT 'Name of the destination',
  state LowCardinality(String) COMMENT 'delivered, pending, failed (will be tried again), dead (given up), none (no destination)',
  attempt UInt32 COMMENT 'Attempts so far',
  http_status UInt16 COMMENT 'Last answer; 0 = none',
  error String COMMENT 'Why the last attempt failed',
  updated DateTime64(3, 'UTC') COMMENT 'When this changed last',
  next_attempt DateTime64(3, 'UTC') COMMENT 'When it is tried again',
  delivered_after_ms Float64 COMMENT 'From the alert to its delivery; NaN while it is not delivered'
)
AS SELECT a.id AS alert_id, a.created AS created, a.type AS type, a.incident_id AS incident_id, i.class AS class, i.title AS title,
  d.destination AS destination, if(d.alert_id = '', 'none', toString(d.state)) AS state, d.attempt AS attempt, d.http_status AS http_status,
  d.error AS error, d.updated AS updated, d.next_attempt AS next_attempt,
  if(d.alert_id != '' AND d.state = 'delivered', toUnixTimestamp64Milli(d.updated) - toUnixTimestamp64Milli(a.created), nan) AS delivered_after_ms
FROM (SELECT * FROM {database}.alerts FINAL) AS a
LEFT JOIN (SELECT * FROM {database}.deliveries FINAL) AS d ON d.alert_id = a.id
LEFT JOIN (SELECT id, class, title FROM {database}.incidents FINAL) AS i ON i.id = a.incident_id
COMMENT 'Alerts with their delivery to each destination'
