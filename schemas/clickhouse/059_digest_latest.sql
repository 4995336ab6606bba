-- The digest as it stands, ranked by day.
CREATE OR REPLACE VIEW {database}.digest_latest (
  day Date COMMENT 'Log-append day (UTC)',
  rank UInt64 COMMENT 'Place in the day: the most unusual first',
  kind LowCardinality(String) COMMENT 'Kind of the leading finding',
  explanation_key String COMMENT 'What of that kind',
  class LowCardinality(String) COMMENT 'security, operational, telemetry or inventory',
  service LowCardinality(String) COMMENT 'Service of the finding',
  operation String COMMENT 'Operation of the finding',
  requests UInt64 COMMENT 'Requests that showed it',
  clients Array(String) COMMENT 'Up to 16 of the known clients',
  p Float64 COMMENT 'Smallest p among them',
  severity Float64 COMMENT 'Largest severity; uncapped',
  expected String COMMENT 'What the baseline holds, of the request with the smallest p',
  seen String COMMENT 'What came, after redaction, of the same request',
  match_text String COMMENT 'Its match line',
  trace_id String COMMENT 'Its trace',
  first_seen DateTime64(3, 'UTC') COMMENT 'First evidence',
  last_seen DateTime64(3, 'UTC') COMMENT 'Last evidence'
)
AS SELECT day, row_number() OVER (PARTITION BY day ORDER BY p, severity DESC, requests DESC, kind, explanation_key) AS rank,
  kind, explanation_key, class, service, operation, requests, clients, p, severity, expected, seen, match_text, trace_id, first_seen, last_seen
FROM {database}.digest FINAL
WHERE requests > 0
COMMENT 'What was odd but opened no incident, ranked by day'
