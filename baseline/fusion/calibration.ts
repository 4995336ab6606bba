/**
 * Calibration of a version: each group re-ranked by itself, groups joined by a weighted harmonic mean, the result
 * re-ranked once more, with a generalised-Pareto tail beyond the sample (DETECTION §5.2, §5.3).
 */
import { GROUPS, type Group } from '../../schemas/log/verdict.ts';
import { createRanking, fromForm, type Ranking, type RankingForm, rankAmongOthers, rankOf, toForm } from './ranking.ts';
import { fitPareto, type ParetoTail, scaleOf, tailProbability } from './tail.ts';

/** Weights of the groups, summing to 1. A group without evidence has p = 1 and keeps its weight. */
export const GROUP_WEIGHTS: Readonly<Record<Group, number>> = {
  structure: 0.35,
  timing: 0.25,
  parameters: 0.3,
  status: 0.1,
};

/** Severity breaks ties of equal surprise: floors limit what is claimed, never the order (DETECTION §0a.8). */
const SEVERITY_UNIT = 0.01;
const SEVERITY_CAP = 99;

export const severityShare = (severity: number): number => SEVERITY_UNIT * Math.min(severity, SEVERITY_CAP);

/** The value by which a group is ranked. */
export const groupValue = (surprise: number, severity: number): number => surprise + severityShare(severity);

export interface Calibration {
  readonly groups: Readonly<Record<Group, Ranking>>;
  /** Ranking of log10 Σ w/p. */
  readonly fused: Ranking;
  readonly tail: ParetoTail | undefined;
  /**
   * Decades by which a floor moves between the models that scored the calibration segments and the version's own: those
   * have learned a fold less, so where they stopped at 1/(N − N/K) the version stops at 1/N. Without it, whatever normal
   * traffic stops at the floor would look like never seen.
   */
  readonly tolerance: number;
}

/** A calibration segment: one value a group, in the order of GROUPS. */
export type GroupValues = Float64Array;

/** log10 of 1/p* from re-ranked group p's. */
export function fuse(p: ArrayLike<number>): number {
  let sum = 0;
  for (let g = 0; g < GROUPS.length; g++) sum += GROUP_WEIGHTS[GROUPS[g]!] / p[g]!;
  return Math.log10(sum);
}

/** Most tail values the last fit uses, and the share of the sample it may reach into. */
const TAIL_VALUES = 250;
const TAIL_SHARE = 0.05;
/** Shape of the last tail: log10 p of a calibrated mixture has an exponential tail, ξ = 0; heavier is allowed. */
const SHAPE_LOW = 0;
const SHAPE_HIGH = 0.3;

/**
 * Decades that rounding may move a value beyond the floors: of bins, and of 1 + counts against counts. Nothing for masses that wander
 * from one fold's model to the next: the calibration values hold that wandering already, as each fold's were scored by another
 * model, and the version's, learned from all, lies amid them (docs/adr/024 has the measurement).
 */
const ROUNDING = 0.005;

/** p of a group's value under the version. */
export const groupP = (calibration: Calibration, group: Group, value: number): number =>
  rankOf(calibration.groups[group], value - calibration.tolerance - ROUNDING);

/** Decades between a floor of models that lack one of so many folds and of a version that lacks none. */
export const toleranceOf = (folds: number): number => (folds < 2 ? 0 : Math.log10(folds / (folds - 1)));

/** `folds`: of the cross-fitting that scored the samples. */
export function calibrate(samples: readonly GroupValues[], folds: number): Calibration {
  const column = (g: number): Float64Array => {
    const values = new Float64Array(samples.length);
    for (let i = 0; i < values.length; i++) values[i] = samples[i]![g]!;
    return values;
  };
  const rankings = GROUPS.map((_, g) => createRanking(column(g)));
  const fusedValues = new Float64Array(samples.length);
  const p = new Float64Array(GROUPS.length);
  for (let i = 0; i < samples.length; i++) {
    for (let g = 0; g < GROUPS.length; g++) p[g] = rankAmongOthers(rankings[g]!, samples[i]![g]!);
    fusedValues[i] = fuse(p);
  }
  return {
    groups: byGroup((g) => rankings[g]!),
    fused: createRanking(fusedValues),
    tail: fitTail(fusedValues),
    tolerance: toleranceOf(folds),
  };
}

const byGroup = <T>(value: (index: number) => T): Record<Group, T> => ({
  structure: value(0),
  timing: value(1),
  parameters: value(2),
  status: value(3),
});

function fitTail(values: Float64Array): ParetoTail | undefined {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  const k = Math.min(TAIL_VALUES, Math.floor(n * TAIL_SHARE));
  if (k < 20) return undefined;
  const threshold = sorted[n - k - 1]!;
  const excesses = sorted.subarray(n - k).map((x) => x - threshold);
  let mean = 0;
  for (const excess of excesses) mean += excess / k;
  if (!(mean > 0)) return undefined;
  const shape = Math.min(SHAPE_HIGH, Math.max(SHAPE_LOW, fitPareto(excesses)?.shape ?? 0));
  return { threshold, weight: k / n, shape, scale: scaleOf(mean, shape), count: k };
}

/** Calibrated p of a fused value: its rank inside the sample, the fitted tail beyond it, never above 1/(n + 1) there. */
export function finalP(calibration: Calibration, fused: number): number {
  const { fused: ranking, tail } = calibration;
  const { n, at } = ranking;
  if (n === 0) return 1;
  const inside = rankOf(ranking, Math.min(fused, at[at.length - 1]!));
  if (fused <= at[at.length - 1]! || tail === undefined) return inside;
  return Math.min(inside, 1 / (n + 1), tailProbability(tail, fused));
}

/** 95 % interval of finalP: Wilson inside the sample, the fit's own spread beyond it (its scale is known to ±2/√k). */
export function finalInterval(calibration: Calibration, fused: number): readonly [number, number] {
  const { n, at } = calibration.fused;
  const p = finalP(calibration, fused);
  if (n === 0) return [0, 1];
  const { tail } = calibration;
  if (tail !== undefined && fused > at[at.length - 1]!) {
    const spread = 2 / Math.sqrt(tail.count);
    const bound = (factor: number): number => tailProbability({ ...tail, scale: tail.scale * factor }, fused);
    return [Math.min(p, bound(Math.max(0.05, 1 - spread))), Math.max(p, bound(1 + spread))];
  }
  const z = 1.96;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

export interface CalibrationForm {
  readonly groups: Readonly<Record<Group, RankingForm>>;
  readonly fused: RankingForm;
  readonly tail: ParetoTail | null;
  readonly tolerance: number;
}

export const calibrationToForm = (calibration: Calibration): CalibrationForm => ({
  groups: byGroup((g) => toForm(calibration.groups[GROUPS[g]!])),
  fused: toForm(calibration.fused),
  tail: calibration.tail ?? null,
  tolerance: calibration.tolerance,
});

export const calibrationFromForm = (form: CalibrationForm): Calibration => ({
  groups: byGroup((g) => fromForm(form.groups[GROUPS[g]!])),
  fused: fromForm(form.fused),
  tail: form.tail ?? undefined,
  tolerance: form.tolerance,
});
