import { describe, expect, it } from 'vitest';
import { grouped, matchLine, reason } from '../../../baseline/fusion/match-line.ts';
import { learnThresholds, thresholdRow } from '../../../baseline/fusion/thresholds.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';

describe('match line', () => {
  it('reads as people were promised', () => {
    expect(
      matchLine({
        signature: 'POST /checkout #3',
        learnedFrom: 2231,
        similarity: 0.86,
        threshold: 0.98,
        deviation: 7.0,
        unseenEntry: false,
        because: 'missing payment.charge after orders.create',
      }),
    ).toBe(
      "similarity 0.86 to 'POST /checkout #3' (baseline ≥ 0.98, learned from 2,231), deviation 7.0×: " +
        'missing payment.charge after orders.create',
    );
  });

  it('says 1.00 only of a perfect match, and that an entry was never seen', () => {
    const line = { signature: 'GET / #1', learnedFrom: 5, threshold: 0.99, deviation: 0.04, because: '' };
    expect(matchLine({ ...line, similarity: 0.9996, unseenEntry: false })).toContain('similarity 0.999 to');
    expect(matchLine({ ...line, similarity: 1, deviation: 0, unseenEntry: false })).toMatch(
      /similarity 1\.00 .*deviation 0\.0×$/,
    );
    expect(matchLine({ ...line, similarity: 0.4, unseenEntry: true })).toMatch(/never seen/);
  });

  it('gives the near-certain finding first, also when another component deviates more', () => {
    const finding = (fields: Partial<Finding>): Finding => ({
      kind: 'required-child',
      group: 'structure',
      hard: false,
      evidence: 'absence',
      explanationKey: '',
      service: 'orders',
      operation: 'POST /orders',
      spanId: '',
      parameter: '',
      expected: 'always',
      seen: 'never',
      support: 1,
      severity: 1,
      p: 1,
      share: 0,
      candidate: false,
      startMs: 0,
      endMs: 0,
      ...fields,
    });
    const agent = finding({ kind: 'parameter', group: 'parameters', parameter: 'user-agent', seen: 'new', share: 0.9 });
    const rule = finding({ hard: true, share: 0.1 });
    expect(reason('parameters', 'missing Charge', [rule, agent])).toBe(
      'missing Charge; also user-agent of POST /orders: new (always)',
    );
    expect(reason('parameters', '', [agent])).toBe('user-agent of POST /orders: new (always)');
    expect(reason('structure', 'missing Charge', [rule, agent])).toBe('missing Charge');
  });

  it('groups digits', () => {
    expect([0, 999, 1_000, 48_211, 1_234_567].map(grouped)).toEqual(['0', '999', '1,000', '48,211', '1,234,567']);
  });
});

describe('similarity thresholds', () => {
  const many = (familyKey: string, entry: string, count: number, low: number) =>
    Array.from({ length: count }, (_, i) => ({ familyKey, entry, timing: i < count / 500 ? low : 1, parameters: 1 }));

  it('are the alpha quantile of the family, else of its entry operation, else of all', () => {
    const samples = [
      ...many('a', 'GET /a', 2_000, 0.5),
      ...many('a2', 'GET /a', 50, 1),
      ...many('b', 'GET /b', 50, 0.9),
    ];
    const thresholds = learnThresholds(samples, () => [], 1e-3);
    expect(thresholdRow(thresholds, 'a', 'GET /a')[1]).toBe(0.5);
    expect(thresholdRow(thresholds, 'a2', 'GET /a')[1]).toBe(0.5);
    expect(thresholdRow(thresholds, 'b', 'GET /b')[1]).toBe(thresholds.global[1]);
    expect(thresholdRow(thresholds, 'new', 'GET /a')[1]).toBe(0.5);
    expect(thresholdRow(thresholds, 'new', 'GET /new')).toEqual(thresholds.global);
  });

  it('take structure from leaving one signature out, and are never 1', () => {
    const leftOut: Record<string, number[]> = { a: [0.7, 0.8, 0.9, 0.9], a2: [] };
    const samples = [...many('a', 'GET /a', 10, 1), ...many('a2', 'GET /a', 10, 1)];
    const thresholds = learnThresholds(samples, (key) => leftOut[key] ?? [], 1e-3);
    expect(thresholdRow(thresholds, 'a', 'GET /a')[0]).toBe(0.7);
    expect(thresholdRow(thresholds, 'a2', 'GET /a')[0]).toBe(0.7);
    for (const value of thresholds.global) expect(value).toBeLessThan(1);
  });
});
