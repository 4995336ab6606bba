-- The incidents as they stand.
CREATE OR REPLACE VIEW {database}.incidents_latest
AS SELECT * FROM {database}.incidents FINAL WHERE state != 'merged'
COMMENT 'Newest revision of each incident, without those merged into others'
