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
  /** Observations it rests on. */
  readonly count: number;
}

export interface CollectiveRates {
  /** By rateKey. */
  readonly byKey: ReadonlyMap<string, CollectiveRate>;
  /** Over all keys, for those with too few observations. */
  readonly overall: CollectiveRate;
}

export const NOMINAL_RATE: CollectiveRate = { exceedance: 0.01, above: 0.001, dispersion: 1.5, count: 0 };
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
  byKey: new Map(form.byKey),
  overall: form.overall,
});

export const rateKey = (service: string, label: string, feature: string): string => `${label}|${service}|${feature}`;
