import { describe, expect, it } from 'vitest';
import {
  type Calibration,
  calibrate,
  calibrationFromForm,
  calibrationToForm,
  finalInterval,
  finalP,
  fuse,
  groupP,
  groupValue,
} from '../../../baseline/fusion/calibration.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createRandom } from './random.ts';

type Draw = () => number;
/** Surprise of a calibrated model: −log10 of a uniform. */
const honest = (random: Draw): number => -Math.log10(1 - random());
/** Surprise of a count model: stops at three decades, often says nothing. */
const counting = (random: Draw): number => {
  const u = random();
  return u < 0.7 ? 0 : Math.min(3, Math.floor(-2 * Math.log10(1 - u)) / 2);
};

const sample = (columns: readonly (() => number)[]): Float64Array => Float64Array.from(columns.map((draw) => draw()));

function pOf(calibration: Calibration, values: ArrayLike<number>): number {
  return finalP(calibration, fuse(GROUPS.map((group, g) => groupP(calibration, group, values[g]!))));
}

const scoreOf = (calibration: Calibration, values: ArrayLike<number>, severity: number): number =>
  groupValue(-Math.log10(pOf(calibration, values)), severity);

/** Share of positives above the score that one negative in a thousand exceeds. */
function recallAt(rate: number, negatives: number[], positives: number[]): number {
  const sorted = [...negatives].sort((a, b) => b - a);
  const bound = sorted[Math.floor(rate * negatives.length)]!;
  return positives.filter((score) => score > bound).length / positives.length;
}

describe('calibrated fusion', () => {
  it('is uniform under the null: realised over nominal stays within a half and two on 100,000 traces', () => {
    const random = createRandom(11);
    const draw = () => sample([() => counting(random), () => honest(random), () => 0, () => counting(random)]);
    const calibration = calibrate(Array.from({ length: 20_000 }, draw), 8);
    const hits = new Map([
      [1e-2, 0],
      [1e-3, 0],
      [1e-4, 0],
    ]);
    const traces = 120_000;
    for (let i = 0; i < traces; i++) {
      const p = pOf(calibration, draw());
      for (const nominal of hits.keys()) if (p <= nominal) hits.set(nominal, hits.get(nominal)! + 1);
    }
    expect(hits.get(1e-2)! / traces / 1e-2).toBeGreaterThan(0.5);
    expect(hits.get(1e-2)! / traces / 1e-2).toBeLessThan(2);
    expect(hits.get(1e-3)! / traces / 1e-3).toBeGreaterThan(0.5);
    expect(hits.get(1e-3)! / traces / 1e-3).toBeLessThan(2);
    expect(hits.get(1e-4)! / traces / 1e-4).toBeLessThan(2.5);
  });

  it.each([
    ['noise', (random: Draw) => honest(random)],
    ['over-confident by five decades', (random: Draw) => honest(random) + (random() < 0.02 ? 5 * random() : 0) + 5],
    ['five times too steep', (random: Draw) => 5 * honest(random)],
  ])('a group that is %s costs the others no more than 5 points of recall at 1e-3', (_, bad) => {
    const random = createRandom(7);
    const quiet = () => [() => counting(random), () => honest(random), () => 0] as const;
    const evaluate = (fourth: () => number): number => {
      const [structure, timing, parameters] = quiet();
      const draw = () => sample([structure, timing, parameters, fourth]);
      const calibration = calibrate(Array.from({ length: 20_000 }, draw), 8);
      const negatives = Array.from({ length: 20_000 }, () => scoreOf(calibration, draw(), 0));
      const positives = Array.from({ length: 2_000 }, () => {
        const values = draw();
        values[0] = 3 + random(); // structure says what it can say at most
        return scoreOf(calibration, values, 1 + random());
      });
      return recallAt(1e-3, negatives, positives);
    };
    const without = evaluate(() => 0);
    const withBad = evaluate(() => bad(random));
    expect(without).toBeGreaterThan(0.95);
    expect(withBad).toBeGreaterThan(without - 0.05);
  });

  it('does not tie at the top: a floor in p leaves the order to severity', () => {
    const random = createRandom(3);
    const draw = () => sample([() => counting(random), () => honest(random), () => 0, () => 0]);
    const calibration = calibrate(Array.from({ length: 5_000 }, draw), 8);
    const scores = Array.from({ length: 1_000 }, () => {
      const severity = 20 * random();
      return scoreOf(calibration, [groupValue(3, severity), honest(random), 0, 0], severity);
    });
    const top = Math.max(...scores);
    expect(scores.filter((score) => score === top).length / scores.length).toBeLessThanOrEqual(0.01);
  });

  it('takes a group without evidence as p = 1 that keeps its weight', () => {
    const calibration = calibrate(
      Array.from({ length: 1_000 }, () => new Float64Array(4)),
      8,
    );
    expect(pOf(calibration, [0, 0, 0, 0])).toBe(1);
    expect(fuse([1e-3, 1, 1, 1])).toBeCloseTo(Math.log10(0.35 * 1e3 + 0.65), 9);
  });

  it('never claims less than the sample can carry by more than its tail', () => {
    const random = createRandom(5);
    const draw = () => sample([() => counting(random), () => honest(random), () => 0, () => 0]);
    const calibration = calibrate(Array.from({ length: 2_000 }, draw), 8);
    const p = pOf(calibration, [99, 99, 99, 99]);
    expect(p).toBeLessThanOrEqual(1 / 2_001);
    expect(p).toBeGreaterThan(1e-6);
    const [low, high] = finalInterval(calibration, 4);
    expect(low).toBeLessThanOrEqual(finalP(calibration, 4));
    expect(high).toBeGreaterThanOrEqual(finalP(calibration, 4));
  });

  it('claims nothing without calibration', () => {
    expect(pOf(calibrate([], 8), [9, 9, 9, 9])).toBe(1);
  });

  it('survives the version file', () => {
    const random = createRandom(9);
    const draw = () => sample([() => counting(random), () => honest(random), () => 0, () => 0]);
    const calibration = calibrate(Array.from({ length: 9_000 }, draw), 8);
    const loaded = calibrationFromForm(JSON.parse(JSON.stringify(calibrationToForm(calibration))));
    for (let i = 0; i < 500; i++) {
      const values = draw();
      expect(pOf(loaded, values)).toBe(pOf(calibration, values));
    }
  });
});
