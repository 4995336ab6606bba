-- One row a novelty that opened no incident, by day and revision; the newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.digest (
  day Date COMMENT 'Log-append day (UTC)',
  kind LowCardinality(String) COMMENT 'Kind of the leading finding',
  explanation_key String COMMENT 'What of that kind' CODEC(ZSTD(1)),
  revision UInt64 COMMENT 'Log time of its last change, milliseconds',
  class LowCardinality(String) COMMENT 'security, operational, telemetry or inventory',
  service LowCardinality(String) COMMENT 'Service of the finding',
  operation String COMMENT 'Operation of the finding' CODEC(ZSTD(1)),
  requests UInt64 COMMENT 'Requests that showed it; 0 = all became part of an incident, or were withdrawn',
  clients Array(String) COMMENT 'Up to 16 of the known clients' CODEC(ZSTD(1)),
  p Float64 COMMENT 'Smallest p among them',
  severity Float64 COMMENT 'Largest severity; uncapped',
  expected String COMMENT 'What the baseline holds, of the request with the smallest p' CODEC(ZSTD(1)),
  seen String COMMENT 'What came, after redaction, of the same request' CODEC(ZSTD(1)),
  match_text String COMMENT 'Its match line' CODEC(ZSTD(1)),
  trace_id String COMMENT 'Its trace' CODEC(ZSTD(1)),
  first_seen DateTime64(3, 'UTC') COMMENT 'First evidence',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last evidence'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (day, kind, explanation_key)
TTL day + toIntervalDay({incidentsTtlDays})
COMMENT 'What was odd but opened no incident'
