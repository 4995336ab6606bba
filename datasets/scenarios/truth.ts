/** Ground truth of a run: what was done, by whom, when. Plain JSON; times are milliseconds since the epoch. */
import type { Stage } from '../../schemas/log/kill-chain.ts';
import type { FindingKind } from '../../schemas/log/verdict.ts';

export interface TruthEvent {
  readonly name: string;
  readonly kind: 'attack' | 'oddity';
  /** For people, one line. */
  readonly title: string;
  /** Who did it; an attack has clients of its own, most of them one. */
  readonly clients: readonly string[];
  /** Whom an alert about an attack has to name. */
  readonly named: Named;
  /** Of queued work that others' jobs were taken with: their clients. Nobody can tell them apart. */
  readonly companions: readonly string[];
  /** Addresses that were only claimed, and people whose traces were claimed: an alert about this that names one is wrong. */
  readonly never: readonly string[];
  /** First request of the attack itself sent (signing in before it is ordinary) and last answer received. */
  readonly startMs: number;
  readonly endMs: number;
  readonly requests: number;
  /** Trace ids the gateway answered with; work it queued runs under further ones. */
  readonly traceIds: readonly string[];
  /** How a right alert may explain it; empty for oddities. */
  readonly expected: Expected;
}

export interface Named {
  /**
   * `client`: this address. `user`: this account, whatever the address. `network`: this range. `batch`: this address, or nobody
   * but the set that holds it and companions alone.
   */
  readonly by: 'client' | 'user' | 'network' | 'batch';
  readonly key: string;
}

export interface Expected {
  readonly kinds: readonly FindingKind[];
  readonly services: readonly string[];
  /** Of a staged attack: what its incident has to show, in this order; others may come between. */
  readonly stages?: readonly Stage[];
}

export interface GroundTruth {
  readonly seed: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly events: readonly TruthEvent[];
}

export const attacksOf = (truth: GroundTruth): readonly TruthEvent[] =>
  truth.events.filter((event) => event.kind === 'attack');
