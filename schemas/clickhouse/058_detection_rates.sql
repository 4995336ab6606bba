-- Does p keep its promise? Nominal beside realised share of unlikely segments, by hour and version.
CREATE OR REPLACE VIEW {database}.detection_rates (
  hour DateTime('UTC') COMMENT 'Hour of the log-append time',
  version LowCardinality(String) COMMENT 'Baseline version that judged',
  nominal Float64 COMMENT 'Share of normal segments that p promises to be at most this',
  segments UInt64 COMMENT 'Segments judged',
  below UInt64 COMMENT 'Of these, with p at most nominal',
  hard UInt64 COMMENT 'Of those, with a finding that is near-certain by its kind: told by themselves',
  realised Float64 COMMENT 'Share with p at most nominal, without the near-certain ones',
  ratio Float64 COMMENT 'Realised over nominal; 1 = as promised, above = attacks, change or drift',
  target_per_day Float64 COMMENT 'False alerts a day that chance may cause, in that hour; 0 = not known',
  threshold Float64 COMMENT 'p at which a soft finding opened an incident in that hour; 0 = not known',
  expected_per_day Float64 COMMENT 'False alerts that chance causes in a day like the last, in that hour; 0 = not known'
)
AS SELECT j.hour AS hour, j.version AS version, n.1 AS nominal, j.segments AS segments, n.2 AS below, n.3 AS hard,
  (n.2 - n.3) / j.segments AS realised, realised / nominal AS ratio, b.target_per_day AS target_per_day, b.threshold AS threshold,
  b.expected_last_day AS expected_per_day
FROM (SELECT * FROM {database}.judged_hours FINAL WHERE segments > 0) AS j
LEFT JOIN (SELECT * FROM {database}.budget FINAL) AS b ON b.hour = j.hour
ARRAY JOIN arrayZip([0.01, 0.001, 0.0001], j.below, j.hard) AS n
COMMENT 'Nominal beside realised rate of unlikely segments, by hour and version'
