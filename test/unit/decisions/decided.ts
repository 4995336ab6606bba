/** Small decisions, as the core makes them, for tests. */
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { DAY } from '../responder/verdicts.ts';

let made = 0;

export function decisionOf(fields: Partial<Decision> = {}): Decision {
  const number = fields.number ?? ++made;
  return {
    id: number.toString(16).padStart(16, '0'),
    number,
    revision: 1,
    incidentId: 'incident-1',
    scope: 'ip',
    value: '203.0.113.7',
    target: 'everything',
    type: 'ban',
    operations: [],
    state: 'enforced',
    reason: 'ban: a test',
    scenario: 'statement',
    risk: 70,
    createdMs: DAY,
    expiresMs: DAY + 4 * 3_600_000,
    undoneBy: '',
    undoneMs: 0,
    matched: 0,
    matchedOrdinary: 0,
    ...fields,
  };
}
