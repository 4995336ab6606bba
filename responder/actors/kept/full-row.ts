/** Where the numbers of an actor kept in full are: a row of doubles, which begins with its evidence, and one of words, with its sets. */
import { FILTER_WORDS } from '../bits.ts';
import { EVIDENCE_LENGTH } from '../evidence/evidence.ts';
import { TESTS } from '../evidence/tests.ts';

export const MOST_TRACES = 8;
export const MOST_MARKS = 6;
export const MOST_REASONS = 5;
export const MOST_COUNTED = 16;
/** Words of a trace id, and of a span id. */
export const TRACE_WORDS = 4;
export const SPAN_WORDS = 2;

/** Doubles of an alarm: when it began and was last. Of a stage's mark: when first and last, and what it was worth. */
export const ALARM_DOUBLES = 2;
export const MARK_DOUBLES = 3;

const SCALARS = EVIDENCE_LENGTH;
export const D = {
  firstMs: SCALARS,
  lastMs: SCALARS + 1,
  requests: SCALARS + 2,
  points: SCALARS + 3,
  pointsMs: SCALARS + 4,
  sampleWeight: SCALARS + 5,
  startMs: SCALARS + 6,
  endMs: SCALARS + 7,
  /** Since when findings are told of it; 0 = not yet. */
  toldSinceMs: SCALARS + 8,
  reasons: SCALARS + 9,
  alarms: SCALARS + 9 + MOST_REASONS,
  marks: SCALARS + 9 + MOST_REASONS + TESTS * ALARM_DOUBLES,
} as const;
export const DOUBLES = D.marks + MOST_MARKS * MARK_DOUBLES;

/** Words of `sets`: where each begins. */
export const CLIENT_WORDS = 16;
export const Sets = {
  objects: 0,
  accounts: FILTER_WORDS,
  steps: 2 * FILTER_WORDS,
  clients: 3 * FILTER_WORDS,
} as const;
export const SET_WORDS = 3 * FILTER_WORDS + CLIENT_WORDS;

/** Of an alarm: hits and clients when it was told last, its revision, and what it is. Of a mark: how often, and what it is. */
export const ALARM_WORDS = 4;
export const MARK_WORDS = 2;

export const W = {
  attempts: SET_WORDS,
  accountCount: SET_WORDS + 1,
  votes: SET_WORDS + 2,
  /** + 1 */
  usersBefore: SET_WORDS + 3,
  leastSure: SET_WORDS + 4,
  toldRevision: SET_WORDS + 5,
  toldRisk: SET_WORDS + 6,
  toldStages: SET_WORDS + 7,
  toldUsers: SET_WORDS + 8,
  traceCount: SET_WORDS + 9,
  markCount: SET_WORDS + 10,
  countedCount: SET_WORDS + 11,
  /** Bytes of lists of names. */
  nameBytes: SET_WORDS + 12,
  reasons: SET_WORDS + 13,
  entryTrace: SET_WORDS + 13 + MOST_REASONS,
  entrySpan: SET_WORDS + 13 + MOST_REASONS + TRACE_WORDS,
  alarms: SET_WORDS + 13 + MOST_REASONS + TRACE_WORDS + SPAN_WORDS,
  marks: SET_WORDS + 13 + MOST_REASONS + TRACE_WORDS + SPAN_WORDS + TESTS * ALARM_WORDS,
  counted: SET_WORDS + 13 + MOST_REASONS + TRACE_WORDS + SPAN_WORDS + TESTS * ALARM_WORDS + MOST_MARKS * MARK_WORDS,
  traces:
    SET_WORDS +
    13 +
    MOST_REASONS +
    TRACE_WORDS +
    SPAN_WORDS +
    TESTS * ALARM_WORDS +
    MOST_MARKS * MARK_WORDS +
    MOST_COUNTED,
} as const;
export const WORDS = W.traces + MOST_TRACES * TRACE_WORDS;

export const ROW_BYTES = 8 * DOUBLES + 4 * WORDS;
