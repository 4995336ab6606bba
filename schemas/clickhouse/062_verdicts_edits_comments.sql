-- What operators' edits mean in a verdict.
ALTER TABLE {database}.verdicts
  COMMENT COLUMN anomalous 'p ≤ alpha, or outside of what an operator demands',
  COMMENT COLUMN match_threshold_structure 'Similarity below it is outside the baseline; an operator''s where one was set: match_text then has both',
  COMMENT COLUMN match_threshold_timing 'Similarity below it is outside the baseline; an operator''s where one was set: match_text then has both',
  COMMENT COLUMN match_threshold_parameters 'Similarity below it is outside the baseline; an operator''s where one was set: match_text then has both'
