/** Attacks inside the learning window must not blind the version to attacks (DETECTION §0a.5, §7). */
import { describe, expect, it } from 'vitest';
import { STRUCTURAL_ATTACKS } from '../../../datasets/generated/attacks.ts';
import { market } from '../../../datasets/generated/market.ts';
import type { Contamination } from '../../../datasets/generated/traffic.ts';
import { createLearningWorld, PUBLISH, segmentsOf } from './generated.ts';

const KINDS = STRUCTURAL_ATTACKS;
/** A corner of the market: few operations, so that a small window knows them. */
const SYSTEM = {
  ...market,
  entries: market.entries.filter(({ route }) => /cart|orders|items|login|search/.test(route)),
};
const LEARNED = { system: SYSTEM, seed: 31, traces: 2_500, perSecond: 20 };
/** Later traffic, a third of it attacks from elsewhere. */
const LATER = segmentsOf({
  system: SYSTEM,
  seed: 32,
  traces: 900,
  perSecond: 20,
  startMs: Date.UTC(2026, 2, 3, 8),
  contamination: { share: 0.33, shape: 'uniform', kinds: KINDS, attackers: 40 },
});

/** Share of attacks above all but one in a hundred of the normal ones: as many as the sample can tell. */
function learned(contamination: Contamination | undefined): { found: number; quarantined: number } {
  const world = createLearningWorld({ spanMs: 200_000, calibrationSegments: 4_000, folds: 6 });
  for (const segment of segmentsOf({ ...LEARNED, ...(contamination !== undefined && { contamination }) }))
    world.learn(segment);
  const baseline = world.learning.publish(PUBLISH);
  const scores = new Map<string, { score: number; attack: boolean }>();
  for (const segment of LATER) {
    const { score } = world.judge(baseline, segment);
    const { traceId, truth } = segment.trace;
    scores.set(traceId, { score: Math.max(score, scores.get(traceId)?.score ?? 0), attack: truth.label === 'attack' });
  }
  const normal = [...scores.values()].filter(({ attack }) => !attack).map(({ score }) => score);
  const attacks = [...scores.values()].filter(({ attack }) => attack).map(({ score }) => score);
  const bound = normal.sort((a, b) => b - a)[Math.floor(normal.length / 100)]!;
  const found = attacks.filter((score) => score > bound).length / attacks.length;
  return { found, quarantined: baseline.manifest.quarantined! };
}

describe('a contaminated learning window', () => {
  const clean = learned(undefined);

  it('is held against a clean one that finds what there is to find', () => {
    expect(clean.found).toBeGreaterThan(0.85);
    expect(clean.quarantined).toBe(0);
  });

  it.each([
    ['0.2 %, bursty', { share: 0.002, shape: 'bursty', kinds: KINDS }, 0.9],
    // so much of it, by so many, that the stretch of time in which it was is left out of the version
    ['2 %, bursty, by many', { share: 0.02, shape: 'bursty', kinds: KINDS, attackers: 60 }, 0.9],
    // steadily, by three addresses: told by what they do again and again
    ['0.4 %, uniform', { share: 0.004, shape: 'uniform', kinds: KINDS }, 0.95],
    ['5 %, uniform', { share: 0.05, shape: 'uniform', kinds: KINDS }, 0.95],
  ] as [string, Contamination, number][])('%s, finds as much', (_, contamination, least) => {
    const { found, quarantined } = learned(contamination);
    expect(found / clean.found).toBeGreaterThanOrEqual(least);
    if (contamination.attackers === 60) expect(quarantined).toBeGreaterThan(200);
    // they alone are left out, of good traffic next to nothing
    else expect(quarantined).toBeLessThan(1.2 * contamination.share * LEARNED.traces);
  });

  it('of which all was quarantined loses no stretch of good traffic, and counts each segment apart once', () => {
    const contamination: Contamination = { share: 0.02, shape: 'bursty', kinds: KINDS };
    const world = createLearningWorld({ spanMs: 200_000, calibrationSegments: 1_500, folds: 6 });
    let attacks = 0;
    for (const segment of segmentsOf({ ...LEARNED, contamination })) {
      const quarantined = segment.trace.truth.label === 'attack';
      if (quarantined) attacks++;
      world.learn(segment, { quarantined });
    }
    expect(attacks).toBeGreaterThan(20);
    expect(world.learning.publish(PUBLISH).manifest.quarantined).toBe(attacks);
    // a trainer that goes on after a restart knows it too
    const restarted = createLearningWorld({ spanMs: 200_000, calibrationSegments: 1_500, folds: 6 });
    restarted.learning.restore(0, world.learning.encode(0));
    expect(restarted.learning.publish(PUBLISH).manifest.quarantined).toBe(attacks);
  });
});
