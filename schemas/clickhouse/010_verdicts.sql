-- One row a segment and revision; the newest revision stands (FINAL, or verdicts_latest). The sorting and partition keys
-- come from the id alone: an amendment may change anything else, and must still meet the row it replaces.
CREATE TABLE IF NOT EXISTS {database}.verdicts (
  day Date COMMENT 'Log-append day of the segment''s first record, as the id says' CODEC(ZSTD(1)),
  id String COMMENT 'YYYYMMDD-<trace id>-<entry span id>' CODEC(ZSTD(1)),
  revision UInt64 COMMENT 'Grows with every amendment' CODEC(ZSTD(1)),
  trace_id String COMMENT '32 lowercase hex digits' CODEC(ZSTD(1)),
  entry_span_id String COMMENT 'Span that the segment hangs under' CODEC(ZSTD(1)),
  partition UInt32 COMMENT 'Log partition of the spans' CODEC(ZSTD(1)),
  first_offset UInt64 COMMENT 'Offset of the segment''s first record in it' CODEC(Delta(8), ZSTD(1)),
  appended DateTime64(3, 'UTC') COMMENT 'Log-append time of that record' CODEC(Delta(8), ZSTD(1)),
  stage Enum8('provisional' = 0, 'closed' = 1, 'absence judged' = 2, 'withdrawn' = 3) COMMENT 'How final it is',
  state Enum8('learning' = 0, 'scored' = 1, 'withdrawn' = 2) COMMENT 'learning: no baseline yet; withdrawn: its spans joined another segment',
  version LowCardinality(String) COMMENT 'Baseline version it was scored by; empty while learning',
  asynchronous Bool COMMENT 'Work behind a queue or batch',
  service LowCardinality(String) COMMENT 'Service of the entry span',
  operation LowCardinality(String) COMMENT 'Operation of the entry span',
  start DateTime64(3, 'UTC') COMMENT 'Start of the entry span' CODEC(Delta(8), ZSTD(1)),
  end DateTime64(3, 'UTC') COMMENT 'Latest end of a span' CODEC(Delta(8), ZSTD(1)),
  span_count UInt32 COMMENT 'Distinct spans',
  truncated Bool COMMENT 'A cap cut spans off',
  score Float64 COMMENT '−log10 p + 0.01 · min(severity, 99); higher = more anomalous' CODEC(ZSTD(1)),
  p Float64 COMMENT 'Calibrated probability under normal; 1 while learning' CODEC(ZSTD(1)),
  anomalous Bool COMMENT 'p ≤ alpha',
  p_structure Float64 COMMENT 'Re-ranked p of the group' CODEC(ZSTD(1)),
  p_timing Float64 COMMENT 'Re-ranked p of the group' CODEC(ZSTD(1)),
  p_parameters Float64 COMMENT 'Re-ranked p of the group' CODEC(ZSTD(1)),
  p_status Float64 COMMENT 'Re-ranked p of the group' CODEC(ZSTD(1)),
  matched Bool COMMENT 'False: no baseline to hold it against; the match_ columns are empty',
  match_family LowCardinality(String) COMMENT 'Entry operation of the best match',
  match_signature LowCardinality(String) COMMENT 'Signature of the best match',
  match_version LowCardinality(String) COMMENT 'Version that holds it',
  match_learned_from UInt64 COMMENT 'Segments the signature was learned from',
  match_similarity_structure Float64 COMMENT '0…1, 1 = inside the baseline' CODEC(ZSTD(1)),
  match_similarity_timing Float64 COMMENT '0…1' CODEC(ZSTD(1)),
  match_similarity_parameters Float64 COMMENT '0…1' CODEC(ZSTD(1)),
  match_threshold_structure Float64 COMMENT 'Similarity below it is outside the baseline' CODEC(ZSTD(1)),
  match_threshold_timing Float64 COMMENT 'Similarity below it is outside the baseline' CODEC(ZSTD(1)),
  match_threshold_parameters Float64 COMMENT 'Similarity below it is outside the baseline' CODEC(ZSTD(1)),
  match_deviation_structure Float64 COMMENT '(1 − similarity) / (1 − threshold)' CODEC(ZSTD(1)),
  match_deviation_timing Float64 COMMENT '(1 − similarity) / (1 − threshold)' CODEC(ZSTD(1)),
  match_deviation_parameters Float64 COMMENT '(1 − similarity) / (1 − threshold)' CODEC(ZSTD(1)),
  match_deviation_max Float64 COMMENT 'The largest; above 1 = outside the baseline' CODEC(ZSTD(1)),
  match_worst LowCardinality(String) COMMENT 'Component of the largest deviation',
  match_exact Bool COMMENT 'False: the tree edit was cut short by its budget',
  match_unseen_entry Bool COMMENT 'The entry operation was never learned',
  match_text String COMMENT 'The match in one sentence' CODEC(ZSTD(1)),
  client_address String COMMENT 'External client; empty = unknown' CODEC(ZSTD(1)),
  client_source LowCardinality(String) COMMENT 'peer, forwarded, x-forwarded-for, header, client.address, origin or none',
  client_confidence LowCardinality(String) COMMENT 'high, medium, low or none',
  client_reason LowCardinality(String) COMMENT 'Why it is unknown or uncertain',
  client_hops Array(String) COMMENT 'Trusted hops walked over, nearest first' CODEC(ZSTD(1)),
  client_entry_trace_id String COMMENT 'Trace in which the client was found' CODEC(ZSTD(1)),
  client_entry_span_id String COMMENT 'Span at which the client was found' CODEC(ZSTD(1)),
  client_user String COMMENT 'User, where known' CODEC(ZSTD(1)),
  client_session String COMMENT 'Session, after redaction' CODEC(ZSTD(1)),
  origin_state LowCardinality(String) COMMENT 'none, pending, known or unknown: clients across links',
  origin_addresses Array(String) COMMENT 'Clients across links' CODEC(ZSTD(1)),
  origins String COMMENT 'Client records across links, JSON' CODEC(ZSTD(1)),
  findings Nested (
    kind LowCardinality(String),
    model_group LowCardinality(String),
    hard Bool,
    evidence LowCardinality(String),
    explanation_key String,
    service LowCardinality(String),
    operation LowCardinality(String),
    span_id String,
    parameter LowCardinality(String),
    expected String,
    seen String,
    support UInt64,
    severity Float64,
    p Float64,
    share Float64,
    candidate Bool,
    start DateTime64(3, 'UTC'),
    end DateTime64(3, 'UTC')
  ) CODEC(ZSTD(1)),
  INDEX idx_trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_client client_address TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_score score TYPE minmax GRANULARITY 1,
  PROJECTION by_time (
    SELECT day, start, id, revision, trace_id, state, service, operation, anomalous, p, score, match_deviation_max, client_address, span_count
    ORDER BY start
  ),
  PROJECTION by_offset (
    SELECT day, partition, first_offset, id, revision, trace_id, span_count
    ORDER BY (partition, first_offset)
  )
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY day
ORDER BY id
TTL day + toIntervalDay({verdictsTtlDays})
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild'
COMMENT 'Verdicts: how each segment of a trace compares with the baseline'
