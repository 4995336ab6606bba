/** What is counted of actors: the tests, and the peer classes they are held against. */
import type { AbuseKind } from '../../../schemas/log/actor-record.ts';

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

/** By test: the abuse it speaks for, and its short name as a stage's `by` and in reasons. */
const OF_TESTS: readonly (readonly [abuse: AbuseKind, name: string])[] = [
  ['object-enumeration', 'foreign-objects'],
  ['object-enumeration', 'number-runs'],
  ['object-enumeration', 'missing-objects'],
  ['scanning', 'missing-paths'],
  ['credential-stuffing', 'failed-accounts'],
  ['credential-stuffing', 'failed-logins'],
  ['privileged-route', 'privileged-routes'],
  ['session-order', 'session-order'],
  ['scraping', 'volume'],
];
export const TESTS = OF_TESTS.length;
export const ABUSE: readonly AbuseKind[] = OF_TESTS.map(([abuse]) => abuse);
export const TEST_NAMES: readonly string[] = OF_TESTS.map(([, name]) => name);

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

/** By class, the tests that may end in an alarm. */
export const ALARMING: readonly (readonly Test[])[] = [
  [Test.foreign, Test.run, Test.missing, Test.scan, Test.privileged, Test.order, Test.volume],
  [
    Test.foreign,
    Test.run,
    Test.missing,
    Test.scan,
    Test.newAccount,
    Test.failedLogin,
    Test.privileged,
    Test.order,
    Test.volume,
  ],
  [Test.foreign, Test.run, Test.missing, Test.scan, Test.privileged, Test.order, Test.volume],
  [Test.foreign, Test.run, Test.missing, Test.scan, Test.order, Test.volume],
  [Test.foreign, Test.missing, Test.scan, Test.newAccount, Test.volume],
  [Test.newAccount],
  [Test.foreign, Test.newAccount],
];

/** Whose rates stand for those of a class that is hardly known by itself, the nearest first. */
export const STAND_INS: Readonly<Partial<Record<number, readonly PeerClass[]>>> = {
  [PeerClass.anonymousClient]: [PeerClass.client, PeerClass.user],
  [PeerClass.client]: [PeerClass.anonymousClient, PeerClass.user],
  [PeerClass.network]: [PeerClass.client, PeerClass.anonymousClient, PeerClass.user],
  [PeerClass.everyone]: [PeerClass.network, PeerClass.client, PeerClass.anonymousClient, PeerClass.user],
};

/** Tests that differ by kind of object. */
export const byKind = (test: number): boolean => test <= Test.missing;
