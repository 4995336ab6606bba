-- The baseline in lines that can be read: shapes and counts, never a raw value.
CREATE TABLE IF NOT EXISTS {database}.baseline_entries (
  version String COMMENT 'Version they were published with' CODEC(ZSTD(1)),
  model_group LowCardinality(String) COMMENT 'structure, timing, parameters, status, fusion, match, templates or manifest',
  kind LowCardinality(String) COMMENT 'label, edge, rule, signature, histogram, parameter, …',
  key String COMMENT 'What of that kind' CODEC(ZSTD(1)),
  value String COMMENT 'JSON' CODEC(ZSTD(3)),
  deleted Bool COMMENT 'In a change: the parent''s entry is gone',
  created DateTime64(3, 'UTC') COMMENT 'When the version was cut: the same on every attempt to write it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(created)
ORDER BY (version, model_group, kind, key)
TTL toDateTime(created) + toIntervalDay({baselinesTtlDays})
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Entries of each version of the baseline'
