-- What is known of an actor over many requests, one row an episode: the newest revision stands.
CREATE TABLE IF NOT EXISTS {database}.actors (
  id String COMMENT 'Hash of subject, abuse and when it began; equal over replays',
  revision UInt32 COMMENT 'Grows with every change',
  subject Enum8('client' = 0, 'user' = 1, 'network' = 2, 'account' = 3, 'everyone' = 4) COMMENT 'What kind of actor; network: a /24 or /64; account: one that others try to sign in to',
  key String COMMENT 'Address, user, network or account, after redaction; of everyone: empty, or what a notice is about',
  abuse LowCardinality(String) COMMENT 'Kind of abuse over its bound; attribution: a notice about our own configuration; empty: what was found of it, nothing over a bound',
  evidence Float64 COMMENT 'log10 of the e-process',
  bound Float64 COMMENT 'log10 of what it has to pass',
  risk UInt8 COMMENT '0 to 100 at the time of the row; halves in hours (address) or days (user)',
  reasons Array(String) COMMENT 'Why, the weightiest first',
  stages Nested(
    stage LowCardinality(String),
    technique LowCardinality(String),
    by LowCardinality(String),
    first DateTime64(3, 'UTC'),
    last DateTime64(3, 'UTC'),
    count UInt32
  ) COMMENT 'Stages of the kill chain in order of first evidence, with the technique of MITRE ATT&CK',
  client_address String COMMENT 'Whom to name; empty = nobody can be named',
  client String COMMENT 'Client record, JSON',
  clients Array(String) COMMENT 'Others that took part, at most 64',
  client_count UInt64 COMMENT 'Distinct ones, estimated',
  users Array(String) COMMENT 'Users it acted as',
  accounts Array(String) COMMENT 'Accounts it tried',
  facts_users UInt32 COMMENT 'Distinct users seen behind the address lately, estimated',
  facts_requests Float64 COMMENT 'Requests lately, weighted by sampling',
  facts_misattributed Bool COMMENT 'Our own configuration names the wrong client here: neither to be blamed nor blocked',
  first_seen DateTime64(3, 'UTC') COMMENT 'First request ever',
  service LowCardinality(String) COMMENT 'Entry service most of it went to',
  operation String COMMENT 'Operation most of it went to',
  expected String COMMENT 'What actors of its class do',
  seen String COMMENT 'What it did',
  trace_ids Array(String) COMMENT 'Up to 20, the evidence',
  start DateTime64(3, 'UTC') COMMENT 'First evidence',
  end DateTime64(3, 'UTC') COMMENT 'Last evidence',
  told DateTime64(3, 'UTC') COMMENT 'Log-append time of the event that made the row'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY id
TTL toDateTime(told) + toIntervalDay({incidentsTtlDays})
COMMENT 'Actors over many requests'
