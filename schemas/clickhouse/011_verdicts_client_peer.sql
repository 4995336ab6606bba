-- The other end of the entry's connection, whoever was named: what is left to go by when the headers say nothing.
ALTER TABLE {database}.verdicts
  ADD COLUMN IF NOT EXISTS client_peer String DEFAULT '' COMMENT 'Socket peer of the entry span, unix: for a socket of the own host; empty = the span has none' CODEC(ZSTD(1)) AFTER client_hops
