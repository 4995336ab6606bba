/** Ground truth of a run: what was done, by whom, when. Plain JSON; times are milliseconds since the epoch. */
import type { FindingKind } from '../../schemas/log/verdict.ts';

export interface TruthEvent {
  readonly name: string;
  readonly kind: 'attack' | 'oddity';
  /** For people, one line. */
  readonly title: string;
  /** Who did it: an attack has exactly one client of its own. */
  readonly clients: readonly string[];
  /** First request of the attack itself sent (signing in before it is ordinary) and last answer received. */
  readonly startMs: number;
  readonly endMs: number;
  readonly requests: number;
  /** Trace ids the gateway answered with; work it queued runs under further ones. */
  readonly traceIds: readonly string[];
  /** How a right alert may explain it; empty for oddities. */
  readonly expected: Expected;
}

export interface Expected {
  readonly kinds: readonly FindingKind[];
  readonly services: readonly string[];
}

export interface GroundTruth {
  readonly seed: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly events: readonly TruthEvent[];
}

export const attacksOf = (truth: GroundTruth): readonly TruthEvent[] =>
  truth.events.filter((event) => event.kind === 'attack');
