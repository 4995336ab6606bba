/** Outcome class of a span: its HTTP status where there is one, else what is known of its outcome; 0 = unknown. */
import { Outcome, type Segment } from '../../traces/segment.ts';

const FIRST_STATUS = 100;

export function classOf(segment: Segment, i: number): number {
  const status = segment.httpStatus[i]!;
  return status >= FIRST_STATUS ? status : segment.outcome[i]!;
}

const WORDS: Readonly<Record<number, string>> = {
  [Outcome.ok]: 'success',
  [Outcome.clientError]: 'client error',
  [Outcome.error]: 'error',
};

export const classText = (found: number): string => WORDS[found] ?? `status ${found}`;
