-- What the responder resumes from: its state, together with the next offset of `findings` that the state does not include.
CREATE TABLE IF NOT EXISTS {database}.responder_snapshots (
  name LowCardinality(String) COMMENT 'Whose state',
  revision UInt64 COMMENT 'Milliseconds since the epoch when it was taken; the newest stands',
  next_offset UInt64 COMMENT 'First record of findings that is not in it',
  state String COMMENT 'JSON' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY name
COMMENT 'State of the responder'
