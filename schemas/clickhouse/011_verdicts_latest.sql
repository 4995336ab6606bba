-- The verdicts that stand.
CREATE VIEW IF NOT EXISTS {database}.verdicts_latest
AS SELECT * FROM {database}.verdicts FINAL WHERE state != 'withdrawn'
COMMENT 'Newest revision of each verdict, without withdrawn ones'
