/**
 * Evidence that an actor does something more often than its peers: an e-process for each test. Likelihood ratios of Bernoulli
 * observations, a mixture over alternatives, each restarted at 1 when it has fallen below (an e-detector of CUSUM kind: Shin, Ramdas &
 * Rinaldo, "E-detectors", 2024). Under the null its mean run length to a bound c is at least c, whenever it is looked at (Ville 1939;
 * Shafer 2021; Grünwald, de Heide & Koolen 2024), so that c = observations a day / alarms a day keeps the budget.
 *
 * The null is composite: the rate is at most q · h · λ. q = upper bound of the class's base rate; h = what is usual with this actor, from
 * its earlier days; λ = gamma distributed between actors, so that after K of Λ expected its predictive mean is (s + K) / (s + Λ). A
 * likelihood ratio against that rate is a supermartingale for every smaller one, since it grows with the rate.
 */
import { SHAPES } from './base-rates.ts';
import { TESTS, Test } from './tests.ts';

const ALTERNATIVES = [0.1, 0.25, 0.55, 0.95] as const;
const LOG_MIXTURE = Math.log10(ALTERNATIVES.length);

/** Fields a test. */
const F = {
  /** Hits and expected hits, decaying. */
  hits: 0,
  expected: 1,
  /** log10 of the likelihood ratios, one an alternative. */
  ratios: 2,
  /** Since the evidence last was nothing. */
  startMs: 6,
  observed: 7,
  happened: 8,
  lastMs: 9,
  /** Of today, and of days before. */
  dayHits: 10,
  dayExpected: 11,
  pastHits: 12,
  pastExpected: 13,
} as const;
const FIELDS = 14;
export const EVIDENCE_LENGTH = TESTS * FIELDS;

/** More evidence than this tells nothing more, and would take long to forget. */
const MOST_DECADES = 15;
/** No null claims more than this. */
const HIGHEST_RATE = 0.98;
/** Evidence and what was expected are forgotten by half in so long. E^θ with θ < 1 of an e-process is one (Jensen). */
const EVIDENCE_HALF_LIFE_MS = 86_400_000;
/** Times closer than this are one moment. */
const MOMENT_MS = 10_000;
/** What an earlier day says of a habit is forgotten by half after so many days on which the actor was seen. */
const KEEP_A_DAY = 0.85;
/** A habit rests on the class until this many hits were expected. */
const HABIT_PRIOR = 0.3;

export interface Null {
  /** Upper bound of the class. */
  readonly rate: number;
  readonly shape: number;
  /** Factor usual with this actor, at least 1. */
  readonly habit: number;
  /** Half-life of what was expected and of what came. */
  readonly halfLifeMs: number;
}

/**
 * One observation. `usual`: the class's rate itself, for habits; below 0 while it is not known. `counts`: false while learning, when nothing is held against anybody.
 * `losses` gets what each shape predicted.
 */
export function observe(
  cells: Float64Array,
  test: number,
  hit: boolean,
  { rate, shape, habit, halfLifeMs }: Null,
  usual: number,
  nowMs: number,
  counts: boolean,
  losses: Float64Array | null,
): void {
  const at = test * FIELDS;
  const sinceMs = nowMs - cells[at + F.lastMs]!;
  if (sinceMs > MOMENT_MS) {
    const keep = 2 ** (-sinceMs / halfLifeMs);
    cells[at + F.hits]! *= keep;
    cells[at + F.expected]! *= keep;
    if (hasEvidence(cells, at)) {
      const keepEvidence = 2 ** (-sinceMs / EVIDENCE_HALF_LIFE_MS);
      for (let j = 0; j < ALTERNATIVES.length; j++) cells[at + F.ratios + j]! *= keepEvidence;
    }
    cells[at + F.lastMs] = nowMs;
  }
  const expected = Math.min(HIGHEST_RATE, rate * habit);
  const k = cells[at + F.hits]!;
  const lambda = cells[at + F.expected]!;
  if (losses !== null) {
    for (let i = 0; i < SHAPES.length; i++) {
      const p = Math.min(HIGHEST_RATE, expected * predictive(SHAPES[i]!, k, lambda));
      losses[i] = Math.log(hit ? p : 1 - p);
    }
  }
  if (counts && !hit && !hasEvidence(cells, at)) startAnew(cells, at, nowMs);
  else if (counts) {
    const p0 = Math.min(HIGHEST_RATE, expected * predictive(shape, k, lambda));
    const log0 = Math.log10(hit ? p0 : 1 - p0);
    let nothing = true;
    for (let j = 0; j < ALTERNATIVES.length; j++) {
      const p1 = ALTERNATIVES[j]!;
      if (p1 <= p0) {
        if (cells[at + F.ratios + j]! > 0) nothing = false;
        continue; // this alternative says nothing now: its ratio is 1
      }
      const ratio = cells[at + F.ratios + j]! + LOGS[hit ? j : j + ALTERNATIVES.length]! - log0;
      cells[at + F.ratios + j] = Math.min(MOST_DECADES, Math.max(0, ratio));
      if (ratio > 0) nothing = false;
    }
    if (nothing) startAnew(cells, at, nowMs);
    else {
      if (cells[at + F.observed] === 0) cells[at + F.startMs] = nowMs;
      cells[at + F.observed]! += 1;
      if (hit) cells[at + F.happened]! += 1;
    }
  }
  cells[at + F.expected] = lambda + expected;
  if (hit) cells[at + F.hits] = k + 1;
  if (usual < 0) return;
  cells[at + F.dayExpected]! += usual;
  if (hit) cells[at + F.dayHits]! += 1;
}

function startAnew(cells: Float64Array, at: number, nowMs: number): void {
  cells[at + F.startMs] = nowMs;
  cells[at + F.observed] = 0;
  cells[at + F.happened] = 0;
}

/** Most have none: nothing of it has to be forgotten, and none comes of what did not happen. */
function hasEvidence(cells: Float64Array, at: number): boolean {
  for (let j = 0; j < ALTERNATIVES.length; j++) if (cells[at + F.ratios + j] !== 0) return true;
  return false;
}

const LOGS = [...ALTERNATIVES.map((p) => Math.log10(p)), ...ALTERNATIVES.map((p) => Math.log10(1 - p))];

/** Not below 1: that an actor was quiet holds nothing against it. */
const predictive = (shape: number, k: number, lambda: number): number => Math.max(1, (shape + k) / (shape + lambda));

/** log10 of the mixture, at least −log10(alternatives). */
export function decades(cells: Float64Array, test: number): number {
  const at = test * FIELDS + F.ratios;
  if (test === Test.privileged) return cells[at + ALTERNATIVES.length - 1]!; // it happens once: one alternative
  let largest = cells[at]!;
  for (let j = 1; j < ALTERNATIVES.length; j++) if (cells[at + j]! > largest) largest = cells[at + j]!;
  if (largest === 0) return 0;
  let sum = 0;
  for (let j = 0; j < ALTERNATIVES.length; j++) sum += 10 ** (cells[at + j]! - largest);
  return largest + Math.log10(sum) - LOG_MIXTURE;
}

/** Whether it is at least so much, nearly, and without exponentials: the largest alternative alone. */
export function isAtLeast(cells: Float64Array, test: number, least: number): boolean {
  const at = test * FIELDS + F.ratios;
  for (let j = 0; j < ALTERNATIVES.length; j++) if (cells[at + j]! >= least + LOG_MIXTURE) return true;
  return false;
}

/** What is left by now of the largest alternative's evidence, nearly: in decades. */
export function leftOf(cells: Float64Array, test: number, nowMs: number): number {
  const at = test * FIELDS;
  let largest = 0;
  for (let j = 0; j < ALTERNATIVES.length; j++) largest = Math.max(largest, cells[at + F.ratios + j]!);
  return largest === 0 ? 0 : largest * 2 ** (-Math.max(0, nowMs - cells[at + F.lastMs]!) / EVIDENCE_HALF_LIFE_MS);
}

/** Hits lately, decaying. */
export const recentHits = (cells: Float64Array, test: number): number => cells[test * FIELDS + F.hits]!;

/** When the evidence began, and how much of how many it is. */
export const sinceMsOf = (cells: Float64Array, test: number): number => cells[test * FIELDS + F.startMs]!;
export const observedOf = (cells: Float64Array, test: number): number => cells[test * FIELDS + F.observed]!;
export const happenedOf = (cells: Float64Array, test: number): number => cells[test * FIELDS + F.happened]!;

/** Hits of earlier days, those long ago counting less. */
export const pastHitsOf = (cells: Float64Array, test: number): number => cells[test * FIELDS + F.pastHits]!;

/** Evidence starts again at nothing: after an alarm that ended. What came is taken for no habit. */
export function restart(cells: Float64Array, test: number): void {
  cells.fill(0, test * FIELDS, test * FIELDS + F.pastHits);
}

/** A day is over: what came in it is usual with this actor from now on, unless it was held against it. */
export function endDay(cells: Float64Array, test: number): void {
  const at = test * FIELDS;
  if (decades(cells, test) < SUSPECT_DECADES) {
    cells[at + F.pastHits] = cells[at + F.pastHits]! * KEEP_A_DAY + cells[at + F.dayHits]!;
    cells[at + F.pastExpected] = cells[at + F.pastExpected]! * KEEP_A_DAY + cells[at + F.dayExpected]!;
  }
  cells[at + F.dayHits] = 0;
  cells[at + F.dayExpected] = 0;
}

/** What is held against an actor from here on is no one's usual. */
export const SUSPECT_DECADES = 2;

/** How many times the class's rate the earlier days had; at least 1. */
export const habitOf = (cells: Float64Array, test: number): number =>
  Math.max(
    1,
    (HABIT_PRIOR + cells[test * FIELDS + F.pastHits]!) / (HABIT_PRIOR + cells[test * FIELDS + F.pastExpected]!),
  );
