/** Collective rates from the calibration segments, as their cross-fitted models saw them (see rates.ts). */
import type { Segment } from '../../traces/segment.ts';
import { createCollectiveCounter } from './collective-counter.ts';
import type { TimingModel } from './model.ts';
import { type CollectiveRate, type CollectiveRates, NO_RATES, NOMINAL_RATE, rateKey } from './rates.ts';

export const COLLECTIVE_WINDOW_MS = 20_000;

/** Observations worth one unit of prior belief in the overall rate. */
const PRIOR = 200;
/** Windows worth of prior belief in the usual dispersion. */
const PRIOR_WINDOWS = 5;
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
  const rated = [...tallies].map(([id, tally]) => {
    const exceedance = (tally.exceedances + PRIOR * mean.exceedance) / (tally.count + PRIOR);
    return { id, tally, exceedance, spread: pearson(tally.windows, exceedance) };
  });
  // The usual key's dispersion, not the mean: one service that stalls must not make all others look restless.
  const spreads = rated.map(({ spread, tally }) => spread / tally.windows.length).sort((a, b) => a - b);
  const usual = Math.max(1, spreads[spreads.length >> 1]!);
  const byKey = new Map<string, CollectiveRate>();
  for (const { id, tally, exceedance, spread } of rated) {
    const own = (spread + PRIOR_WINDOWS * usual) / (tally.windows.length + PRIOR_WINDOWS);
    byKey.set(id, {
      exceedance,
      above: (tally.above + PRIOR * mean.above) / (tally.count + PRIOR),
      dispersion: Math.min(MOST_DISPERSION, Math.max(1, unsampled(own, sampled))),
      count: tally.count,
    });
  }
  return { byKey, overall: { ...mean, dispersion: Math.min(MOST_DISPERSION, unsampled(usual, sampled)) } };
}

/** Pearson's statistic of the windows against a constant rate. */
function pearson(windows: Tally['windows'], rate: number): number {
  let sum = 0;
  for (const { count, exceedances } of windows) {
    const expected = count * rate;
    sum += (exceedances - expected) ** 2 / Math.max(expected * (1 - rate), 1e-9);
  }
  return sum;
}

/** Thinning hides over-dispersion: of φ − 1 only the sampled share is left. */
const unsampled = (dispersion: number, sampled: number): number => 1 + (dispersion - 1) / Math.max(0.01, sampled);
