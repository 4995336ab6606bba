/** Collective rates from the calibration segments, as their cross-fitted models saw them (see rates.ts). */
import type { Segment } from '../../traces/segment.ts';
import { createCollectiveCounter } from './collective-counter.ts';
import type { TimingModel } from './model.ts';
import { type CollectiveRate, type CollectiveRates, NO_RATES, rateKey } from './rates.ts';

export const COLLECTIVE_WINDOW_MS = 20_000;

/** Observations' worth of prior belief that a key exceeds as often as its nominal rate and all others say. */
const PRIOR = 200;
const PRIOR_HITS = 2;
/** The counter then says what chance alone would give. */
const UNRATED: CollectiveRates = {
  byKey: new Map(),
  overall: { exceedance: 0, above: 0, dispersion: 1, wide: 0, wideDispersion: 1, count: 0 },
};
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
  above: number;
  aboveNominal: number;
  /** Exceedances of the two levels, and what chance alone would give of them. */
  readonly hits: Level<{ hits: number; nominal: number }>;
  readonly windows: { count: number; hits: Level<number> }[];
}

type Level<T> = { narrow: T; wide: T };
const LEVELS = ['narrow', 'wide'] as const;

const newTally = (): Tally => ({
  count: 0,
  above: 0,
  aboveNominal: 0,
  hits: { narrow: { hits: 0, nominal: 0 }, wide: { hits: 0, nominal: 0 } },
  windows: [],
});

export function createRateBook(): RateBook {
  const counter = createCollectiveCounter({
    partition: 0,
    windowMs: COLLECTIVE_WINDOW_MS,
    version: '',
    rates: UNRATED,
  });
  return {
    add: (timing, segment) => counter.add(timing, segment, 0),
    rates(sampled) {
      const tallies = new Map<string, Tally>();
      const whole = newTally();
      for (const { keys } of counter.close(Number.POSITIVE_INFINITY)) {
        for (const key of keys) {
          const id = rateKey(key.service, key.label, key.feature);
          let tally = tallies.get(id);
          if (tally === undefined) {
            tally = newTally();
            tallies.set(id, tally);
          }
          const hits = { narrow: key.exceedances, wide: key.wide ?? 0 };
          for (const into of [tally, whole]) {
            into.count += key.count;
            into.above += key.aboveMaximum;
            into.aboveNominal += key.aboveExpected ?? 0;
            into.hits.narrow.hits += hits.narrow;
            into.hits.narrow.nominal += key.expected;
            into.hits.wide.hits += hits.wide;
            into.hits.wide.nominal += key.wideExpected ?? 0;
          }
          tally.windows.push({ count: key.count, hits });
        }
      }
      return whole.count === 0 ? NO_RATES : ratesOf(tallies, whole, Math.min(1, sampled));
    },
  };
}

function ratesOf(tallies: ReadonlyMap<string, Tally>, whole: Tally, sampled: number): CollectiveRates {
  /** Shrunk to what is nominal for the key, times how far all together are from nominal. */
  const rate = (hits: number, nominal: number, count: number, ratio: number): number =>
    (hits + (PRIOR * ratio * nominal) / count) / (count + PRIOR);
  const ratioOf = (hits: number, nominal: number): number => (hits + PRIOR_HITS) / (nominal + PRIOR_HITS);
  const aboveRatio = ratioOf(whole.above, whole.aboveNominal);
  const above = (tally: Tally): number => rate(tally.above, tally.aboveNominal, tally.count, aboveRatio);
  const level = (name: keyof Level<unknown>) => {
    const { hits, nominal } = whole.hits[name];
    const ratio = ratioOf(hits, nominal);
    const rateOf = (tally: Tally): number => rate(tally.hits[name].hits, tally.hits[name].nominal, tally.count, ratio);
    const rated = new Map([...tallies].map(([id, tally]) => [id, spreadOf(tally, name, rateOf(tally))]));
    // The usual key's dispersion, not the mean: one service that stalls must not make all others look restless.
    const spreads = [...rated].map(([id, spread]) => spread / tallies.get(id)!.windows.length).sort((a, b) => a - b);
    const usual = Math.max(1, spreads[spreads.length >> 1]!);
    const dispersionOf = (id: string, tally: Tally): number => {
      const own = (rated.get(id)! + PRIOR_WINDOWS * usual) / (tally.windows.length + PRIOR_WINDOWS);
      return Math.min(MOST_DISPERSION, Math.max(1, unsampled(own, sampled)));
    };
    return { rateOf, dispersionOf, usual: Math.min(MOST_DISPERSION, unsampled(usual, sampled)) };
  };
  const [narrow, wide] = LEVELS.map(level) as [ReturnType<typeof level>, ReturnType<typeof level>];
  const byKey = new Map<string, CollectiveRate>();
  for (const [id, tally] of tallies) {
    byKey.set(id, {
      exceedance: narrow.rateOf(tally),
      above: above(tally),
      dispersion: narrow.dispersionOf(id, tally),
      wide: wide.rateOf(tally),
      wideDispersion: wide.dispersionOf(id, tally),
      count: tally.count,
    });
  }
  return {
    byKey,
    overall: {
      exceedance: narrow.rateOf(whole),
      above: above(whole),
      dispersion: narrow.usual,
      wide: wide.rateOf(whole),
      wideDispersion: wide.usual,
      count: whole.count,
    },
  };
}

/** Pearson's statistic of the windows against a constant rate. */
function spreadOf({ windows }: Tally, name: keyof Level<unknown>, rate: number): number {
  let sum = 0;
  for (const { count, hits } of windows) {
    const expected = count * rate;
    sum += (hits[name] - expected) ** 2 / Math.max(expected * (1 - rate), 1e-9);
  }
  return sum;
}

/** Thinning hides over-dispersion: of φ − 1 only the sampled share is left. */
const unsampled = (dispersion: number, sampled: number): number => 1 + (dispersion - 1) / Math.max(0.01, sampled);
