-- What operators ask of the trainer (roll-back, import, resume), with its answer. The newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.baseline_requests (
  id String COMMENT 'Of the request: the same asked twice is one' CODEC(ZSTD(1)),
  revision UInt64 COMMENT 'Grows with every answer; 0 when it was asked',
  kind LowCardinality(String) COMMENT 'roll-back, import or resume',
  version String COMMENT 'Version it is about' CODEC(ZSTD(1)),
  force Bool COMMENT 'Of an import: without waiting for own traffic',
  forget Bool COMMENT 'Of a resume: what was counted before is forgotten',
  manifest String COMMENT 'Of an import: facts of the version as it came, JSON' CODEC(ZSTD(3)),
  by String COMMENT 'Who asks' CODEC(ZSTD(1)),
  comment String COMMENT 'Why' CODEC(ZSTD(1)),
  asked DateTime64(3, 'UTC') COMMENT 'When',
  state LowCardinality(String) COMMENT 'open, confirming, done or refused',
  message String COMMENT 'How far it is, or why it was refused' CODEC(ZSTD(1)),
  result String COMMENT 'Version that was made for it' CODEC(ZSTD(1)),
  answered DateTime64(3, 'UTC') COMMENT 'When this changed'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(answered) + toIntervalDay({baselinesTtlDays})
COMMENT 'What operators ask of the trainer, with its answer'
