-- The incidents as they stand.
CREATE VIEW IF NOT EXISTS {database}.incidents_latest
AS SELECT * FROM {database}.incidents FINAL WHERE state != 'merged'
COMMENT 'Newest revision of each incident, without those merged into others'
