/** What offline scoring says to whoever keeps incidents, and the line an incident gets in the file. */
import type { CollectiveIncident } from '../baseline/timing/collective.ts';
import type { Verdict } from '../schemas/log/verdict.ts';

/** One line of the incidents file; times in ISO 8601, of the evidence. */
export interface IncidentLine {
  readonly start: string;
  readonly end: string;
  readonly class: string;
  readonly kind: string;
  readonly service: string;
  readonly operation: string;
  readonly client: string | null;
  /** Distinct traces. */
  readonly traces: number;
  readonly disposition: string;
}

/** The responder's incident core, behind what offline scoring needs of it: it is another role, and is handed in. */
export interface OfflineIncidents {
  /** A verdict with findings, or one that takes an earlier one back. */
  verdict(verdict: Verdict, segmentsPerDay: number, streamMs: number): void;
  collective(incident: CollectiveIncident, version: string, streamMs: number): void;
  /** Counts of one second: an attack or load? */
  load(counts: import('../schemas/log/collective.ts').CollectiveCounts): void;
  /** Everything of that time and before was said. */
  tick(streamMs: number): void;
  /** All incidents, oldest evidence first. */
  end(): Iterable<IncidentLine>;
}
