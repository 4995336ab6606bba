/** What recurs over runs of blocks is ranked by the version's own value of it; what does not stays as the others' models saw it. */
import { describe, expect, it } from 'vitest';
import { calibrate, groupP, toleranceOf } from '../../../baseline/fusion/calibration.ts';
import { NOTHING_RECURS, type Scored } from '../../../baseline/learning/cell.ts';
import { rankedValues, recurringIn, valueOfAll } from '../../../baseline/learning/recurring.ts';

const STRUCTURE = 0;
const FOLDS = 16;
const TOLERANCE = toleranceOf(FOLDS);

const scored = (value: number, deviation: number, own: number | null = null): Scored => ({
  values: Float64Array.of(value, 0, 0, 0),
  familyKey: 'f',
  entry: 'GET /',
  timing: 1,
  parameters: 1,
  observed: [0, 0, 0, 0],
  hard: false,
  deviations: [deviation, 0, 0, 0],
  byVersion: own === null ? NOTHING_RECURS : [own, null, null, null],
});

/** Fifty samples a fold: four have deviation 7, of which each fold's models made something else. */
const folds = Array.from({ length: FOLDS }, (_, f) =>
  Array.from({ length: 50 }, (_, i) => (i < 4 ? scored(1.5 + 0.01 * f, 7) : scored(0, 0))),
);

describe('what recurs', () => {
  it('is found with one sample of each run of blocks that has it', () => {
    const [found, ...others] = recurringIn(folds);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ group: STRUCTURE, deviation: 7, least: 1.5 });
    expect(found!.samples).toEqual(Array.from({ length: FOLDS }, (_, fold) => ({ fold, sample: 0 })));
  });

  it('is not what has a size, occurs in one run alone or once a run', () => {
    expect(recurringIn([[scored(1, 7), scored(1.2, 7)], [scored(1, 7)]])).toEqual([]);
    expect(recurringIn([[scored(1, 7), scored(1, 7)], [scored(1, 8)]])).toEqual([]);
    expect(recurringIn([[scored(1, 7)], [scored(1, 7)]])).toEqual([]);
    expect(
      recurringIn([
        [scored(1, 7), scored(1, 7)],
        [undefined, scored(1.1, 7)],
      ]),
    ).toHaveLength(1);
  });

  it('has the value of the version, unless the version knows it better than any of the others did', () => {
    const found = recurringIn(folds)[0]!;
    expect(valueOfAll(found, [scored(1.75, 7), scored(1.75, 7)], TOLERANCE)).toBe(1.75);
    expect(valueOfAll(found, [scored(1.48, 7)], TOLERANCE)).toBe(1.48);
    expect(valueOfAll(found, [scored(1.4, 7)], TOLERANCE)).toBeNull();
    expect(valueOfAll(found, [scored(1.75, 7), scored(1.76, 7)], TOLERANCE)).toBeNull();
    expect(valueOfAll(found, [scored(1.75, 9)], TOLERANCE)).toBeNull();
    expect(valueOfAll(found, [], TOLERANCE)).toBeNull();
  });

  it('stays as probable as it is, whatever the version makes of it', () => {
    const share = 4 / 50;
    for (const own of [1.5, 1.66, 1.75, 2.5]) {
      const samples = folds.flat().map((s) => (s.deviations[STRUCTURE] === 7 ? scored(s.values[0]!, 7, own) : s));
      const calibration = calibrate(
        samples.map((s) => rankedValues(s, TOLERANCE)),
        FOLDS,
      );
      expect(groupP(calibration, 'structure', own)).toBeCloseTo(share, 2);
      // what is rarer than that, is
      expect(groupP(calibration, 'structure', own + 1)).toBeLessThan(0.002);
    }
    const asScored = calibrate(
      folds.flat().map((s) => s.values),
      FOLDS,
    );
    expect(groupP(asScored, 'structure', 1.75)).toBeLessThan(0.002); // without: the fault this is for
  });

  it('changes nothing of other groups', () => {
    const values = rankedValues({ ...scored(1, 7, 2), values: Float64Array.of(1, 0.4, 0.3, 0.2) }, TOLERANCE);
    expect([...values]).toEqual([2 - TOLERANCE, 0.4, 0.3, 0.2]);
  });
});
