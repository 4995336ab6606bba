/** What is counted of actors: the tests, and the peer classes they are held against. */
import type { AbuseKind } from '../../schemas/log/actor-record.ts';

/** Each asks of a request (or a minute) whether something happened in it that happens rarely with its peers. */
export const Test = {
  /** An object new to the actor that was first seen with somebody else. */
  foreign: 0,
  /** Numbers that go up or down in equal small steps. */
  run: 1,
  /** An object new to the actor that is not there, or refused. */
  missing: 2,
  /** A path that is not there. */
  scan: 3,
  /** A failed sign-in to an account new to the actor (of an account: from a client new to it). */
  newAccount: 4,
  /** A failed sign-in. */
  failedLogin: 5,
  /** A first successful use of an operation that few may use, by somebody who is not one of them. */
  privileged: 6,
  /** A step between operations, new to the actor, that its class hardly ever takes. */
  order: 7,
  /** A minute with more requests, objects or bytes than all but a few minutes of its class. */
  volume: 8,
} as const;
export type Test = (typeof Test)[keyof typeof Test];
export const TESTS = 9;

export const ABUSE: readonly AbuseKind[] = [
  'object-enumeration',
  'object-enumeration',
  'object-enumeration',
  'scanning',
  'credential-stuffing',
  'credential-stuffing',
  'privileged-route',
  'session-order',
  'scraping',
];

/** Short names of the tests, as a stage's `by` and in reasons. */
export const TEST_NAMES: readonly string[] = [
  'foreign-objects',
  'number-runs',
  'missing-objects',
  'missing-paths',
  'failed-accounts',
  'failed-logins',
  'privileged-routes',
  'session-order',
  'volume',
];

/** Peer classes. Whoever is a member of a restricted operation's few users is held against these. */
export const PeerClass = {
  anonymousClient: 0,
  client: 1,
  user: 2,
  restricted: 3,
  network: 4,
  account: 5,
  everyone: 6,
} as const;
export type PeerClass = (typeof PeerClass)[keyof typeof PeerClass];
export const CLASSES = 7;

export const CLASS_NAMES: readonly string[] = [
  'clients that sign in nowhere',
  'clients',
  'users',
  'users of restricted operations',
  'networks',
  'accounts',
  'all clients together',
];

/** Tests that differ by kind of object. */
export const byKind = (test: number): boolean => test <= Test.missing;
