/** The budget of false alerts as it stands, and the rates it is held against (DETECTION §6): target and realised, shown. */

/** What was judged in an hour of log time by one version. */
export interface RateHour {
  readonly hourMs: number;
  readonly version: string;
  readonly segments: number;
  /** Of these, with p ≤ each of JUDGED_LEVELS (schemas/log/judged.ts). */
  readonly below: readonly number[];
  /** Of `below`, with a hard finding. */
  readonly hard: readonly number[];
}

export interface BudgetState {
  readonly hourMs: number;
  /** Log time of this state. */
  readonly atMs: number;
  /** False alerts a day that chance may cause: `incidents.budgetPerDay`. */
  readonly targetPerDay: number;
  /** A soft finding opens an incident at p ≤ this; 0 while no version judges. */
  readonly threshold: number;
  /** Decades by which it was moved from target / segments a day. */
  readonly shift: number;
  /** Realised over nominal share of unlikely segments, median of recent hours; 1 while too few were judged. */
  readonly drift: number;
  /** Nominal share at which it was measured; 0 = not yet. */
  readonly driftNominal: number;
  /** Of the version's learning window. */
  readonly segmentsPerDay: number;
  readonly segmentsLastDay: number;
  /** False alerts that chance causes in a day like the last: segments × threshold × drift. */
  readonly expectedLastDay: number;
  /** Soft incidents opened in the last 24 hours. */
  readonly softLastDay: number;
  /** Soft incidents of the last 7 days that operators judged: expected, or bad. */
  readonly benignLastWeek: number;
  readonly trueLastWeek: number;
}
