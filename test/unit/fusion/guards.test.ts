/**
 * The guards of DETECTION §5, and that each of them can fail: beside every one stands a fusion that is broken in the way it is there
 * to catch. Group values are drawn, so that hundreds of thousands cost a second; real models stand behind them in uniform.test.ts.
 */
import { describe, expect, it } from 'vitest';
import {
  type Calibration,
  calibrate,
  finalP,
  fuse,
  GROUP_WEIGHTS,
  groupP,
  groupValue,
} from '../../../baseline/fusion/calibration.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createRandom } from './random.ts';

type Draw = (random: () => number) => number;
const honest: Draw = (random) => -Math.log10(1 - random());
/** A count model: mostly silent, never below one in a thousand. */
const counting: Draw = (random) => {
  const u = random();
  return u < 0.7 ? 0 : Math.min(3, Math.floor(-2 * Math.log10(1 - u)) / 2);
};
const silent: Draw = () => 0;

type Score = (values: Float64Array) => number;
const groupsOf = (calibration: Calibration, values: Float64Array): number[] =>
  GROUPS.map((group, g) => groupP(calibration, group, values[g]!));
const ranked =
  (calibration: Calibration): Score =>
  (values) =>
    -Math.log10(finalP(calibration, fuse(groupsOf(calibration, values)))) + 0.01 * values[0]!;
/** What the guards are there to catch: every group believed as it speaks. */
const believed: Score = (values) => {
  let sum = 0;
  for (const [g, group] of GROUPS.entries()) sum += GROUP_WEIGHTS[group] * 10 ** values[g]!;
  return Math.log10(sum);
};

/** Recall at 1e-3 of traces in which structure says all that it can, with a fourth group that draws `bad`. */
function recallWith(bad: Draw, scoreOf: (calibration: Calibration) => Score): number {
  const random = createRandom(7);
  const draw = (): Float64Array => Float64Array.from([counting, honest, silent, bad], (one) => one(random));
  const score = scoreOf(calibrate(Array.from({ length: 20_000 }, draw), 16));
  const negatives = Array.from({ length: 20_000 }, () => score(draw())).sort((a, b) => b - a);
  const bound = negatives[20]!;
  let found = 0;
  for (let i = 0; i < 2_000; i++) {
    const values = draw();
    values[0] = 3.2 + 0.3 * random();
    if (score(values) > bound) found++;
  }
  return found / 2_000;
}

const BAD: [string, Draw][] = [
  ['noise', honest],
  ['over-confident by five decades', (random) => 5 + honest(random)],
  ['over-confident by five decades now and then', (random) => honest(random) + (random() < 0.02 ? 5 : 0)],
  ['five times too steep', (random) => 5 * honest(random)],
];

describe('no group drowns the others', () => {
  it.each(BAD)('one that is %s costs at most 5 points of recall at 1e-3', (_, bad) => {
    expect(recallWith(bad, ranked)).toBeGreaterThanOrEqual(recallWith(silent, ranked) - 0.05);
  });

  it('believing every group as it speaks would cost far more: the guard can fail', () => {
    const lost = BAD.map(([, bad]) => recallWith(silent, () => believed) - recallWith(bad, () => believed));
    expect(Math.max(...lost)).toBeGreaterThan(0.5);
    expect(lost.filter((points) => points > 0.05).length).toBeGreaterThanOrEqual(3);
  });
});

/** Pearson's chi-square over twenty equal bins, per degree of freedom; 1 is what chance gives. */
function misfit(ps: readonly number[]): number {
  const bins = new Array<number>(20).fill(0);
  for (const p of ps) bins[Math.min(19, Math.floor(p * 20))]!++;
  const expected = ps.length / 20;
  return bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) / 19;
}
/** Chance gives 1, beyond 2.3 once in a thousand; the sampling of the calibration and its steps below the top come on top. */
const MISFIT = 8;

describe('p is uniform under the null', () => {
  const misfits = (stretch: number) => {
    const random = createRandom(13);
    const draw = (by: number): Float64Array =>
      Float64Array.from([honest, honest, honest, honest], (one) => by * one(random));
    const calibration = calibrate(
      Array.from({ length: 30_000 }, () => draw(1)),
      1,
    );
    const judged = Array.from({ length: 15_000 }, () => groupsOf(calibration, draw(stretch)));
    return [
      ...GROUPS.map((_, g) => misfit(judged.map((p) => p[g]!))),
      misfit(judged.map((p) => finalP(calibration, fuse(p)))),
    ];
  };

  it('for each group and for the final one (chi-square, twenty bins)', () => {
    for (const value of misfits(1)) expect(value).toBeLessThan(MISFIT);
  });

  it('and is not when traffic says a seventh more than it was calibrated with: the guard can fail', () => {
    for (const value of misfits(1.15)) expect(value).toBeGreaterThan(MISFIT);
  });

  it('never lies above its nominal rate for a group that mostly says nothing', () => {
    const random = createRandom(17);
    const draw = (): Float64Array => Float64Array.from([counting, counting, silent, counting], (one) => one(random));
    const calibration = calibrate(Array.from({ length: 20_000 }, draw), 16);
    const judged = Array.from({ length: 20_000 }, () => groupsOf(calibration, draw()));
    for (const g of GROUPS.keys()) {
      for (const t of [0.2, 0.05, 0.01]) {
        expect(judged.filter((p) => p[g]! <= t).length / judged.length).toBeLessThanOrEqual(1.15 * t);
      }
    }
  });
});

describe('the top is not tied', () => {
  /** Share of scores that equal the largest. */
  const tied = (severityOf: (random: () => number) => number): number => {
    const random = createRandom(3);
    const draw = (): Float64Array => Float64Array.from([counting, honest, silent, silent], (one) => one(random));
    const calibration = calibrate(Array.from({ length: 5_000 }, draw), 16);
    const scores = Array.from({ length: 2_000 }, () => {
      const severity = severityOf(random);
      const values = Float64Array.from([groupValue(3, severity), 9, 0, 0]); // both at their floors
      return groupValue(-Math.log10(finalP(calibration, fuse(groupsOf(calibration, values)))), severity);
    });
    const top = Math.max(...scores);
    return scores.filter((score) => score === top).length / scores.length;
  };

  it('by more than one in a hundred: severity orders what a floor makes equal', () => {
    expect(tied((random) => 90 * random())).toBeLessThanOrEqual(0.01);
  });

  it('and would be without severity: the guard can fail', () => {
    expect(tied(() => 0)).toBeGreaterThan(0.01);
  });
});
