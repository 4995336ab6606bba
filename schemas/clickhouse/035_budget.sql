-- One row an hour: the budget of false alerts as it stood last; the newest stands.
CREATE TABLE IF NOT EXISTS {database}.budget (
  hour DateTime('UTC') COMMENT 'Hour of log time',
  at DateTime64(3, 'UTC') COMMENT 'Log time of this state',
  target_per_day Float64 COMMENT 'False alerts a day that chance may cause: incidents.budgetPerDay',
  threshold Float64 COMMENT 'A soft finding opens an incident at p at most this; 0 = no version judges yet',
  shift Float64 COMMENT 'Decades by which drift and operators moved it; at most half a one a day',
  drift Float64 COMMENT 'Realised over nominal share of unlikely segments, median of recent hours; 1 = as promised, or not known yet',
  drift_nominal Float64 COMMENT 'Nominal share at which it was measured; 0 = not yet',
  segments_per_day Float64 COMMENT 'Segments a day while the version learned',
  segments_last_day UInt64 COMMENT 'Segments judged in the last 24 hours',
  expected_last_day Float64 COMMENT 'False alerts that chance causes in a day like the last',
  soft_last_day UInt64 COMMENT 'Soft incidents opened in the last 24 hours, true ones included',
  benign_last_week UInt64 COMMENT 'Soft incidents of the last 7 days that operators expected',
  true_last_week UInt64 COMMENT 'Soft incidents of the last 7 days that operators judged bad'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY hour
TTL hour + toIntervalDay({incidentsTtlDays})
COMMENT 'Budget of false alerts: target and realised'
