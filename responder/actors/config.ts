/** What the owner of the actors can be told, and what it says of itself. */

export interface ActorsCoreConfig {
  /** False alarms a day that chance may cause. */
  readonly budgetPerDay: number;
  /** From the first event on: nothing is held against anybody, and what somebody does is usual with them. */
  readonly learnMs: number;
  readonly addressHalfLifeMs: number;
  readonly userHalfLifeMs: number;
  /** An alarm without new evidence for so long is over; the next is a new one. */
  readonly quietMs: number;
  readonly maxClients: number;
  readonly maxUsers: number;
  readonly maxFull: number;
  readonly maxObjects: number;
  /** Parts of events remembered, so that each counts once. */
  readonly maxRecent: number;
  readonly privilegedRoutes: readonly string[];
  /** Whether an address in a range that is nobody's own is a client nevertheless. */
  isClientRange(address: string): boolean;
}

export const ACTORS_DEFAULTS: ActorsCoreConfig = {
  budgetPerDay: 1,
  learnMs: 86_400_000,
  addressHalfLifeMs: 6 * 3_600_000,
  userHalfLifeMs: 3 * 86_400_000,
  quietMs: 3_600_000,
  maxClients: 1_000_000,
  maxUsers: 1_000_000,
  maxFull: 20_000,
  maxObjects: 1_048_576,
  maxRecent: 262_144,
  privilegedRoutes: [],
  isClientRange: () => false,
};

export interface ActorsStatus {
  readonly clients: number;
  readonly users: number;
  readonly full: number;
  readonly fullEvicted: number;
  readonly quietEvicted: number;
  readonly events: number;
  readonly repeated: number;
  readonly unknownClients: number;
  readonly records: number;
  readonly learning: boolean;
  /** Tests of a peer class that nobody could fail: what is usual is not known well enough, or is too much. */
  readonly unreachable: number;
  /** Alarms that were not told since it happened to everybody. */
  readonly spared: number;
  /** Sign-ins fail for known clients too: none is judged. */
  readonly signInsDown: boolean;
}
