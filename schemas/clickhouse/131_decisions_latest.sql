-- The decisions as they stand.
CREATE OR REPLACE VIEW {database}.decisions_latest
AS SELECT * FROM {database}.decisions FINAL
COMMENT 'Newest revision of each decision'
