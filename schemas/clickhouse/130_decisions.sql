-- One row a decision and revision; the newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.decisions (
  id String COMMENT 'Equal over replays' CODEC(ZSTD(1)),
  number UInt32 COMMENT 'For CrowdSec bouncers: unique among those in force',
  revision UInt64 COMMENT 'Grows with every change',
  incident_id String COMMENT 'Incident that it was made for' CODEC(ZSTD(1)),
  scope LowCardinality(String) COMMENT 'ip, range or user',
  value String COMMENT 'Address, range or user' CODEC(ZSTD(1)),
  target LowCardinality(String) COMMENT 'everything, operations or reduced-rights',
  type LowCardinality(String) COMMENT 'What bouncers are told to do: ban or captcha',
  operations Array(String) COMMENT 'Operations it is about, for target operations' CODEC(ZSTD(1)),
  state LowCardinality(String) COMMENT 'simulated, enforced, refused, undone or expired',
  reason String COMMENT 'Why it was made: rule and title of the incident; of a refused one, what stood against it' CODEC(ZSTD(1)),
  scenario LowCardinality(String) COMMENT 'Kind of the incident',
  risk UInt8 COMMENT 'Of the actor, 0…100',
  created DateTime64(3, 'UTC') COMMENT 'Log time at which it was made',
  expires DateTime64(3, 'UTC') COMMENT 'When it ends by itself',
  undone_by String COMMENT 'Who lifted it; spanwarden: a rail, or an incident that was none' CODEC(ZSTD(1)),
  undone DateTime64(3, 'UTC') COMMENT 'When it was lifted; 1970 = it was not',
  matched UInt64 COMMENT 'Requests that it met or would have met, counted when it ended; while it is in force `spanwarden decisions` counts them',
  matched_ordinary UInt64 COMMENT 'Of these, ones without any finding',
  written DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(written) + toIntervalDay({incidentsTtlDays})
COMMENT 'Decisions about actors: what was asked of enforcement, or would have been'
