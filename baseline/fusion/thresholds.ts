/**
 * Similarity thresholds: the alpha quantile of what calibration traces of the family reached; with too few, the entry
 * operation's, then all families' (DETECTION §0).
 */
import { COMPONENTS, type Component } from '../../schemas/log/verdict.ts';

/** Thresholds in the order of COMPONENTS: structure, timing, parameters. */
export type ThresholdRow = readonly [number, number, number];

export interface Thresholds {
  readonly alpha: number;
  readonly byFamily: ReadonlyMap<string, ThresholdRow>;
  readonly byEntry: ReadonlyMap<string, ThresholdRow>;
  readonly global: ThresholdRow;
}

export interface SimilaritySample {
  readonly familyKey: string;
  /** Entry operation. */
  readonly entry: string;
  readonly timing: number;
  readonly parameters: number;
}

/** A threshold of exactly 1 would make the least deviation infinite. Structure has its own ceiling, 1 − 1/(2|S|). */
export const CEILING: Readonly<Record<Component, number>> = { structure: 0.995, timing: 0.99, parameters: 0.99 };
/** Nothing is so varied that everything is inside it. */
const LEAST = 0.05;

/** Left-out signatures a structure threshold needs at least. */
const MIN_LEFT_OUT = 3;

/**
 * `leaveOneOut` gives a family's leave-one-signature-out similarities. A quantile at alpha needs 1/alpha values; fewer
 * say little about one so rare, and the wider set answers.
 */
export function learnThresholds(
  samples: readonly SimilaritySample[],
  leaveOneOut: (familyKey: string) => readonly number[],
  alpha: number,
): Thresholds {
  const needed = 1 / alpha;
  const families = groupBy(samples, (s) => s.familyKey);
  const entries = groupBy(samples, (s) => s.entry);
  const entryOf = new Map(samples.map((s) => [s.familyKey, s.entry]));
  const leftOut = new Map([...families.keys()].map((key) => [key, leaveOneOut(key)]));
  const leftOutByEntry = new Map<string, number[]>();
  for (const [key, values] of leftOut) pushAll(leftOutByEntry, entryOf.get(key)!, values);

  const all: ThresholdRow = [
    ceil('structure', quantile([...leftOut.values()].flat(), alpha, MIN_LEFT_OUT)),
    ceil('timing', quantile(column(samples, 'timing'), alpha, 1)),
    ceil('parameters', quantile(column(samples, 'parameters'), alpha, 1)),
  ];
  const row = (members: readonly SimilaritySample[], left: readonly number[], wider: ThresholdRow): ThresholdRow => [
    ceil('structure', quantile(left, alpha, MIN_LEFT_OUT) ?? wider[0]),
    ceil('timing', quantile(column(members, 'timing'), alpha, needed) ?? wider[1]),
    ceil('parameters', quantile(column(members, 'parameters'), alpha, needed) ?? wider[2]),
  ];
  const byEntry = new Map<string, ThresholdRow>();
  for (const [entry, members] of entries) byEntry.set(entry, row(members, leftOutByEntry.get(entry) ?? [], all));
  const byFamily = new Map<string, ThresholdRow>();
  for (const [key, members] of families) {
    byFamily.set(key, row(members, leftOut.get(key) ?? [], byEntry.get(entryOf.get(key)!)!));
  }
  return { alpha, byFamily, byEntry, global: all };
}

export const thresholdRow = (thresholds: Thresholds, familyKey: string, entry: string): ThresholdRow =>
  thresholds.byFamily.get(familyKey) ?? thresholds.byEntry.get(entry) ?? thresholds.global;

const ceil = (component: Component, value: number | undefined): number =>
  Math.max(LEAST, Math.min(CEILING[component], value ?? CEILING[component]));

/** Lower alpha quantile; undefined with fewer than `needed` values. */
function quantile(values: readonly number[], alpha: number, needed: number): number | undefined {
  if (values.length === 0 || values.length < needed) return undefined;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.floor(alpha * (sorted.length + 1)) - 1)]!;
}

const column = (samples: readonly SimilaritySample[], key: 'timing' | 'parameters'): number[] =>
  samples.map((sample) => sample[key]);

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function pushAll(into: Map<string, number[]>, key: string, values: readonly number[]): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [...values]);
  else known.push(...values);
}

export interface ThresholdsForm {
  readonly alpha: number;
  readonly byFamily: readonly (readonly [string, ThresholdRow])[];
  readonly byEntry: readonly (readonly [string, ThresholdRow])[];
  readonly global: ThresholdRow;
}

export const thresholdsToForm = (thresholds: Thresholds): ThresholdsForm => ({
  alpha: thresholds.alpha,
  byFamily: [...thresholds.byFamily],
  byEntry: [...thresholds.byEntry],
  global: thresholds.global,
});

export const thresholdsFromForm = (form: ThresholdsForm): Thresholds => ({
  alpha: form.alpha,
  byFamily: new Map(form.byFamily),
  byEntry: new Map(form.byEntry),
  global: form.global,
});

/** Index of the component that deviates most. */
export function worstComponent(deviation: ArrayLike<number>): Component {
  let worst = 0;
  for (let c = 1; c < COMPONENTS.length; c++) if (deviation[c]! > deviation[worst]!) worst = c;
  return COMPONENTS[worst]!;
}
