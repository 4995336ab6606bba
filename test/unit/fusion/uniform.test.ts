/** Real models on generated traffic that none of them has learned: p by group, p in the end, and what each finding's share is. */
import { describe, expect, it } from 'vitest';
import { market } from '../../../datasets/generated/market.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createLearningWorld, PUBLISH, segmentsOf } from '../learning/generated.ts';

/** A corner of the market: few operations, so that a small window knows them. */
const system = { ...market, entries: market.entries.filter(({ route }) => /cart|items|login/.test(route)) };
const world = createLearningWorld({ spanMs: 100_000, folds: 8 });
for (const segment of segmentsOf({ system, seed: 41, traces: 3_000, perSecond: 30 })) world.learn(segment);
const baseline = world.learning.publish(PUBLISH);
const later = { system, perSecond: 30, startMs: Date.UTC(2026, 2, 3, 8) };
const normal = segmentsOf({ ...later, seed: 42, traces: 3_000 }).map((segment) => world.judge(baseline, segment));

describe('what real models say of traffic like that they learned', () => {
  it('is as unlikely as it claims, by group and in the end', () => {
    const rates: Record<string, number> = {};
    for (const t of [0.2, 0.05, 0.01]) {
      for (const group of GROUPS)
        rates[`${group} ${t}`] = normal.filter(({ groups }) => groups[group] <= t).length / normal.length / t;
      rates[`final ${t}`] = normal.filter(({ p }) => p <= t).length / normal.length / t;
    }
    // a group that mostly says nothing cannot reach a rate, but never lies above it
    for (const [what, ratio] of Object.entries(rates)) expect([what, ratio <= 2]).toEqual([what, true]);
    for (const t of [0.05, 0.01]) expect(rates[`final ${t}`]).toBeGreaterThanOrEqual(0.5);
    for (const t of [0.2, 0.05]) expect(rates[`timing ${t}`]).toBeGreaterThanOrEqual(0.5);
  });

  it('has findings whose shares sum to 1, wherever it has any', () => {
    const attacks = segmentsOf({ ...later, seed: 43, traces: 300, contamination: { share: 0.7, shape: 'uniform' } });
    let told = 0;
    for (const { findings, match } of [...normal, ...attacks.map((segment) => world.judge(baseline, segment))]) {
      expect(match.text).not.toBe('');
      if (findings.length === 0) continue;
      told++;
      expect(findings.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
      for (const { share } of findings) expect(share).toBeGreaterThanOrEqual(0);
    }
    expect(told).toBeGreaterThan(100);
  });

  it('ties at the top no more than one score in a hundred', () => {
    const scores = normal.map(({ score }) => score);
    const top = Math.max(...scores);
    expect(scores.filter((score) => score === top).length / scores.length).toBeLessThanOrEqual(0.01);
  });
});
