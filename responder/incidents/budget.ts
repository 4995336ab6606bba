/**
 * The budget: B false alerts a day that chance may cause (DETECTION §6). It sets how small p must be for a soft finding to open
 * an incident: B / segments a day, moved by what p turned out to be worth (drift) and by what operators said of incidents
 * (judged benign or true), at most half a decade a day. The number of alerts alone never moves it, so noise cannot make
 * it deaf; and it caps nothing: what is below it is told, however much that is.
 */
import type { BudgetState } from '../../schemas/alerts/budget.ts';
import { type Drift, driftOf } from './drift.ts';
import { HOUR_MS, type Rates } from './rates.ts';

export interface Budget {
  /** A soft finding opens an incident at p ≤ this. */
  thresholdFor(segmentsPerDay: number): number;
  /** A soft incident was opened or reopened. */
  opened(id: string, atMs: number): void;
  /** It turned out to be more than a soft one, or part of another. */
  leave(id: string): void;
  /** An operator said what it was; '' takes it back. */
  judge(id: string, as: '' | 'benign' | 'true'): void;
  /** Moves the threshold at each full hour of log time; true when it was looked at. */
  tick(nowMs: number): boolean;
  state(nowMs: number): BudgetState;
  snapshot(): BudgetSnapshot;
}

interface SoftIncident {
  readonly id: string;
  readonly atMs: number;
  judged: '' | 'benign' | 'true';
}

export interface BudgetSnapshot {
  readonly shift: number;
  readonly hour: number;
  readonly sinceMs: number;
  readonly soft: readonly SoftIncident[];
}

const DAY_MS = 24 * HOUR_MS;
/** Decades that the threshold may move in an hour: half a one in a day. */
export const MOST_A_DAY = 0.5;
const MOST_AN_HOUR = MOST_A_DAY / 24;
/** Beyond this the baseline itself is wrong: the threshold does not follow. */
const LOWEST = -2;
const HIGHEST = 1;
/** Operators' words count for so long. */
const JUDGED_MS = 7 * DAY_MS;
const MAX_SOFT = 2_000;
/** Decades that true ones may win where the false ones leave room in the budget. */
const MOST_FOR_TRUE = 0.5;

export function createBudget(budgetPerDay: number, rates: Rates, snapshot?: BudgetSnapshot): Budget {
  let shift = snapshot?.shift ?? 0;
  let hour = snapshot?.hour ?? 0;
  /** Since when there is anything to judge. */
  let sinceMs = snapshot?.sinceMs ?? 0;
  let soft: SoftIncident[] = snapshot?.soft.map((one) => ({ ...one })) ?? [];

  const thresholdFor = (segmentsPerDay: number): number =>
    segmentsPerDay > 0 ? Math.min(1, (budgetPerDay / segmentsPerDay) * 10 ** shift) : 0;

  /** Decades for what operators said: silence is no word, so few false alerts alone loosen nothing. */
  function judgedShift(nowMs: number): number {
    if (budgetPerDay <= 0) return 0;
    const days = Math.min(JUDGED_MS, Math.max(DAY_MS, nowMs - sinceMs)) / DAY_MS;
    const aDay = (is: (one: SoftIncident) => boolean): number => soft.filter(is).length / days;
    const benign = aDay(({ judged }) => judged === 'benign');
    if (benign > budgetPerDay) return -Math.log10(benign / budgetPerDay);
    const mayBeFalse = aDay(({ judged }) => judged !== 'true');
    if (mayBeFalse >= budgetPerDay || soft.every(({ judged }) => judged !== 'true')) return 0;
    return Math.min(MOST_FOR_TRUE, Math.log10(budgetPerDay / Math.max(mayBeFalse, budgetPerDay / 10)));
  }

  const targetOf = ({ ratio }: Drift, nowMs: number): number =>
    Math.max(LOWEST, Math.min(HIGHEST, -Math.log10(Math.max(ratio, 1e-3)) + judgedShift(nowMs)));

  return {
    thresholdFor,
    opened(id, atMs) {
      if (sinceMs === 0) sinceMs = atMs;
      soft = soft.filter((one) => one.id !== id || one.judged !== '');
      soft.push({ id, atMs, judged: '' });
      if (soft.length > MAX_SOFT) soft.shift();
    },
    leave(id) {
      soft = soft.filter((one) => one.id !== id);
    },
    judge(id, as) {
      const last = soft.findLast((one) => one.id === id);
      if (last !== undefined) last.judged = as;
    },
    tick(nowMs) {
      const now = Math.floor(nowMs / HOUR_MS);
      if (now <= hour) return false;
      const most = MOST_AN_HOUR * (hour === 0 ? 1 : Math.min(24, now - hour));
      hour = now;
      if (sinceMs === 0) sinceMs = nowMs;
      rates.forget(nowMs);
      soft = soft.filter(({ atMs }) => atMs > nowMs - JUDGED_MS);
      const target = targetOf(driftOf(rates.hours(), now * HOUR_MS), now * HOUR_MS);
      shift += Math.max(-most, Math.min(most, target - shift));
      return true;
    },
    state(nowMs) {
      const recent = rates.hours().filter(({ hourMs }) => hourMs > nowMs - DAY_MS);
      const segmentsLastDay = recent.reduce((sum, { segments }) => sum + segments, 0);
      const { ratio, nominal } = driftOf(rates.hours(), Math.floor(nowMs / HOUR_MS) * HOUR_MS);
      const threshold = thresholdFor(rates.segmentsPerDay);
      const lastDay = soft.filter(({ atMs }) => atMs > nowMs - DAY_MS);
      return {
        hourMs: Math.floor(nowMs / HOUR_MS) * HOUR_MS,
        atMs: nowMs,
        targetPerDay: budgetPerDay,
        threshold,
        shift,
        drift: ratio,
        driftNominal: nominal,
        segmentsPerDay: rates.segmentsPerDay,
        segmentsLastDay,
        expectedLastDay: segmentsLastDay * threshold * ratio,
        softLastDay: lastDay.length,
        benignLastWeek: soft.filter(({ judged }) => judged === 'benign').length,
        trueLastWeek: soft.filter(({ judged }) => judged === 'true').length,
      };
    },
    snapshot: () => ({ shift, hour, sinceMs, soft }),
  };
}
