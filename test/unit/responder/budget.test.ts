/** The budget of false alerts: what moves its threshold, how fast, and what does not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBudget, MOST_A_DAY } from '../../../responder/incidents/budget.ts';
import { driftOf } from '../../../responder/incidents/drift.ts';
import { createRates, HOUR_MS } from '../../../responder/incidents/rates.ts';
import type { JudgedCounts } from '../../../schemas/log/judged.ts';
import { DAY, JUDGED } from './verdicts.ts';

const START = Math.floor(DAY / HOUR_MS) * HOUR_MS;
const DAYS = 24 * HOUR_MS;

/** An hour of traffic of one partition: so many segments, so many at or below each level. */
const hourOf = (hour: number, segments: number, below: readonly number[], hard = [0, 0, 0]): JudgedCounts => ({
  ...JUDGED,
  window: (START + hour * HOUR_MS) / JUDGED.windowMs,
  segments,
  below,
  hard,
});

function budgetOf(perDay = 5) {
  const rates = createRates();
  const budget = createBudget(perDay, rates);
  return {
    rates,
    budget,
    /** Hours [from, to) in which p ≤ 0.01 came `ratio` times as often as promised. */
    hours(from: number, to: number, ratio: number, hardToo = false) {
      for (let hour = from; hour < to; hour++) {
        const below = [20 * ratio, 2 * ratio, 0];
        rates.add(hourOf(hour, 2_000, below, hardToo ? [20 * ratio - 20, 2 * ratio - 2, 0] : [0, 0, 0]));
        budget.tick(START + (hour + 1) * HOUR_MS);
      }
    },
  };
}

describe('rates', () => {
  it('take a window once, in the order of its partition and version', () => {
    const rates = createRates();
    expect(rates.add(JUDGED)).toBe(true);
    expect(rates.add(JUDGED)).toBe(false);
    expect(rates.add({ ...JUDGED, window: JUDGED.window - 1 })).toBe(false); // time running backwards
    expect(rates.add({ ...JUDGED, partition: 1 })).toBe(true);
    expect(rates.add({ ...JUDGED, version: 'v2' })).toBe(true);
    expect(rates.hours().map(({ version, segments, below }) => [version, segments, below])).toEqual([
      ['v1', 2_000, [20, 2, 0]],
      ['v2', 1_000, [10, 1, 0]],
    ]);
  });

  it('give what changed once, and go on from a snapshot', () => {
    const rates = createRates();
    rates.add(JUDGED);
    expect(rates.takeChanged()).toHaveLength(1);
    expect(rates.takeChanged()).toEqual([]);
    const again = createRates(JSON.parse(JSON.stringify(rates.snapshot())));
    expect(again.add(JUDGED)).toBe(false);
    expect(again.hours()).toEqual(rates.hours());
    again.forget(DAY + 3 * DAYS);
    expect(again.hours()).toEqual([]);
  });
});

describe('drift', () => {
  it('is unknown until three blocks of a thousand segments are there, and is measured at hours that are over', () => {
    const { rates } = budgetOf();
    for (let hour = 0; hour < 3; hour++) rates.add(hourOf(hour, 2_000, [60, 6, 0]));
    expect(driftOf(rates.hours(), START + 3 * HOUR_MS - 1)).toEqual({ ratio: 1, nominal: 0 });
    expect(driftOf(rates.hours(), START + 3 * HOUR_MS)).toEqual({ ratio: 3, nominal: 1e-2 });
  });

  it('is measured where alerts are, when there is traffic enough', () => {
    const { rates } = budgetOf();
    for (let hour = 0; hour < 6; hour++) rates.add(hourOf(hour, 100_000, [1_000, 400, 20]));
    expect(driftOf(rates.hours(), START + 6 * HOUR_MS)).toEqual({ ratio: 2, nominal: 1e-4 });
  });

  it('of little traffic is measured over longer times than hours', () => {
    const { rates } = budgetOf();
    for (let hour = 0; hour < 30; hour++) rates.add(hourOf(hour, 100, [2, 0, 0]));
    expect(driftOf(rates.hours(), START + 30 * HOUR_MS)).toEqual({ ratio: 2, nominal: 1e-2 });
  });

  it('does not loosen for the body of p what its tail needs', () => {
    const tail = (small: number) => {
      const { rates } = budgetOf();
      for (let hour = 0; hour < 24; hour++) rates.add(hourOf(hour, 2_000, [5, hour < small ? 5 : 0, 0]));
      return driftOf(rates.hours(), START + 24 * HOUR_MS).ratio;
    };
    expect(tail(0)).toBe(0.25);
    expect(tail(8)).toBeCloseTo(40 / 48, 9);
    expect(tail(24)).toBe(1); // twice as often as promised there: too little for a median, enough not to loosen
  });

  it('is not moved by an attack of some hours, nor by what has a hard finding', () => {
    const attacked = budgetOf();
    attacked.hours(0, 24, 1);
    for (let hour = 24; hour < 32; hour++) attacked.rates.add(hourOf(hour, 2_000, [900, 800, 700]));
    expect(driftOf(attacked.rates.hours(), START + 32 * HOUR_MS).ratio).toBe(1);
    const hard = budgetOf();
    hard.hours(0, 24, 5, true);
    expect(driftOf(hard.rates.hours(), START + 24 * HOUR_MS).ratio).toBe(1);
  });
});

describe('the threshold', () => {
  it('is the budget over the segments of a day, and nothing while a day is not known', () => {
    const { budget } = budgetOf(5);
    expect(budget.thresholdFor(100_000)).toBe(5e-5);
    expect(budget.thresholdFor(0)).toBe(0);
    expect(budgetOf(0).budget.thresholdFor(100_000)).toBe(0);
  });

  it('gets stricter where p promises too much and looser where it promises too little, half a decade a day at most', () => {
    for (const [ratio, sign] of [
      [30, -1],
      [0.1, 1],
    ] as const) {
      const { budget, hours } = budgetOf();
      hours(0, 24, ratio);
      const first = Math.log10(budget.thresholdFor(100_000) / 5e-5);
      expect(Math.sign(first)).toBe(sign);
      expect(Math.abs(first)).toBeLessThanOrEqual(MOST_A_DAY + 1e-9);
      expect(Math.abs(first)).toBeGreaterThan(0.4); // the first hours measure nothing
      hours(24, 24 * 8, ratio);
      expect(Math.log10(budget.thresholdFor(100_000) / 5e-5)).toBeCloseTo(-Math.log10(ratio), 6);
    }
  });

  it('comes back when calibration does', () => {
    const { budget, hours } = budgetOf();
    hours(0, 48, 10);
    expect(budget.state(START + 48 * HOUR_MS).shift).toBeLessThan(-0.9);
    hours(48, 48 + 72, 1);
    expect(budget.state(START + 120 * HOUR_MS).shift).toBeCloseTo(0, 6);
  });

  it('never moves faster, whatever is said, and never beyond its bounds', () => {
    const hour = fc.record({
      segments: fc.nat(50_000),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      skip: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(hour, { maxLength: 60 }), (all) => {
        const { rates, budget } = budgetOf();
        let at = 0;
        let before = { at: 0, shift: 0 };
        for (const { segments, share, skip } of all) {
          at += 1 + skip;
          const n = Math.floor(segments * share);
          rates.add(hourOf(at, segments, [n, n, n]));
          budget.tick(START + (at + 1) * HOUR_MS);
          const { shift } = budget.state(START + (at + 1) * HOUR_MS);
          expect(Math.abs(shift - before.shift)).toBeLessThanOrEqual(
            (MOST_A_DAY / 24) * Math.min(24, at - before.at + 1) + 1e-9,
          );
          expect(shift).toBeGreaterThanOrEqual(-2);
          expect(shift).toBeLessThanOrEqual(1);
          before = { at, shift };
        }
      }),
      { seed: 5, numRuns: 50 },
    );
  });

  it('is moved by no number of alerts alone', () => {
    const { budget, hours } = budgetOf();
    for (let i = 0; i < 3_000; i++) budget.opened(`i${i}`, START + i * 1_000);
    hours(0, 48, 1);
    expect(budget.state(START + 2 * DAYS).shift).toBe(0);
  });

  it('gets stricter when operators expected more of them than the budget allows, and not while they stay in it', () => {
    for (const [judged, shift] of [
      [5, 0],
      [50, -Math.log10(10)],
    ] as const) {
      const { budget } = budgetOf(5);
      budget.tick(START);
      for (let day = 0; day < 7; day++) {
        for (let i = 0; i < judged; i++) {
          budget.opened(`i${day} ${i}`, START + day * DAYS + i * 1_000);
          budget.judge(`i${day} ${i}`, 'benign');
        }
        for (let hour = 1; hour <= 24; hour++) budget.tick(START + day * DAYS + hour * HOUR_MS);
      }
      expect(budget.state(START + 7 * DAYS - 1).shift).toBeCloseTo(shift, 1);
    }
  });

  it('gets looser when they were true and few may be false, and takes that back with the word', () => {
    const { budget } = budgetOf(5);
    budget.tick(START);
    budget.opened('true one', START);
    budget.judge('true one', 'true');
    for (let hour = 1; hour <= 30; hour++) budget.tick(START + hour * HOUR_MS);
    expect(budget.state(START + 30 * HOUR_MS)).toMatchObject({ trueLastWeek: 1, softLastDay: 0 });
    expect(budget.state(START + 30 * HOUR_MS).shift).toBeCloseTo(0.5, 1);
    budget.judge('true one', '');
    for (let hour = 31; hour <= 60; hour++) budget.tick(START + hour * HOUR_MS);
    expect(budget.state(START + 60 * HOUR_MS).shift).toBeCloseTo(0, 6);
  });

  it('forgets what turned out to be more than soft', () => {
    const { budget } = budgetOf();
    budget.opened('i', START);
    budget.leave('i');
    budget.judge('i', 'benign');
    expect(budget.state(START)).toMatchObject({ softLastDay: 0, benignLastWeek: 0 });
  });

  it('says target and realised rate, and goes on from a snapshot', () => {
    const { budget, rates, hours } = budgetOf();
    hours(0, 24, 2);
    budget.opened('i', START + 23 * HOUR_MS);
    budget.judge('i', 'benign');
    const state = budget.state(START + 24 * HOUR_MS);
    expect(state).toMatchObject({
      targetPerDay: 5,
      drift: 2,
      driftNominal: 1e-2,
      segmentsPerDay: 100_000,
      segmentsLastDay: 23 * 2_000,
      softLastDay: 1,
      benignLastWeek: 1,
    });
    expect(state.expectedLastDay).toBeCloseTo(46_000 * state.threshold * 2, 9);
    const again = createBudget(5, rates, JSON.parse(JSON.stringify(budget.snapshot())));
    expect(again.state(START + 24 * HOUR_MS)).toEqual(state);
    expect(again.tick(START + 24 * HOUR_MS)).toBe(false);
  });
});
