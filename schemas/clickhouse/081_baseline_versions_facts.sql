-- How a version came to be, and how mature what it learned is.
ALTER TABLE {database}.baseline_versions
  ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'learned' COMMENT 'learned, edited (an operator''s edit), rolled-back or imported',
  ADD COLUMN IF NOT EXISTS source String DEFAULT '' COMMENT 'Version whose models it has, where it was not learned itself',
  ADD COLUMN IF NOT EXISTS held Bool DEFAULT false COMMENT 'No learned version replaces it before an operator resumes',
  ADD COLUMN IF NOT EXISTS counters String DEFAULT '' COMMENT 'Version whose counters a trainer goes on from; empty: its own',
  ADD COLUMN IF NOT EXISTS published DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When its row was written',
  ADD COLUMN IF NOT EXISTS quarantined UInt64 DEFAULT 0 COMMENT 'Segments counted apart: nothing of them was learned',
  ADD COLUMN IF NOT EXISTS maturity Map(LowCardinality(String), Float64) COMMENT 'Share of observations by state: observe, learning, active',
  ADD COLUMN IF NOT EXISTS admitted Map(LowCardinality(String), UInt64) COMMENT 'Entries by model group and kind: what was admitted'
