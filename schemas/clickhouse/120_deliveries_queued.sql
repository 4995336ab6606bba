-- When a delivery began, or was replayed: giving up counts from here. A row without it began with its alert.
ALTER TABLE {database}.deliveries
  ADD COLUMN IF NOT EXISTS queued DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC') COMMENT 'When it was queued, or replayed; 1970 in rows of before: with its alert'
