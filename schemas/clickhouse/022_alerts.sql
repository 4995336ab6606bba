-- The outbox: what was told to people, the body as signed and sent.
CREATE TABLE IF NOT EXISTS {database}.alerts (
  id String COMMENT 'Also the webhook-id' CODEC(ZSTD(1)),
  type LowCardinality(String) COMMENT 'incident.opened, incident.updated, incident.closed or storm',
  incident_id String COMMENT 'Incident it tells of' CODEC(ZSTD(1)),
  created DateTime64(3, 'UTC') COMMENT 'When it was made',
  body String COMMENT 'JSON text, signed and sent as it is' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY id
TTL toDateTime(created) + toIntervalDay({incidentsTtlDays})
COMMENT 'Alerts: what was told to people'
