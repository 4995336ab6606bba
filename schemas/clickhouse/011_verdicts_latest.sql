-- The verdicts that stand.
CREATE OR REPLACE VIEW {database}.verdicts_latest
AS SELECT * FROM {database}.verdicts FINAL WHERE state != 'withdrawn'
COMMENT 'Newest revision of each verdict, without withdrawn ones'
