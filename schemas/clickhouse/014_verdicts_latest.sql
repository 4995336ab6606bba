-- The verdicts that stand. The id contains the day, so rows of one id are in one partition: the setting lets ClickHouse (26.3 and later)
-- skip the partitions of other days in spite of FINAL.
CREATE OR REPLACE VIEW {database}.verdicts_latest
AS SELECT * FROM {database}.verdicts FINAL WHERE state != 'withdrawn'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Newest revision of each verdict, without withdrawn ones'
