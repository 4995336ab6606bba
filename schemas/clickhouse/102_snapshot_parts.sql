-- Parts of a snapshot too large for one row. A part has two places that are written in turn: the snapshot that stands names the one it
-- means, so that a save that ends half-way spoils nothing, and old parts need no deleting.
CREATE TABLE IF NOT EXISTS {database}.snapshot_parts (
  owner String COMMENT 'Whose snapshot',
  name String COMMENT 'Part of the state',
  place UInt8 COMMENT '0 or 1, in turn',
  bytes String COMMENT 'Zstandard, base64' CODEC(NONE),
  written DateTime64(6, 'UTC') COMMENT 'When; the newest stands'
)
ENGINE = ReplacingMergeTree(written)
ORDER BY (owner, name, place)
COMMENT 'Parts of large snapshots'
