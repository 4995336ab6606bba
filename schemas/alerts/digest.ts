/** The digest: what was odd but opened no incident, by day and novelty, ranked. */
import type { FindingKind } from '../log/verdict.ts';
import type { IncidentClass } from './incident.ts';

export interface DigestEntry {
  /** Log-append day, `YYYY-MM-DD` (UTC). */
  readonly day: string;
  readonly kind: FindingKind;
  readonly explanationKey: string;
  /** Log time of its last change: the newest row stands. */
  readonly revision: number;
  readonly class: IncidentClass;
  readonly service: string;
  readonly operation: string;
  /** Requests; 0 when all of them became part of an incident or were withdrawn. */
  readonly count: number;
  /** Up to 16 of the known clients. */
  readonly clients: readonly string[];
  /** Smallest p, and the largest severity. */
  readonly p: number;
  readonly severity: number;
  /** Of the request with the smallest p. */
  readonly expected: string;
  readonly seen: string;
  readonly matchText: string;
  readonly traceId: string;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** The digest of a day as it is sent. */
export interface DayDigest {
  readonly day: string;
  /** The most unusual first. */
  readonly entries: readonly DigestEntry[];
  /** Novelties and requests that found no place in it. */
  readonly leftOut: number;
}
