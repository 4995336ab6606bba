/** Pooled p of novelties: uniform where places differ in how often they bring something new. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claim, createPool, ownP } from '../../../baseline/structure/pooled.ts';
import { seeded } from './shop.ts';

describe('pooled novelty', () => {
  it('is no more often small than it says, on observations that come after', () => {
    const random = seeded(5);
    const rates = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 0.02 : i % 3 === 1 ? 0.001 : 0));
    const sizes = rates.map(() => 50 + Math.floor(random() * 800));
    const novelties = (at: number): number =>
      Array.from({ length: sizes[at]! }).filter(() => random() < rates[at]!).length;
    const places = sizes.map((of, at) => [novelties(at), of] as const);
    const pool = createPool(places);
    const later = sizes.flatMap((_, at) => Array<number>(novelties(at)).fill(pool.p(places[at]!)));
    const all = sizes.reduce((sum, of) => sum + of, 0);
    for (const t of [0.01, 0.003, 0.001, 0.0003]) {
      const realised = later.filter((p) => p <= t).length / all;
      expect(realised, `at ${t}`).toBeLessThan(2 * t);
    }
    // and it tells places apart: where nothing came, one is far rarer than where novelties are usual
    const quiet = places.findIndex(([seen, of], at) => rates[at] === 0 && seen === 0 && of > 500);
    const busy = places.findIndex(([seen, of]) => seen > 8 && of > 300);
    expect(pool.p(places[quiet]!)).toBeLessThan(0.1 * pool.p(places[busy]!));
  });

  it('grows with the novelties of a place, and never claims half a decade beyond its sample', () => {
    const mass = fc.tuple(fc.nat(50), fc.integer({ min: 100, max: 5_000 })).map(([seen, of]) => [seen, of] as const);
    fc.assert(
      fc.property(fc.array(mass, { minLength: 1, maxLength: 30 }), mass, (places, [seen, of]) => {
        const pool = createPool(places);
        expect(pool.p([seen, of])).toBeLessThanOrEqual(pool.p([seen + 1, of]));
        expect(pool.p([seen, of])).toBeGreaterThan(0);
        expect(claim(ownP([seen, of]), of)).toBeGreaterThanOrEqual(ownP([seen, of]) / 2);
        expect(claim(ownP([seen, 20]), 20)).toBe(ownP([seen, 20]));
      }),
    );
  });
});
