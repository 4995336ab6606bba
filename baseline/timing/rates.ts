/**
 * Collective rates: how often observations of a timing key exceed p ≤ .01 in normal traffic, and how much that varies from
 * window to window. Learned from the cross-fitted calibration segments, since a nominal rate is not a realised one.
 */

export interface CollectiveRate {
  /** Share of observations with p ≤ 0.01. */
  readonly exceedance: number;
  /** Share of observations above the learned maximum. */
  readonly above: number;
  /** Variance over mean of the exceedances of a window; 1 = Poisson. */
  readonly dispersion: number;
  /** Share with p ≤ 0.1, and its dispersion. */
  readonly wide: number;
  readonly wideDispersion: number;
  /** Observations it rests on. */
  readonly count: number;
}

export interface CollectiveRates {
  /** By rateKey. */
  readonly byKey: ReadonlyMap<string, CollectiveRate>;
  /** Over all keys, for those with too few observations. */
  readonly overall: CollectiveRate;
}

/** Sums of these are exact in any order: the same traffic gives the same version. */
const UNIT = 2 ** -24;
const inUnits = (rate: number): number => Math.round(rate / UNIT) * UNIT;

/** How often chance alone exceeds p ≤ `level`, or leaves all that was learned on either side where that says more. */
export const nominalExceedance = (learned: number, level: number): number =>
  inUnits(Math.max(level, 2 / (learned + 1)));

/** How often a new value is the largest of all. */
export const nominalAbove = (learned: number): number => inUnits(1 / (learned + 1));

export const NOMINAL_RATE: CollectiveRate = {
  exceedance: 0.01,
  above: 0.001,
  dispersion: 1.5,
  wide: 0.1,
  wideDispersion: 2,
  count: 0,
};
export const NO_RATES: CollectiveRates = { byKey: new Map(), overall: NOMINAL_RATE };

export interface CollectiveForm {
  readonly byKey: readonly (readonly [string, CollectiveRate])[];
  readonly overall: CollectiveRate;
}

export const ratesToForm = (rates: CollectiveRates): CollectiveForm => ({
  byKey: [...rates.byKey],
  overall: rates.overall,
});

export const ratesFromForm = (form: CollectiveForm): CollectiveRates => ({
  byKey: new Map(form.byKey.map(([key, rate]) => [key, { ...UNKNOWN_WIDE, ...rate }])),
  overall: { ...UNKNOWN_WIDE, ...form.overall },
});

/** Of versions that were made before it was counted. */
const UNKNOWN_WIDE = { wide: NOMINAL_RATE.wide, wideDispersion: NOMINAL_RATE.wideDispersion };

export const rateKey = (service: string, label: string, feature: string): string => `${label}|${service}|${feature}`;
