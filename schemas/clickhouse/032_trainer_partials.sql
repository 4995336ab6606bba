-- Raw counters behind the newest versions, from which a trainer resumes: one row a log partition, block of time and group.
-- Only the newest version's are needed; older ones go when a version is written, and by themselves after two days.
CREATE TABLE IF NOT EXISTS {database}.trainer_partials (
  version String COMMENT 'Version they were cut with' CODEC(ZSTD(1)),
  partition UInt32 COMMENT 'Log partition',
  block Int64 COMMENT 'Block of time',
  model_group LowCardinality(String) COMMENT 'structure, timing, parameters, status or calibration',
  part UInt32 COMMENT 'A large payload is cut into parts',
  payload String COMMENT 'Encoded counters' CODEC(ZSTD(3)),
  created DateTime64(3, 'UTC') COMMENT 'When the version was cut: the same on every attempt to write it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(created)
ORDER BY (version, partition, block, model_group, part)
TTL toDateTime(created) + toIntervalDay(2)
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Counters the trainer resumes from'
