/**
 * What one request says about who made it: `actor-events`, one partition, so that whoever spreads over many clients is seen by
 * one owner (docs/adr/035). A record holds many (actor-events-codec.ts). Said once: what is read again is not said again, but for a
 * moment at a hand-over of a partition, when two detectors may say the same; then (id, part, revision) are equal.
 */
import type { ClientRecord, FindingKind } from './verdict.ts';

/** A thing the request named: an order, a document, an account. */
export interface TouchedObject {
  /** Operation and parameter: `gateway GET /orders/{id} · 1`. */
  readonly kind: string;
  /** Hash of kind and value, 53 bits, keyed by the installation: equal in every process of it. */
  readonly hash: number;
  /** The value where it is an integer of at most 12 digits and its name is nothing private (a card, a phone); for arithmetic runs. */
  readonly number: number | null;
}

/** An attempt to sign in. */
export interface LoginAttempt {
  /** Account as redaction lets it leave, '' when the request did not say. */
  readonly account: string;
  readonly succeeded: boolean;
}

export interface EventFinding {
  readonly kind: FindingKind;
  readonly explanationKey: string;
  readonly hard: boolean;
  readonly service: string;
  readonly operation: string;
  readonly severity: number;
  readonly startMs: number;
}

export interface ActorEvent {
  /** Verdict id: (log-append day, trace id, entry span). */
  readonly id: string;
  /**
   * `request`: what was asked and answered, once a segment. `findings`: what was found in it and was not said before of this client;
   * all of them when the client has become known only now. Without objects, login, status and size. The parts count apart.
   */
  readonly part: 'request' | 'findings';
  /** Verdict's revision, for the second part. */
  readonly revision: number;
  /** Log-append time of the segment's first record: the clock of actors. */
  readonly atMs: number;
  readonly startMs: number;
  readonly service: string;
  readonly operation: string;
  readonly asynchronous: boolean;
  /** Who made it, redacted; several for a batch (then `client.address` is null). */
  readonly client: ClientRecord;
  /** 0 unknown, 1 ok, 2 the client's error, 3 error (traces/segment.ts, Outcome). */
  readonly outcome: number;
  /** 0 when absent. */
  readonly httpStatus: number;
  /** 1 / sampling probability. */
  readonly sampleWeight: number;
  /** Bytes of the response, −1 when unknown. */
  readonly responseBytes: number;
  /** At most 8. */
  readonly objects: readonly TouchedObject[];
  readonly login: LoginAttempt | null;
  /** Scored and outside the baseline at alpha: weak evidence even where nothing is told of it. */
  readonly anomalous: boolean;
  readonly p: number;
  /** Of part `findings`; the most severe first, at most 16. */
  readonly findings: readonly EventFinding[];
}
