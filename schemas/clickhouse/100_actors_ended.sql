-- An alarm that is over says so in the last revision of its row.
ALTER TABLE {database}.actors
  ADD COLUMN IF NOT EXISTS ended DateTime64(3, 'UTC') DEFAULT 0 COMMENT 'When its alarm was over, since nothing new came for long; 1970 = it stands' AFTER end
