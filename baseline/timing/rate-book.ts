/** Collective rates from the calibration segments, as their cross-fitted models saw them (see rates.ts). */
import type { Segment } from '../../traces/segment.ts';
import { createCollectiveCounter } from './collective-counter.ts';
import type { TimingModel } from './model.ts';
import { type CollectiveRate, type CollectiveRates, NO_RATES, NOMINAL_RATE, rateKey } from './rates.ts';

export const COLLECTIVE_WINDOW_MS = 20_000;

/** Observations worth one unit of prior belief in the overall rate. */
const PRIOR = 200;
const MOST_DISPERSION = 50;

export interface RateBook {
  /** After `timing` scored `segment`. */
  add(timing: TimingModel, segment: Segment): void;
  /** `sampled`: share of all traffic that was added. */
  rates(sampled: number): CollectiveRates;
}

interface Tally {
  count: number;
  exceedances: number;
  above: number;
  windows: { count: number; exceedances: number }[];
}

export function createRateBook(): RateBook {
  const counter = createCollectiveCounter({
    partition: 0,
    windowMs: COLLECTIVE_WINDOW_MS,
    version: '',
    rates: NO_RATES,
  });
  return {
    add: (timing, segment) => counter.add(timing, segment, 0),
    rates(sampled) {
      const tallies = new Map<string, Tally>();
      for (const { keys } of counter.close(Number.POSITIVE_INFINITY)) {
        for (const key of keys) {
          const id = rateKey(key.service, key.label, key.feature);
          let tally = tallies.get(id);
          if (tally === undefined) {
            tally = { count: 0, exceedances: 0, above: 0, windows: [] };
            tallies.set(id, tally);
          }
          tally.count += key.count;
          tally.exceedances += key.exceedances;
          tally.above += key.aboveMaximum;
          tally.windows.push({ count: key.count, exceedances: key.exceedances });
        }
      }
      return ratesOf(tallies, Math.min(1, sampled));
    },
  };
}

function ratesOf(tallies: ReadonlyMap<string, Tally>, sampled: number): CollectiveRates {
  let count = 0;
  let exceedances = 0;
  let above = 0;
  for (const tally of tallies.values()) {
    count += tally.count;
    exceedances += tally.exceedances;
    above += tally.above;
  }
  if (count === 0) return NO_RATES;
  const share = (hits: number, nominal: number): number => (hits + nominal * PRIOR) / (count + PRIOR);
  const mean: CollectiveRate = {
    exceedance: share(exceedances, NOMINAL_RATE.exceedance),
    above: share(above, NOMINAL_RATE.above),
    dispersion: 1,
    count,
  };
  const byKey = new Map<string, CollectiveRate>();
  let spread = 0;
  let windows = 0;
  for (const [id, tally] of tallies) {
    const exceedance = (tally.exceedances + PRIOR * mean.exceedance) / (tally.count + PRIOR);
    const [sum, freedom] = pearson(tally.windows, exceedance);
    spread += sum;
    windows += freedom;
    byKey.set(id, {
      exceedance,
      above: (tally.above + PRIOR * mean.above) / (tally.count + PRIOR),
      dispersion: sum, // divided below, once the overall value is known
      count: tally.count,
    });
  }
  const overall = { ...mean, dispersion: unsampled(Math.max(1, spread / Math.max(1, windows)), sampled) };
  for (const [id, rate] of byKey) {
    const freedom = tallies.get(id)!.windows.length;
    const own = unsampled((rate.dispersion + 10 * overall.dispersion) / (freedom + 10), sampled);
    byKey.set(id, { ...rate, dispersion: Math.min(MOST_DISPERSION, Math.max(1, own)) });
  }
  return { byKey, overall };
}

/** Pearson's statistic of the windows against a constant rate, and how many there are. */
function pearson(windows: Tally['windows'], rate: number): readonly [number, number] {
  let sum = 0;
  for (const { count, exceedances } of windows) {
    const expected = count * rate;
    sum += (exceedances - expected) ** 2 / Math.max(expected * (1 - rate), 1e-9);
  }
  return [sum, windows.length];
}

/** Thinning hides over-dispersion: of φ − 1 only the sampled share is left. */
const unsampled = (dispersion: number, sampled: number): number => 1 + (dispersion - 1) / Math.max(0.01, sampled);
