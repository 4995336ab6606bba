/**
 * What is known of an actor over many requests: a record of `findings`, written by the owner of `actor-events` when an actor is over
 * a bound, and when what is known of one with findings changes by as much as people should know. JSON.
 */
import type { StageMark } from './kill-chain.ts';
import type { ClientRecord } from './verdict.ts';

export const SUBJECT_KINDS = ['client', 'user', 'network', 'account', 'everyone'] as const;
/** `client`: an address, or a /64 of IPv6. `network`: a /24 or /48. `account`: one that others try to sign in to. `everyone`: spread over all clients. */
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

export const ABUSE_KINDS = [
  'object-enumeration',
  'credential-stuffing',
  'password-spraying',
  'scraping',
  'privileged-route',
  'session-order',
  'scanning',
] as const;
/** Abuse that only many requests show (DETECTION §4). */
export type AbuseKind = (typeof ABUSE_KINDS)[number];

/** Facts that response needs before it may act against an address. */
export interface ActorFacts {
  /**
   * Distinct users seen behind it lately, as estimated: those who were there before it was suspected of anything. Failed sign-ins make
   * nobody a user.
   */
  readonly users: number;
  /** Spans of the service that it asks name users, so that few users mean few people. Absent = not so, or not known. */
  readonly usersNamed?: boolean;
  /** Requests lately, weighted by sampling. */
  readonly requests: number;
  readonly firstSeenMs: number;
  /** Our own configuration names the wrong client here (a proxy, a range that is nobody's own): neither to be blamed nor blocked. */
  readonly misattributed?: boolean;
  /** Of a network, an account, everyone: how sure the least sure address of those that took part is. */
  readonly confidence?: ClientRecord['confidence'];
}

export interface ActorRecord {
  /** Hash of subject, abuse and episode: equal over replays. */
  readonly id: string;
  /** Grows with every change; a smaller or equal one was taken before. */
  readonly revision: number;
  readonly subject: { readonly kind: SubjectKind; readonly key: string };
  /** '' = nothing over a bound: stages, risk and facts alone. `attribution`: our own configuration names the wrong client (a notice). */
  readonly abuse: AbuseKind | 'attribution' | '';
  /** log10 of the e-process, and of the bound it has to pass. */
  readonly evidence: number;
  readonly bound: number;
  /** Whom to name: the client with most evidence; address null where nobody can be named. */
  readonly client: ClientRecord;
  /** Others that took part (distributed abuse), at most 64. */
  readonly clients: readonly string[];
  /** Distinct ones in all. */
  readonly clientCount: number;
  /** Users it acted as, and accounts it tried; redacted; at most 16 each. */
  readonly users: readonly string[];
  readonly accounts: readonly string[];
  /** 0…100, as of `atMs`. */
  readonly risk: number;
  /** Why, in words, the weightiest first; at most 8. */
  readonly reasons: readonly string[];
  /** In order of first evidence. */
  readonly stages: readonly StageMark[];
  readonly facts: ActorFacts;
  /** Entry service and operation most of it went to. */
  readonly service: string;
  readonly operation: string;
  /** In words, with counts: what actors of its class do, and what it did. */
  readonly expected: string;
  readonly seen: string;
  /** At most 20, the evidence. */
  readonly traceIds: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  /** Log-append time of the event that made it. */
  readonly atMs: number;
  /** When its alarm was over, since nothing new came for long: the last record of its id, a row alone and nothing to act on. */
  readonly endedMs?: number;
}
