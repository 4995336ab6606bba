-- An operator may end an incident as expected; incidents name the release that brought them, and whether they are near-certain.
ALTER TABLE {database}.incidents
  MODIFY COLUMN state Enum8('open' = 0, 'closed' = 1, 'merged' = 2, 'expected' = 3) COMMENT 'Where it stands; expected: an operator ended it so',
  ADD COLUMN IF NOT EXISTS release String COMMENT 'service@version that brought it; empty otherwise' CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS hard Bool COMMENT 'Near-certain by its kind; otherwise chance may cause it, and the budget counts it'
