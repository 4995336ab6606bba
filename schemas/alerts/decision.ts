/** What an enforcement point is asked to do about an actor, and what became of that: rows of ClickHouse, answers of the APIs. */

export const DECISION_SCOPES = ['ip', 'range', 'user'] as const;
export type DecisionScope = (typeof DECISION_SCOPES)[number];

/** `everything`: ban. `operations`: only the named sensitive ones. `reduced-rights`: requests go on, marked with a risk. */
export const DECISION_TARGETS = ['everything', 'operations', 'reduced-rights'] as const;
export type DecisionTarget = (typeof DECISION_TARGETS)[number];

export interface Decision {
  /** Hash of incident, scope, value, target and occurrence: equal over replays. */
  readonly id: string;
  /** For CrowdSec bouncers: a positive 31-bit number, unique among those in force. */
  readonly number: number;
  /** Grows with every change; the newest row stands. */
  readonly revision: number;
  readonly incidentId: string;
  readonly scope: DecisionScope;
  readonly value: string;
  readonly target: DecisionTarget;
  /** What CrowdSec bouncers are told to do. */
  readonly type: 'ban' | 'captcha';
  /** Operations it is about, for target `operations`: `POST /checkout`. */
  readonly operations: readonly string[];
  /** `simulated` ones enforce nothing: they are counted. `refused`: a rail stood against it. */
  readonly state: 'simulated' | 'enforced' | 'refused' | 'undone' | 'expired';
  /** Why it was made; of a refused one, which rail. */
  readonly reason: string;
  /** Kind of the incident: CrowdSec's scenario. */
  readonly scenario: string;
  /** 0…100, of the actor. */
  readonly risk: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly undoneBy: string;
  readonly undoneMs: number;
  /** Requests that it would have met, or met, so far; of these, ones without any finding. */
  readonly matched: number;
  readonly matchedOrdinary: number;
}
