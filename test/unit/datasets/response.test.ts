import { describe, expect, it } from 'vitest';
import { judgeResponse, responseLines } from '../../../datasets/judge/response.ts';
import type { GroundTruth, Named, TruthEvent } from '../../../datasets/scenarios/truth.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';

const eventOf = (name: string, clients: readonly string[], named: Named): TruthEvent => ({
  name,
  kind: 'attack',
  title: name,
  clients,
  named,
  companions: ['5.5.5.5'],
  never: [],
  startMs: 1,
  endMs: 2,
  requests: 1,
  traceIds: [],
  expected: { kinds: [], services: [] },
});

const truth: GroundTruth = {
  seed: 1,
  startMs: 0,
  endMs: 9,
  events: [
    eventOf('injection', ['81.2.69.1'], { by: 'client', key: '81.2.69.1' }),
    eventOf('stuffing', ['46.3.2.1', '46.3.2.9'], { by: 'network', key: '46.3.2.0/24' }),
    eventOf('enumeration', ['31.1.1.1'], { by: 'user', key: '404' }),
    { ...eventOf('nat', ['217.9.9.9'], { by: 'client', key: '217.9.9.9' }), kind: 'oddity' },
  ],
};

const decisionOf = (over: Partial<Decision>): Decision => ({
  id: 'd',
  number: 1,
  revision: 1,
  incidentId: 'i',
  scope: 'ip',
  value: '81.2.69.1',
  target: 'everything',
  type: 'ban',
  operations: [],
  state: 'simulated',
  reason: 'exploited',
  scenario: 'statement',
  risk: 80,
  createdMs: 1,
  expiresMs: 9,
  undoneBy: '',
  undoneMs: 0,
  matched: 10,
  matchedOrdinary: 4,
  ...over,
});

const attackOf = (over: Partial<Decision>): string | undefined =>
  judgeResponse(truth, [decisionOf(over)]).decisions[0]?.attack;

describe('what response would have done', () => {
  it('is right about an attacking address, network or user', () => {
    expect(attackOf({})).toBe('injection');
    expect(attackOf({ value: '46.3.2.9' })).toBe('stuffing');
    expect(attackOf({ scope: 'range', value: '46.3.2.0/24' })).toBe('stuffing');
    expect(attackOf({ scope: 'user', value: '404' })).toBe('enumeration');
  });

  it('is wrong about an address that many share, who was in one batch, a neighbouring range', () => {
    for (const wrong of [
      decisionOf({ value: '217.9.9.9' }),
      decisionOf({ value: '5.5.5.5' }),
      decisionOf({ scope: 'range', value: '46.3.3.0/24' }),
      decisionOf({ scope: 'user', value: '460', state: 'enforced' }),
    ])
      expect(judgeResponse(truth, [wrong]).wrong).toBe(1);
  });

  it('may refuse whatever it likes', () => {
    const refused = decisionOf({ value: '217.9.9.9', state: 'refused', reason: 'shared' });
    expect(judgeResponse(truth, [refused]).wrong).toBe(0);
  });

  it('is told with what it would have met', () => {
    const text = responseLines(
      judgeResponse(truth, [decisionOf({}), decisionOf({ value: '217.9.9.9', state: 'refused', reason: 'shared' })]),
    ).join('\n');
    expect(text).toContain('1 decision would have met 10 requests, 4 of them without any finding; 1 refused');
    expect(text).toContain('ip 81.2.69.1 (injection): banned, 10 requests');
    expect(text).toContain('ip 217.9.9.9 (no attacker): not done: shared');
  });
});
