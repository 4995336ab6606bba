-- Spans, with the columns of the OTel Collector's ClickHouse exporter, so that what reads its table reads this one.
-- A replay is removed before it is inserted; the engine covers a crash between spans and verdicts (ARCHITECTURE
-- decision 8), the deduplication window an insert whose answer was lost. A trace's spans lie in as many granules as it has
-- operations, so granules of 2,048 rows, not 8,192, make a look-up by trace id 1.7 times as fast, and cost nothing that
-- was seen elsewhere (`npm run bench lookup`, docs/performance.md).
-- also stands for 3dfd0b955d5444e2791cda1b9bf08dacc6d2ce95bc026cafeaaf5f276f59f45b: granules of 8,192 rows, which a table that exists keeps
CREATE TABLE IF NOT EXISTS {database}.otel_traces (
  Timestamp DateTime64(9) COMMENT 'Start; clamped to the log-append time where the span''s own is out of range' CODEC(Delta(8), ZSTD(1)),
  TraceId String COMMENT '32 lowercase hex digits' CODEC(ZSTD(1)),
  SpanId String COMMENT '16 lowercase hex digits' CODEC(ZSTD(1)),
  ParentSpanId String COMMENT 'Empty for a root' CODEC(ZSTD(1)),
  TraceState String COMMENT 'W3C tracestate' CODEC(ZSTD(1)),
  SpanName LowCardinality(String) COMMENT 'Name as sent' CODEC(ZSTD(1)),
  SpanKind LowCardinality(String) COMMENT 'Server, Client, Internal, Producer, Consumer or Unspecified' CODEC(ZSTD(1)),
  ServiceName LowCardinality(String) COMMENT 'service.name of the resource' CODEC(ZSTD(1)),
  ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource, after redaction' CODEC(ZSTD(1)),
  ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
  ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
  SpanAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the span, after redaction' CODEC(ZSTD(1)),
  Duration UInt64 COMMENT 'Nanoseconds; 0 where the end lies before the start' CODEC(ZSTD(1)),
  StatusCode LowCardinality(String) COMMENT 'Unset, Ok or Error' CODEC(ZSTD(1)),
  StatusMessage String COMMENT 'Message of the status, after redaction' CODEC(ZSTD(1)),
  Events Nested (
    Timestamp DateTime64(9),
    Name LowCardinality(String),
    Attributes Map(LowCardinality(String), String)
  ) CODEC(ZSTD(1)),
  Links Nested (
    TraceId String,
    SpanId String,
    TraceState String,
    Attributes Map(LowCardinality(String), String)
  ) CODEC(ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(Timestamp)
PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), TraceId, SpanId)
TTL toDateTime(Timestamp) + toIntervalDay({spansTtlDays})
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
COMMENT 'Spans, in the table layout of the OTel Collector''s ClickHouse exporter'
