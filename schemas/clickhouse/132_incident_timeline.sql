-- What happened in an incident, in order: the evidence, how far it got, when it was noticed, whom it was told to.
CREATE OR REPLACE VIEW {database}.incident_timeline (
  incident_id String COMMENT 'Incident; one that was merged tells under the one that took it in',
  at DateTime64(3, 'UTC') COMMENT 'When',
  event Enum8('request' = 0, 'opened' = 1, 'merged' = 2, 'alert' = 3, 'delivery' = 4, 'closed' = 5, 'said' = 6, 'stage' = 7, 'actor' = 8, 'client' = 9, 'reopened' = 10, 'finding' = 11, 'decision' = 12) COMMENT 'What happened; merged: opened, and taken into this one later; said: by an operator; stage: it got so far; actor: abuse over many requests; client: another one did it too; finding: in a request that is not among the 20; decision: made about an actor of it, refused by a rail, or ended',
  what String COMMENT 'In words: the request''s match line, the incident''s title, the alert''s type, the delivery''s destination and state, …',
  service LowCardinality(String) COMMENT 'Service of the request or the opening finding; empty for alerts and deliveries',
  operation String COMMENT 'Operation of it',
  client_address String COMMENT 'External client; empty = unknown',
  trace_id String COMMENT 'Trace of a request; of up to 20 an incident names them',
  class LowCardinality(String) COMMENT 'Class of the incident: security, operational, telemetry or inventory',
  kind LowCardinality(String) COMMENT 'Kind of the finding that opened it',
  title String COMMENT 'The incident in one line'
)
AS
WITH
  i AS (
    SELECT *, if(state = 'merged', merged_into, id) AS story FROM {database}.incidents FINAL
  ),
  evidence AS (
    SELECT story, class, kind, title, arrayJoin(trace_ids) AS trace_id FROM i
  )
SELECT incident_id, at, CAST(event, 'Enum8(''request'' = 0, ''opened'' = 1, ''merged'' = 2, ''alert'' = 3, ''delivery'' = 4, ''closed'' = 5, ''said'' = 6, ''stage'' = 7, ''actor'' = 8, ''client'' = 9, ''reopened'' = 10, ''finding'' = 11, ''decision'' = 12)') AS event,
  what, service, operation, client_address, trace_id, class, kind, title
FROM (
  SELECT i.story AS incident_id, i.opened AS at, if(i.state = 'merged', 'merged', 'opened') AS event, i.title AS what, i.service AS service,
    toString(i.operation) AS operation, i.client_address AS client_address, '' AS trace_id, i.class AS class, i.kind AS kind, i.title AS title
  FROM i
  UNION ALL
  SELECT i.story, i.closed, 'closed', concat(toString(i.occurrences), ' occurrences in ', toString(i.trace_count), ' traces'), i.service,
    toString(i.operation), i.client_address, '', i.class, i.kind, i.title
  FROM i WHERE i.state = 'closed'
  UNION ALL
  SELECT i.story, t.1, toString(t.2), t.3, if(t.2 = 'decision', '', i.service), '', t.5, t.4, i.class, i.kind, i.title
  FROM i ARRAY JOIN arrayZip(`timeline.at`, `timeline.what`, `timeline.text`, `timeline.trace_id`, `timeline.client_address`) AS t
  WHERE i.state != 'merged'
    AND (t.2 IN ('stage', 'actor', 'client', 'reopened', 'decision') OR (t.2 = 'finding' AND NOT has(i.trace_ids, t.4)))
  UNION ALL
  SELECT e.story, v.start, 'request', v.match_text, v.service, toString(v.operation), v.client_address, v.trace_id, e.class, e.kind, e.title
  FROM (
    SELECT * FROM {database}.verdicts FINAL
    WHERE state = 'scored' AND (anomalous OR notEmpty(findings.kind)) AND trace_id IN (SELECT trace_id FROM evidence)
    SETTINGS do_not_merge_across_partitions_select_final = 1
  ) AS v
  INNER JOIN (SELECT DISTINCT story, class, kind, title, trace_id FROM evidence) AS e ON e.trace_id = v.trace_id
  UNION ALL
  SELECT i.story, a.created, 'alert', toString(a.type), '', '', '', '', i.class, i.kind, i.title
  FROM (SELECT * FROM {database}.alerts FINAL) AS a
  INNER JOIN i ON i.id = a.incident_id
  UNION ALL
  SELECT i.story, d.updated, 'delivery',
    concat(d.destination, ': ', toString(d.state), if(d.error = '', '', concat(', ', d.error)), ' (attempt ', toString(d.attempt), ')'),
    '', '', '', '', i.class, i.kind, i.title
  FROM (SELECT * FROM {database}.deliveries FINAL) AS d
  INNER JOIN (SELECT * FROM {database}.alerts FINAL) AS a ON a.id = d.alert_id
  INNER JOIN i ON i.id = a.incident_id
  UNION ALL
  SELECT i.story, c.at, 'decision', concat(c.what, ' for ', c.scope, ' ', c.value, ', ', c.target, ': ', c.reason), '', '',
    if(c.scope = 'ip', c.value, ''), '', i.class, i.kind, i.title
  FROM (
    SELECT incident_id, scope, value, target, reason, arrayJoin(arrayFilter(t -> t.1 <= now64(3), [
      (created, multiIf(state = 'refused', 'refused', state = 'simulated', 'simulated', 'decided')),
      (if(state = 'undone', undone, expires), multiIf(state = 'undone', concat('undone by ', undone_by), state = 'expired', 'expired', ''))])) AS t,
      t.1 AS at, t.2 AS what
    FROM {database}.decisions FINAL
  ) AS c
  INNER JOIN i ON i.id = c.incident_id
  WHERE c.what != ''
  UNION ALL
  SELECT i.story, s.said, 'said',
    concat(s.action, ' by ', s.said_by, if(s.comment = '', '', concat(': ', s.comment)), if(s.result = 'refused', ' (refused)', '')),
    '', '', '', '', i.class, i.kind, i.title
  FROM (SELECT * FROM {database}.incident_actions FINAL) AS s
  INNER JOIN i ON i.id = s.said_of
)
COMMENT 'Events of each incident in order of time: requests, stages, actors, opening, alerts, deliveries, decisions, words of operators, closing'
