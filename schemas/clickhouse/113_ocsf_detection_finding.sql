-- Incidents as events of the Open Cybersecurity Schema Framework: Detection Finding, version 1.5.0 (https://schema.ocsf.io/1.5.0/classes/detection_finding).
-- `event` is the whole of it in JSON, for whoever forwards it; the columns beside it have its names, objects as JSON.
CREATE OR REPLACE VIEW {database}.ocsf_detection_finding (
  category_uid UInt16 COMMENT '2, Findings',
  class_uid UInt16 COMMENT '2004, Detection Finding',
  activity_id UInt8 COMMENT '1 Create, 2 Update, 3 Close',
  type_uid UInt32 COMMENT 'class_uid * 100 + activity_id',
  severity_id UInt8 COMMENT '1 Informational: telemetry, inventory; 2 Low: operational; 3 Medium: chance may cause it; 4 High: near-certain; 5 Critical: it reached data, or risk is 80 or more',
  status_id UInt8 COMMENT '1 New, 2 In Progress: acknowledged or judged bad, 3 Suppressed: expected, 4 Resolved: closed, or it became part of another',
  confidence_id UInt8 COMMENT '3 High: near-certain by its kind, 2 Medium: chance may cause it',
  risk_level_id UInt8 COMMENT '0 Info, 1 Low from 20, 2 Medium from 40, 3 High from 60, 4 Critical from 80',
  risk_score UInt8 COMMENT '0 to 100, of its worst actor',
  is_alert Bool COMMENT 'About security, and open',
  time Int64 COMMENT 'When the finding was made, milliseconds since the epoch',
  start_time Int64 COMMENT 'First evidence',
  end_time Int64 COMMENT 'Last evidence',
  count UInt32 COMMENT 'Requests that showed it',
  message String COMMENT 'The incident in one line',
  finding_info String COMMENT 'JSON: uid, title, desc, types, times, kill_chain, attacks; related_events: the one that it became part of',
  anomaly_analyses String COMMENT 'JSON: anomalies (what was seen) beside baselines (what was expected)',
  evidences String COMMENT 'JSON: up to 20 requests, chosen to differ',
  resources String COMMENT 'JSON: services, databases, tables it reached',
  observables String COMMENT 'JSON: addresses and users',
  metadata String COMMENT 'JSON: schema version and product',
  event String COMMENT 'All of it as one JSON object',
  revision UInt64 COMMENT 'Grows with every change: what was forwarded before has a smaller one',
  written DateTime64(3, 'UTC') COMMENT 'When the row behind it was written'
)
AS
WITH
  -- technique, its name, tactic, its name (MITRE ATT&CK for Enterprise)
  map(
    'T1595', ('Active Scanning', 'TA0043', 'Reconnaissance'),
    'T1190', ('Exploit Public-Facing Application', 'TA0001', 'Initial Access'),
    'T1078', ('Valid Accounts', 'TA0001', 'Initial Access'),
    'T1059', ('Command and Scripting Interpreter', 'TA0002', 'Execution'),
    'T1110', ('Brute Force', 'TA0006', 'Credential Access'),
    'T1552', ('Unsecured Credentials', 'TA0006', 'Credential Access'),
    'T1210', ('Exploitation of Remote Services', 'TA0008', 'Lateral Movement'),
    'T1119', ('Automated Collection', 'TA0009', 'Collection'),
    'T1213', ('Data from Information Repositories', 'TA0009', 'Collection'),
    'T1090', ('Proxy', 'TA0011', 'Command and Control'),
    'T1041', ('Exfiltration Over C2 Channel', 'TA0010', 'Exfiltration'),
    'T1567', ('Exfiltration Over Web Service', 'TA0010', 'Exfiltration')
  ) AS techniques,
  -- tactic of a stage whose technique is not named
  map(
    'reconnaissance', ('TA0043', 'Reconnaissance'), 'probing', ('TA0001', 'Initial Access'), 'exploitation', ('TA0001', 'Initial Access'),
    'lateral-movement', ('TA0008', 'Lateral Movement'), 'access', ('TA0009', 'Collection'), 'exfiltration', ('TA0010', 'Exfiltration')
  ) AS tactics,
  map(
    'reconnaissance', (1, 'Reconnaissance'), 'probing', (3, 'Delivery'), 'exploitation', (4, 'Exploitation'),
    'lateral-movement', (7, 'Actions on Objectives'), 'access', (7, 'Actions on Objectives'), 'exfiltration', (7, 'Actions on Objectives')
  ) AS phases,
  -- one that became part of another ends: whoever forwarded it has to hear of that
  told AS (
    SELECT id, revision, state, merged_into, class, kind, explanation_key, service, operation, title, match_text, client_address, clients, users, services,
      start, end, opened, closed, trace_count, occurrences, version, findings, written, hard, risk, risk_reasons, `stages.stage`, `stages.technique`,
      `evidence.trace_id`, `evidence.span_id`, `evidence.kind`, `evidence.service`, `evidence.operation`, `evidence.client_address`, `evidence.at`,
      reached, tables, toString(review) AS review, reviewed, review_comment
    FROM {database}.incidents_latest
    UNION ALL
    SELECT id, revision, state, merged_into, class, kind, explanation_key, service, operation, title, match_text, client_address, clients, users, services,
      start, end, opened, closed, trace_count, occurrences, version, findings, written, hard, risk, risk_reasons, `stages.stage`, `stages.technique`,
      `evidence.trace_id`, `evidence.span_id`, `evidence.kind`, `evidence.service`, `evidence.operation`, `evidence.client_address`, `evidence.at`,
      reached, tables, '' AS review, toDateTime64(0, 3, 'UTC') AS reviewed, '' AS review_comment
    FROM (SELECT * FROM {database}.incidents FINAL WHERE state = 'merged')
  ),
  i AS (
    SELECT *,
      toUInt8(multiIf(state != 'open', 3, revision <= 1 OR (trace_count <= 1 AND occurrences <= 1), 1, 2)) AS activity,
      toUInt8(multiIf(state = 'expected' OR review = 'expected', 3, state IN ('closed', 'merged') OR review = 'resolved', 4, review IN ('acknowledged', 'bad'), 2, 1)) AS status,
      toUInt8(multiIf(class IN ('telemetry', 'inventory'), 1, class = 'operational', 2, NOT hard AND risk < 80, 3,
        risk >= 80 OR hasAny(`stages.stage`, ['access', 'exfiltration']), 5, 4)) AS severity_is,
      toUInt8(least(100, greatest(0, round(risk)))) AS score,
      toUInt8(multiIf(score >= 80, 4, score >= 60, 3, score >= 40, 2, score >= 20, 1, 0)) AS level,
      arrayMap(f -> (JSONExtractString(f, 'kind'), JSONExtractString(f, 'explanationKey'), JSONExtractString(f, 'service'),
        JSONExtractString(f, 'operation'), JSONExtractString(f, 'parameter'), JSONExtractString(f, 'expected'),
        JSONExtractString(f, 'seen'), greatest(1, JSONExtractUInt(f, 'count'))), JSONExtractArrayRaw(findings)) AS found
    FROM told
  ),
  parts AS (
    SELECT *,
      -- an object of the parts that are there
      arrayStringConcat(arrayDistinct(arrayMap(stage -> concat('{"phase_id":', toString(phases[stage].1), ',"phase":', toJSONString(phases[stage].2), '}'),
        arrayFilter(stage -> mapContains(phases, stage), `stages.stage`))), ',') AS kill_chain,
      arrayStringConcat(arrayDistinct(arrayMap((stage, technique) -> concat('{"tactic":{"uid":',
          toJSONString(if(mapContains(techniques, substring(technique, 1, 5)), techniques[substring(technique, 1, 5)].2, tactics[stage].1)), ',"name":',
          toJSONString(if(mapContains(techniques, substring(technique, 1, 5)), techniques[substring(technique, 1, 5)].3, tactics[stage].2)), '}',
          if(technique = '', '', concat(',"technique":{"uid":', toJSONString(substring(technique, 1, 5)),
            if(mapContains(techniques, substring(technique, 1, 5)), concat(',"name":', toJSONString(techniques[substring(technique, 1, 5)].1)), ''), '}')),
          if(length(technique) > 5, concat(',"sub_technique":{"uid":', toJSONString(technique), '}'), ''), '}'),
        arrayMap(s -> toString(s), `stages.stage`), arrayMap(t -> toString(t), `stages.technique`))), ',') AS attacks,
      concat('{"uid":', toJSONString(id), ',"title":', toJSONString(title), ',"desc":', toJSONString(match_text),
        ',"types":', toJSONString([toString(class), toString(kind)]),
        ',"created_time":', toString(toUnixTimestamp64Milli(opened)), ',"modified_time":', toString(toUnixTimestamp64Milli(greatest(opened, closed, reviewed))),
        ',"first_seen_time":', toString(toUnixTimestamp64Milli(start)), ',"last_seen_time":', toString(toUnixTimestamp64Milli(end)),
        ',"analytic":{"type_id":2,"type":"Behavioral","uid":', toJSONString(toString(kind)), ',"name":', toJSONString(explanation_key),
          ',"version":', toJSONString(toString(version)), '}',
        if(merged_into = '', '', concat(',"related_events":[{"uid":', toJSONString(merged_into), ',"type_uid":200402,"type":"Detection Finding: Update"}]')),
        if(empty(kill_chain), '', concat(',"kill_chain":[', kill_chain, ']')), if(empty(attacks), '', concat(',"attacks":[', attacks, ']')), '}') AS finding_info,
      concat('[{"analysis_targets":[{"type":"API operation","name":', toJSONString(concat(service, ' ', operation)), '}',
          if(client_address = '', '', concat(',{"type":"client","name":', toJSONString(client_address), '}')),
        '],"anomalies":[', arrayStringConcat(arrayMap(f -> concat('{"observation_type":', toJSONString(f.1), ',"observation_parameter":',
            toJSONString(concat(f.3, ' ', f.4, if(f.5 = '', '', concat(' ', f.5)), ': ', f.2)),
            ',"observations":[{"value":', toJSONString(f.7), ',"count":', toString(f.8), '}],"observed_pattern":', toJSONString(f.7), '}'), found), ','),
        '],"baselines":[', arrayStringConcat(arrayMap(f -> concat('{"observation_type":', toJSONString(f.1), ',"observation_parameter":',
            toJSONString(concat(f.3, ' ', f.4, if(f.5 = '', '', concat(' ', f.5)), ': ', f.2)),
            ',"observations":[{"value":', toJSONString(f.6), '}],"observed_pattern":', toJSONString(f.6), '}'), found), ','), ']}]') AS analyses,
      concat('[', arrayStringConcat(arrayMap((trace, span, kind_of, by, op, address, at) -> concat('{"uid":', toJSONString(trace), ',"name":', toJSONString(toString(kind_of)),
          ',"api":{"operation":', toJSONString(op), ',"service":{"name":', toJSONString(toString(by)), '}}',
          if(isIPv4String(address) OR isIPv6String(address), concat(',"src_endpoint":{"ip":', toJSONString(address), '}'), ''),
          ',"data":{"trace_id":', toJSONString(trace), ',"span_id":', toJSONString(span), ',"time":', toString(toUnixTimestamp64Milli(at)), '}}'),
        `evidence.trace_id`, `evidence.span_id`, `evidence.kind`, `evidence.service`, `evidence.operation`, `evidence.client_address`, `evidence.at`), ','), ']') AS shown,
      concat('[', arrayStringConcat(arrayConcat(
          arrayMap(name -> concat('{"type":"service","name":', toJSONString(name), '}'), arrayDistinct(arrayConcat(arrayMap(s -> toString(s), services), reached))),
          arrayMap(name -> concat('{"type":"table","name":', toJSONString(name), '}'), tables)), ','), ']') AS things,
      concat('[', arrayStringConcat(arrayConcat(
          -- the name of one is the attribute that has it: a request that shows no user, or not this address, is none
          arrayMap(address -> concat('{"type_id":2,"type":"IP Address"', if(has(`evidence.client_address`, address), ',"name":"evidences[].src_endpoint.ip"', ''),
              ',"value":', toJSONString(address), '}'),
            arrayFilter(address -> isIPv4String(address) OR isIPv6String(address), clients)),
          arrayMap(name -> concat('{"type_id":4,"type":"User Name","value":', toJSONString(name), '}'), users)), ','), ']') AS noticed,
      concat('{"version":"1.5.0","product":{"name":"Spanwarden","vendor_name":"Spanwarden"},"uid":', toJSONString(id), '}') AS meta,
      ['Unknown', 'Create', 'Update', 'Close'][activity + 1] AS activity_name,
      ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical'][severity_is + 1] AS severity_name,
      ['Unknown', 'New', 'In Progress', 'Suppressed', 'Resolved'][status + 1] AS status_name,
      ['Info', 'Low', 'Medium', 'High', 'Critical'][level + 1] AS level_name,
      if(hard, 3, 2) AS sure,
      CAST(class = 'security' AND state = 'open', 'Bool') AS alert
    FROM i
  )
SELECT 2 AS category_uid, 2004 AS class_uid, activity AS activity_id, 200400 + activity AS type_uid, severity_is AS severity_id, status AS status_id,
  sure AS confidence_id, level AS risk_level_id, score AS risk_score, alert AS is_alert,
  toUnixTimestamp64Milli(opened) AS time, toUnixTimestamp64Milli(start) AS start_time, toUnixTimestamp64Milli(end) AS end_time,
  toUInt32(least(trace_count, 2147483647)) AS count, title AS message, finding_info, analyses AS anomaly_analyses, shown AS evidences, things AS resources,
  noticed AS observables, meta AS metadata,
  concat('{"category_uid":2,"category_name":"Findings","class_uid":2004,"class_name":"Detection Finding","activity_id":', toString(activity),
    ',"activity_name":', toJSONString(activity_name), ',"type_uid":', toString(200400 + activity), ',"type_name":', toJSONString(concat('Detection Finding: ', activity_name)),
    ',"severity_id":', toString(severity_is), ',"severity":', toJSONString(severity_name), ',"status_id":', toString(status), ',"status":', toJSONString(status_name),
    ',"confidence_id":', toString(sure), ',"confidence":', if(hard, '"High"', '"Medium"'),
    ',"risk_score":', toString(score), ',"risk_level_id":', toString(level), ',"risk_level":', toJSONString(level_name),
    if(empty(risk_reasons), '', concat(',"risk_details":', toJSONString(arrayStringConcat(risk_reasons, '; ')))),
    ',"is_alert":', if(alert, 'true', 'false'), ',"time":', toString(toUnixTimestamp64Milli(opened)), ',"start_time":', toString(toUnixTimestamp64Milli(start)),
    ',"end_time":', toString(toUnixTimestamp64Milli(end)), ',"count":', toString(least(trace_count, 2147483647)), ',"message":', toJSONString(title),
    if(review_comment = '', '', concat(',"comment":', toJSONString(review_comment))),
    ',"finding_info":', finding_info, ',"anomaly_analyses":', analyses, ',"evidences":', shown, ',"resources":', things, ',"observables":', noticed,
    ',"metadata":', meta, '}') AS event, revision, written
FROM parts
COMMENT 'Incidents as OCSF Detection Findings (class 2004, schema 1.5.0), one row each as it stands; one that became part of another is closed'
