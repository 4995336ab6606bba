-- Operators' edits of the baseline: every revision is an event that is kept. The newest of an id stands.
CREATE TABLE IF NOT EXISTS {database}.baseline_edits (
  id String COMMENT 'Of the edit, over all its revisions' CODEC(ZSTD(1)),
  revision UInt32 COMMENT '1, 2, …',
  supersedes UInt32 COMMENT 'Revision that it replaces, 0 for the first',
  state LowCardinality(String) COMMENT 'learning (a draft), approved, pinned, blocked or retired',
  owner String COMMENT 'Who answers for it' CODEC(ZSTD(1)),
  by String COMMENT 'Who wrote this revision' CODEC(ZSTD(1)),
  at DateTime64(3, 'UTC') COMMENT 'When this revision was written',
  expires DateTime64(3, 'UTC') COMMENT 'No longer in force from then on; 1970 = never ends',
  comment String COMMENT 'Why' CODEC(ZSTD(1)),
  entry String COMMENT 'Holds for requests that enter by this operation; empty: for all' CODEC(ZSTD(1)),
  summary String COMMENT 'What it says, in words' CODEC(ZSTD(1)),
  incident_id String COMMENT 'Incident it was made for; empty without' CODEC(ZSTD(1)),
  document String COMMENT 'The whole of it, JSON' CODEC(ZSTD(3)),
  preview String COMMENT 'What it would have changed over the last day when it was written, JSON; empty when not known' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY (id, revision)
COMMENT 'Operators'' edits of the baseline, every revision'
