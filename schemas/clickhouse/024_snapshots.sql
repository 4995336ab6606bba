-- What the single owner of a partition knows, with the next offset it includes: it reads on from there after a restart.
CREATE TABLE IF NOT EXISTS {database}.snapshots (
  owner String COMMENT 'responder, or another role with a partition number',
  next_offset UInt64 COMMENT 'First offset that is not in the state',
  state String COMMENT 'JSON' CODEC(ZSTD(3)),
  written DateTime64(6, 'UTC') COMMENT 'When; the newest stands'
)
ENGINE = ReplacingMergeTree(written)
ORDER BY owner
COMMENT 'State of owners of partitions'
