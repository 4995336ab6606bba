import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRanking, rankAmongOthers, rankOf } from '../../../baseline/fusion/ranking.ts';

describe('conformal ranking', () => {
  it('is (1 + those at least as large) / (n + 1), ties against us', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 200 }),
        fc.nat(20),
        (values, x) => {
          fc.pre(x <= Math.max(...values));
          const atLeast = values.filter((v) => v >= x).length;
          expect(rankOf(createRanking(values), x)).toBeCloseTo((1 + atLeast) / (values.length + 1), 12);
        },
      ),
    );
  });

  it('gives a calibration value the rank it has among the others', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 30, maxLength: 200 }), (values) => {
        const x = values[0]!;
        const others = createRanking(values.slice(1));
        fc.pre(values.slice(1).some((v) => v >= x));
        expect(rankAmongOthers(createRanking(values), x)).toBeCloseTo(rankOf(others, x), 12);
      }),
    );
  });

  it('falls by at most one decade beyond the sample, and never rises with x', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 1, maxLength: 5_000 }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        (values, a, b) => {
          const ranking = createRanking(values);
          const [low, high] = a < b ? [a, b] : [b, a];
          expect(rankOf(ranking, high)).toBeLessThanOrEqual(rankOf(ranking, low));
          expect(rankOf(ranking, high)).toBeGreaterThanOrEqual(0.0999999 / (values.length + 1));
        },
      ),
    );
  });

  it('rounds ranks below the top up, never down', () => {
    const values = Array.from({ length: 50_000 }, (_, i) => Math.sqrt(i));
    const ranking = createRanking(values);
    expect(ranking.at.length).toBeLessThan(3_000);
    for (const x of [0.5, 10, 100.25, 200.1, 223]) {
      const exact = (1 + values.filter((v) => v >= x).length) / 50_001;
      expect(rankOf(ranking, x)).toBeGreaterThanOrEqual(exact - 1e-12);
      expect(rankOf(ranking, x)).toBeLessThan(exact * 1.02 + 0.006);
    }
  });
});
