-- When each trace was: the first step of a look-up by trace id (Grafana's data source uses it). Several rows a trace: take min and max.
CREATE TABLE IF NOT EXISTS {database}.otel_traces_trace_id_ts (
  TraceId String COMMENT '32 lowercase hex digits' CODEC(ZSTD(1)),
  Start DateTime COMMENT 'Earliest span start of one insert' CODEC(Delta(4), ZSTD(1)),
  End DateTime COMMENT 'Latest span start of one insert' CODEC(Delta(4), ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start, End)
TTL Start + toIntervalDay({spansTtlDays})
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
COMMENT 'Time range of each trace, for look-up by trace id'
