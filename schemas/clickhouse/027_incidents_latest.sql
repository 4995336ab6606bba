-- The incidents as they stand, with the last word of an operator on their present occurrence. What was said since they were last
-- reopened counts; a judgement (expected, bad) outweighs what was acknowledged or resolved after it.
CREATE OR REPLACE VIEW {database}.incidents_latest (
  id String COMMENT 'Equal over replays',
  revision UInt64 COMMENT 'Grows with every change',
  state Enum8('open' = 0, 'closed' = 1, 'merged' = 2, 'expected' = 3) COMMENT 'Where it stands; expected: an operator ended it so',
  merged_into String COMMENT 'Always empty here',
  class LowCardinality(String) COMMENT 'security, operational, telemetry or inventory',
  kind LowCardinality(String) COMMENT 'Kind of the finding that opened it; release: what a new version of a service brought',
  explanation_key String COMMENT 'What of that kind',
  entity String COMMENT 'Client address, or service and operation, or service@version',
  service LowCardinality(String) COMMENT 'Service of the opening finding',
  operation LowCardinality(String) COMMENT 'Operation of the opening finding',
  title String COMMENT 'One line for people',
  match_text String COMMENT 'Match line of the worst verdict',
  severity Float64 COMMENT 'Largest severity; uncapped',
  p Float64 COMMENT 'Smallest p among its verdicts',
  client_address String COMMENT 'First known client; empty = unknown',
  client_confidence LowCardinality(String) COMMENT 'high, medium, low or none',
  client String COMMENT 'Client record, JSON',
  clients Array(String) COMMENT 'Every known client, the first one first; at most 64',
  users Array(String) COMMENT 'Users, where known',
  services Array(LowCardinality(String)) COMMENT 'Services its findings lie in',
  start DateTime64(3, 'UTC') COMMENT 'First evidence',
  end DateTime64(3, 'UTC') COMMENT 'Last evidence',
  opened DateTime64(3, 'UTC') COMMENT 'Log-append time of the first finding',
  closed DateTime64(3, 'UTC') COMMENT 'When it closed; 1970 while open',
  trace_count UInt64 COMMENT 'Distinct traces',
  trace_ids Array(String) COMMENT 'Up to 20 of them',
  occurrences UInt64 COMMENT 'How often it was open',
  version LowCardinality(String) COMMENT 'Baseline version of its verdicts',
  findings String COMMENT 'Findings with what was expected and seen, JSON',
  written DateTime64(3, 'UTC') COMMENT 'When this row was written',
  release String COMMENT 'service@version that brought it; empty otherwise',
  hard Bool COMMENT 'Near-certain by its kind; otherwise chance may cause it, and the budget counts it',
  review Enum8('new' = 0, 'acknowledged' = 1, 'resolved' = 2, 'expected' = 3, 'bad' = 4) COMMENT 'What operators said of it',
  reviewed_by String COMMENT 'Who said it; empty = nobody yet',
  reviewed DateTime64(3, 'UTC') COMMENT 'When; 1970 = nobody yet',
  review_comment String COMMENT 'In their words',
  edit_id String COMMENT 'Edit of the baseline made with it; empty without'
)
AS
WITH words AS (
  SELECT incident_id,
    arraySort(w -> w.1, groupArray((taken, toString(action), said_by, said, comment, occurrence, edit_id))) AS said_all,
    arraySlice(said_all, arrayLastIndex(w -> w.2 = 'reopen', said_all) + 1) AS since,
    arrayLast(w -> w.2 IN ('expect-once', 'expect-always', 'bad'), since) AS judged,
    if(judged.2 = '', arrayLast(w -> true, said_all), judged) AS word
  FROM (SELECT * FROM {database}.incident_actions FINAL WHERE result != 'refused')
  GROUP BY incident_id
),
known AS (
  SELECT i.*, w.word AS word, w.incident_id != '' AND (w.word.6 = 0 OR w.word.6 = i.occurrences) AS has_word,
    multiIf(NOT has_word, 'new', w.word.2 = 'acknowledge', 'acknowledged', w.word.2 = 'resolve', 'resolved', w.word.2 = 'bad', 'bad',
      w.word.2 IN ('expect-once', 'expect-always'), 'expected', 'new') AS said_is
  FROM (SELECT * FROM {database}.incidents FINAL WHERE state != 'merged') AS i
  LEFT JOIN words AS w ON w.incident_id = i.id
)
SELECT id, revision,
  CAST(if(state = 'closed' AND said_is = 'expected', 'expected', toString(state)), 'Enum8(''open'' = 0, ''closed'' = 1, ''merged'' = 2, ''expected'' = 3)') AS state,
  merged_into, class, kind, explanation_key, entity, service, operation, title, match_text, severity, p, client_address, client_confidence,
  client, clients, users, services, start, end, opened, closed, trace_count, trace_ids, occurrences, version, findings, written, release, hard,
  CAST(said_is, 'Enum8(''new'' = 0, ''acknowledged'' = 1, ''resolved'' = 2, ''expected'' = 3, ''bad'' = 4)') AS review,
  if(has_word, word.3, '') AS reviewed_by,
  if(has_word, word.4, toDateTime64(0, 3, 'UTC')) AS reviewed,
  if(has_word, word.5, '') AS review_comment,
  if(has_word, word.7, '') AS edit_id
FROM known
COMMENT 'Newest revision of each incident and what operators said of it, without those merged into others'
