/**
 * The realised rate beside the nominal one: what detectors judged, by hour of log time and version. A window is taken once,
 * whatever is said again: those of a partition come in order, so the last one taken is all that is remembered. Bounded.
 */

import type { RateHour } from '../../schemas/alerts/budget.ts';
import { JUDGED_LEVELS, type JudgedCounts } from '../../schemas/log/judged.ts';

export interface Rates {
  /** False when the window was taken before. */
  add(counts: JudgedCounts): boolean;
  /** Hours of which a count changed since they were last given. */
  takeChanged(): RateHour[];
  /** All that is kept. */
  hours(): readonly RateHour[];
  /** Segments a day in the learning window of the version that judged last; 0 = unknown. */
  readonly segmentsPerDay: number;
  forget(nowMs: number): void;
  snapshot(): RatesSnapshot;
}

export interface RatesSnapshot {
  readonly hours: readonly RateHour[];
  readonly taken: readonly (readonly [partitionAndVersion: string, window: number])[];
  readonly segmentsPerDay: number;
}

export const HOUR_MS = 3_600_000;
const KEPT_MS = 48 * HOUR_MS;
/** Partitions times the versions that judge there at once. */
const MAX_TAKEN = 10_000;

export function createRates(snapshot?: RatesSnapshot): Rates {
  const hours = new Map<string, RateHour>(snapshot?.hours.map((hour) => [keyOf(hour), hour]));
  const taken = new Map<string, number>(snapshot?.taken);
  const changed = new Set<string>();
  let segmentsPerDay = snapshot?.segmentsPerDay ?? 0;

  return {
    add(counts) {
      const source = `${counts.partition}:${counts.windowMs}:${counts.version}`;
      if (counts.window <= (taken.get(source) ?? Number.NEGATIVE_INFINITY)) return false;
      taken.delete(source); // the map's order is the order of use
      taken.set(source, counts.window);
      if (taken.size > MAX_TAKEN) taken.delete(taken.keys().next().value!);
      if (counts.segmentsPerDay > 0) segmentsPerDay = counts.segmentsPerDay;
      const hourMs = Math.floor((counts.window * counts.windowMs) / HOUR_MS) * HOUR_MS;
      const key = keyOf({ hourMs, version: counts.version });
      const before = hours.get(key) ?? { ...NOTHING, hourMs, version: counts.version };
      hours.set(key, {
        ...before,
        segments: before.segments + counts.segments,
        below: before.below.map((n, i) => n + counts.below[i]!),
        hard: before.hard.map((n, i) => n + counts.hard[i]!),
      });
      changed.add(key);
      return true;
    },
    takeChanged() {
      const found = [...changed].map((key) => hours.get(key)).filter((hour) => hour !== undefined);
      changed.clear();
      return found;
    },
    hours: () => [...hours.values()],
    get segmentsPerDay() {
      return segmentsPerDay;
    },
    forget(nowMs) {
      for (const [key, { hourMs }] of hours) if (hourMs < nowMs - KEPT_MS) hours.delete(key);
    },
    snapshot: () => ({ hours: [...hours.values()], taken: [...taken], segmentsPerDay }),
  };
}

const NOTHING = { segments: 0, below: JUDGED_LEVELS.map(() => 0), hard: JUDGED_LEVELS.map(() => 0) };

const keyOf = ({ hourMs, version }: { hourMs: number; version: string }): string => `${hourMs} ${version}`;
