-- What was learned beside what an operator set; a row without it has what stands.
ALTER TABLE {database}.verdicts
  ADD COLUMN IF NOT EXISTS match_learned_threshold_structure Float64 DEFAULT match_threshold_structure COMMENT 'What was learned: differs from match_threshold_structure where an operator set that' CODEC(ZSTD(1)) AFTER match_threshold_parameters,
  ADD COLUMN IF NOT EXISTS match_learned_threshold_timing Float64 DEFAULT match_threshold_timing COMMENT 'What was learned: differs from match_threshold_timing where an operator set that' CODEC(ZSTD(1)) AFTER match_learned_threshold_structure,
  ADD COLUMN IF NOT EXISTS match_learned_threshold_parameters Float64 DEFAULT match_threshold_parameters COMMENT 'What was learned: differs from match_threshold_parameters where an operator set that' CODEC(ZSTD(1)) AFTER match_learned_threshold_timing
