-- Days that are over, as the hourly check left them: no row of otel_traces is in them twice.
CREATE TABLE IF NOT EXISTS {database}.closed_days (
  day Date COMMENT 'Day (UTC) of the spans'' start: a partition of otel_traces',
  checked DateTime64(3, 'UTC') COMMENT 'When it was checked; the newest check stands',
  rows UInt64 COMMENT 'Rows after it',
  duplicates UInt64 COMMENT 'Rows it removed, all checks of the day together',
  took_ms UInt64 COMMENT 'How long the last check took, removal included'
)
ENGINE = ReplacingMergeTree(checked)
ORDER BY day
TTL day + toIntervalDay({verdictsTtlDays})
COMMENT 'Closed days of otel_traces and the duplicates removed from them'
