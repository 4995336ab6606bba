-- What could not be told: alerts given up at a destination, with what `spanwarden alerts replay` sends again.
CREATE OR REPLACE VIEW {database}.dead_letters (
  alert_id String COMMENT 'Alert; also its webhook-id, which a replay keeps',
  destination LowCardinality(String) COMMENT 'Name of the destination',
  given_up DateTime64(3, 'UTC') COMMENT 'When it was given up',
  attempt UInt32 COMMENT 'Attempts made',
  http_status UInt16 COMMENT 'Last answer; 0 = none',
  error String COMMENT 'Why the last attempt failed',
  type LowCardinality(String) COMMENT 'incident.opened, incident.updated, incident.closed, incident.acknowledged, storm or digest',
  incident_id String COMMENT 'Incident it tells of; empty for a digest',
  created DateTime64(3, 'UTC') COMMENT 'When the alert was made',
  title String COMMENT 'What it says, in one line',
  revision UInt64 COMMENT 'Of the delivery',
  body String COMMENT 'JSON text of the alert'
)
AS SELECT d.alert_id AS alert_id, d.destination AS destination, d.updated AS given_up, d.attempt AS attempt, d.http_status AS http_status,
  d.error AS error, a.type AS type, a.incident_id AS incident_id, a.created AS created,
  JSONExtractString(a.body, 'data', 'title') AS title, d.revision AS revision, a.body AS body
FROM (SELECT * FROM {database}.deliveries FINAL) AS d
INNER JOIN (SELECT * FROM {database}.alerts FINAL) AS a ON a.id = d.alert_id
WHERE d.state = 'dead'
COMMENT 'Alerts that were given up at a destination'
