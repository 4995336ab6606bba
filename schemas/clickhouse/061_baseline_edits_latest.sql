-- Edits as they stand: the newest revision of each.
CREATE OR REPLACE VIEW {database}.baseline_edits_latest
AS SELECT * FROM {database}.baseline_edits FINAL
ORDER BY revision DESC
LIMIT 1 BY id
COMMENT 'Operators'' edits as they stand'
