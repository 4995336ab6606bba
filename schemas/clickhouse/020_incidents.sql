-- One row an incident and revision; the newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.incidents (
  id String COMMENT 'Equal over replays' CODEC(ZSTD(1)),
  revision UInt64 COMMENT 'Grows with every change',
  state Enum8('open' = 0, 'closed' = 1, 'merged' = 2) COMMENT 'Where it stands',
  merged_into String COMMENT 'Incident that took it in' CODEC(ZSTD(1)),
  class LowCardinality(String) COMMENT 'security, operational, telemetry or inventory',
  kind LowCardinality(String) COMMENT 'Kind of the finding that opened it',
  explanation_key String COMMENT 'What of that kind' CODEC(ZSTD(1)),
  entity String COMMENT 'Client address, or service and operation' CODEC(ZSTD(1)),
  service LowCardinality(String) COMMENT 'Service of the opening finding',
  operation LowCardinality(String) COMMENT 'Operation of the opening finding',
  title String COMMENT 'One line for people' CODEC(ZSTD(1)),
  match_text String COMMENT 'Match line of the worst verdict' CODEC(ZSTD(1)),
  severity Float64 COMMENT 'Largest severity; uncapped',
  p Float64 COMMENT 'Smallest p among its verdicts',
  client_address String COMMENT 'First known client; empty = unknown' CODEC(ZSTD(1)),
  client_confidence LowCardinality(String) COMMENT 'high, medium, low or none',
  client String COMMENT 'Client record, JSON' CODEC(ZSTD(1)),
  clients Array(String) COMMENT 'Every known client, the first one first; at most 64' CODEC(ZSTD(1)),
  users Array(String) COMMENT 'Users, where known' CODEC(ZSTD(1)),
  services Array(LowCardinality(String)) COMMENT 'Services its findings lie in' CODEC(ZSTD(1)),
  start DateTime64(3, 'UTC') COMMENT 'First evidence',
  end DateTime64(3, 'UTC') COMMENT 'Last evidence',
  opened DateTime64(3, 'UTC') COMMENT 'Log-append time of the first finding',
  closed DateTime64(3, 'UTC') COMMENT 'When it closed; 1970 while open',
  trace_count UInt64 COMMENT 'Distinct traces',
  trace_ids Array(String) COMMENT 'Up to 20 of them' CODEC(ZSTD(1)),
  occurrences UInt64 COMMENT 'How often it was hit',
  version LowCardinality(String) COMMENT 'Baseline version of its verdicts',
  findings String COMMENT 'Findings with what was expected and seen, JSON' CODEC(ZSTD(1)),
  written DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(written) + toIntervalDay({incidentsTtlDays})
COMMENT 'Incidents: findings gathered into one story'
