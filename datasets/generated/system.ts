/**
 * What a synthetic system is: services, entry operations, and for each operation the programme that a request runs
 * through. Data only; `plan.ts` carries it out.
 */
import type { Random } from '../load/random.ts';

/** Values of one request, made at its entry and passed down: what parameters and statements are written from. */
export type Values = Readonly<Record<string, string>>;

export type ParameterPlace = 'path' | 'query' | 'header' | 'body';

export interface Parameter {
  readonly name: string;
  readonly place: ParameterPlace;
  /** Share of requests that carry it; 1 without. */
  readonly share?: number;
  readonly value: (random: Random) => string;
}

/** Conditions and repetition that every step may have. */
export interface Occasion {
  /** Probability that it happens; 1 without. */
  readonly share?: number;
  /** Happens only where the request carries this parameter. */
  readonly with?: string;
  /** How often; once without. */
  readonly times?: (random: Random) => number;
  /** Happens only after the deploy. */
  readonly deployed?: true;
}

/** A call of another service: a CLIENT span here and a SERVER span there. */
export interface Call extends Occasion {
  readonly does: 'call';
  readonly service: string;
  readonly protocol: 'http' | 'grpc';
  /** `GET /items/{id}`, or the full gRPC method `auth.v1.Auth/Verify`. */
  readonly operation: string;
  readonly steps: readonly Step[];
  /** Median self time of the callee in milliseconds, and the log-normal's sigma. */
  readonly ms: number;
  readonly sigma?: number;
  /** Share of attempts that fail; up to three retries follow. */
  readonly fails?: number;
}

/** A statement to a database: a CLIENT span without a counterpart. */
export interface Query extends Occasion {
  readonly does: 'query';
  readonly system: 'postgresql' | 'mysql';
  readonly table: string;
  readonly verb: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  readonly statement: (values: Values, random: Random) => string;
  readonly ms: number;
  readonly sigma?: number;
}

/** A command to a cache. */
export interface Command extends Occasion {
  readonly does: 'command';
  readonly verb: string;
  readonly ms: number;
}

/** A call that leaves the system. */
export interface Fetch extends Occasion {
  readonly does: 'fetch';
  readonly host: string;
  readonly path: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly ms: number;
  readonly sigma?: number;
  readonly fails?: number;
}

/** A message: a PRODUCER span here, and later a CONSUMER span in another service. */
export interface Publish extends Occasion {
  readonly does: 'publish';
  readonly topic: string;
  readonly service: string;
  readonly steps: readonly Step[];
  /** Median of the time in the queue. */
  readonly lagMs: number;
  readonly ms: number;
}

/** Work inside the service that has a span of its own. */
export interface Internal extends Occasion {
  readonly does: 'internal';
  readonly name: string;
  readonly ms: number;
  readonly steps: readonly Step[];
}

/** All at once; goes on when the last is done. */
export interface Together extends Occasion {
  readonly does: 'together';
  readonly steps: readonly Step[];
}

/** One of several ways, by weight. */
export interface Choice extends Occasion {
  readonly does: 'choice';
  readonly ways: readonly (readonly [number, readonly Step[]])[];
}

/** The service says no: its span ends here with this status, and whoever called goes on only if it `forgives`. */
export interface Refuse extends Occasion {
  readonly does: 'refuse';
  readonly status: number;
}

export type Step = Call | Query | Command | Fetch | Publish | Internal | Together | Choice | Refuse;

export interface Entry {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly route: string;
  /** Share of the traffic, relative to the others. */
  readonly weight: number;
  readonly parameters: readonly Parameter[];
  readonly steps: readonly Step[];
  readonly ms: number;
  /** Median of the response body's size in bytes. */
  readonly bytes: number;
  /** There is no such operation before the deploy. */
  readonly deployed?: true;
}

export interface System {
  readonly name: string;
  /** The service that requests enter. */
  readonly edge: string;
  readonly entries: readonly Entry[];
  /** The service that gets a new version at the deploy. */
  readonly deploys: string;
  /** The call without which an operation must not go on: `missing-authorisation` leaves it out. */
  readonly authorisation: string;
}
