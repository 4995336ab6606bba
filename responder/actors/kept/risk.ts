/**
 * Risk of an actor, 0 … 100: points for what was found of it, forgotten by half in hours (an address) or days (a user), more for each
 * stage of the kill chain that comes after an earlier one within a day; and its reasons in words.
 */
import { addReason } from './adding.ts';
import type { FullActor } from './full-actor.ts';
import { markCountOf, markDecadesOf, markLastMsOf, markStageOf } from './stage-marks.ts';

export interface RiskConfig {
  readonly addressHalfLifeMs: number;
  readonly userHalfLifeMs: number;
}

export const DEFAULT_RISK: RiskConfig = { addressHalfLifeMs: 6 * 3_600_000, userHalfLifeMs: 3 * 86_400_000 };

const DAY_MS = 86_400_000;
/** So many points are a risk of 50. */
const HALF_RISK = 4;
/** A stage after earlier ones counts for so much more, an earlier stage. */
const CHAIN = 0.5;

/** Points of what may be found. */
export const Points = {
  hardFinding: 3,
  softFinding: 0.6,
  /** A decade of p below alpha, at most three. */
  anomalousDecade: 0.15,
  /** An alarm: as a hard finding and half. */
  alarm: 5,
  weakSignal: 0.5,
} as const;

const halfLifeOf = (actor: FullActor, config: RiskConfig): number =>
  actor.kind === 'user' ? config.userHalfLifeMs : config.addressHalfLifeMs;

export const pointsNow = (actor: FullActor, nowMs: number, config: RiskConfig = DEFAULT_RISK): number =>
  actor.points * 2 ** (-Math.max(0, nowMs - actor.pointsMs) / halfLifeOf(actor, config));

export const riskOf = (actor: FullActor, nowMs: number, config: RiskConfig): number =>
  Math.round(100 * (1 - 2 ** (-pointsNow(actor, nowMs, config) / HALF_RISK)));

/** Stages before this one that were seen within a day. */
export function earlierStages(actor: FullActor, stage: number, nowMs: number): number {
  let seen = 0;
  for (let mark = 0; mark < markCountOf(actor); mark++) {
    const index = markStageOf(actor, mark);
    if (index < stage && nowMs - markLastMsOf(actor, mark) <= DAY_MS) seen |= 1 << index;
  }
  let count = 0;
  for (let bits = seen; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** `stage` −1: it speaks for none. */
export function addPoints(
  actor: FullActor,
  points: number,
  stage: number,
  reason: string,
  nowMs: number,
  config: RiskConfig,
): void {
  const chained = stage < 0 ? points : points * (1 + CHAIN * earlierStages(actor, stage, nowMs));
  actor.points = pointsNow(actor, nowMs, config) + chained;
  actor.pointsMs = Math.max(actor.pointsMs, nowMs);
  if (reason !== '') addReason(actor, reason, chained);
}

export const reasonsOf = (actor: FullActor): string[] =>
  actor.reasons
    .sort((a, b) => b.points - a.points || (a.text < b.text ? -1 : 1))
    .map(({ text, count }) => (count > 1 ? `${text} (${count}×)` : text));

/**
 * Decades that earlier stages add to the evidence of a test of this stage that began after them: an e-process stopped when the stage
 * was marked, times one started later, is an e-process (optional continuation). One an earlier stage, the strongest, and together at
 * most `most`, so that the chain alone never passes a bound.
 */
export function chainDecades(actor: FullActor, stage: number, beganMs: number, nowMs: number, most: number): number {
  const byStage = [0, 0, 0, 0, 0, 0];
  for (let mark = 0; mark < markCountOf(actor); mark++) {
    const index = markStageOf(actor, mark);
    const lastMs = markLastMsOf(actor, mark);
    if (index >= stage || nowMs - lastMs > DAY_MS || lastMs > beganMs) continue;
    byStage[index] = Math.max(byStage[index]!, markDecadesOf(actor, mark));
  }
  return Math.min(
    most,
    byStage.reduce((sum, one) => sum + Math.max(0, one - CHOICES), 0),
  );
}

/** Kinds of finding and tests that could have marked a stage: about ten. */
const CHOICES = 1;

/** Evidence in decades that a p-value is worth: log10 of its e-value 1 / (2 √p) (Vovk & Wang 2021, κ = ½), nothing below 0. */
export const decadesOfP = (p: number): number => Math.max(0, -0.5 * Math.log10(Math.max(1e-12, p)) - Math.log10(2));
