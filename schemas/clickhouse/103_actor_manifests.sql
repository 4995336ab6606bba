-- Which parts make up a state of the actors. What stands is of the highest generation, and of this the highest offset: both grow with
-- hand-overs and with the log, whatever clocks say. The newest two of an owner stay, so that there is one to go back to.
CREATE TABLE IF NOT EXISTS {database}.actor_manifests (
  generation UInt64 COMMENT 'One more than that of the owner before',
  writer String COMMENT 'Who wrote it: of two owners that took over from the same one, each has its own rows and parts',
  place UInt8 COMMENT '0 or 1, in turn',
  next_offset UInt64 COMMENT 'First offset that is not in the state',
  state String COMMENT 'JSON: names, places and checksums of parts' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (generation, writer, place)
COMMENT 'States of the owner of the actors'
