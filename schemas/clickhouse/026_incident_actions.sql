-- One row a word of an operator on an incident, as the responder took it.
CREATE TABLE IF NOT EXISTS {database}.incident_actions (
  incident_id String COMMENT 'Incident it is about; of a merged one the incident that took it in' CODEC(ZSTD(1)),
  said_of String COMMENT 'Incident that the operator named' CODEC(ZSTD(1)),
  occurrence UInt64 COMMENT 'Occurrence of the incident it is about; 0 = the responder held it no more',
  action LowCardinality(String) COMMENT 'acknowledge, resolve, reopen, expect-once, expect-always or bad',
  said_by String COMMENT 'Who said it' CODEC(ZSTD(1)),
  comment String COMMENT 'In their words' CODEC(ZSTD(1)),
  edit_id String COMMENT 'Edit of the baseline made with it; empty without' CODEC(ZSTD(1)),
  said DateTime64(3, 'UTC') COMMENT 'When it was said',
  taken DateTime64(3, 'UTC') COMMENT 'Log-append time: the order in which words count',
  result LowCardinality(String) COMMENT 'taken; unknown: not held any more; refused: the incident was judged bad and cannot be expected'
)
ENGINE = ReplacingMergeTree
ORDER BY (said_of, said, action, said_by)
TTL toDateTime(taken) + toIntervalDay({incidentsTtlDays})
COMMENT 'What operators said of incidents'
