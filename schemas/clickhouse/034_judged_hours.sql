-- One row an hour and version, as far as it was counted; the row with the most segments stands.
CREATE TABLE IF NOT EXISTS {database}.judged_hours (
  hour DateTime('UTC') COMMENT 'Hour of the log-append time',
  version LowCardinality(String) COMMENT 'Baseline version that judged',
  segments UInt64 COMMENT 'Segments judged, each once',
  below Array(UInt64) COMMENT 'Of these, with p at most 0.01, 0.001 and 0.0001',
  hard Array(UInt64) COMMENT 'Of those, with a finding that is near-certain by its kind'
)
ENGINE = ReplacingMergeTree(segments)
ORDER BY (hour, version)
TTL hour + toIntervalDay({verdictsTtlDays})
COMMENT 'How much was judged, and how unlikely it was'
