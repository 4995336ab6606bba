/** What is told of an actor: records of abuse, of what is known of one with findings, and of our own misconfiguration; in words. */
import { createHash } from 'node:crypto';
import type { AbuseKind, ActorRecord, SubjectKind } from '../../../schemas/log/actor-record.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { happenedOf, observedOf, sinceMsOf } from '../evidence/evidence.ts';
import { CLASS_NAMES, Test } from '../evidence/tests.ts';
import { clientCountOf, type FullActor } from '../kept/full-actor.ts';
import { reasonsOf } from '../kept/risk.ts';
import type { Notice } from '../learned/notice.ts';

export interface Facts {
  readonly users: number;
  readonly usersNamed: boolean;
  readonly requests: number;
  readonly firstSeenMs: number;
  readonly misattributed: boolean;
  /** Of a subject that is many. */
  readonly confidence?: ClientRecord['confidence'];
}

/** Equal over replays: it is of the subject, the kind of abuse and when that began. */
export const recordId = (kind: SubjectKind, key: string, abuse: string, beganMs: number): string =>
  createHash('sha256').update([kind, key, abuse, beganMs].join('\u0000')).digest('hex').slice(0, 20);

export const NOBODY: ClientRecord = {
  address: null,
  source: 'none',
  confidence: 'none',
  reason: 'many-clients',
  hops: [],
  entrySpanId: '',
  entryTraceId: '',
  user: null,
  session: null,
};

export interface Told {
  readonly id: string;
  readonly revision: number;
  readonly abuse: AbuseKind | '';
  /** The test that carries the evidence; −1 = none. */
  readonly test: number;
  readonly peers: number;
  readonly rate: number;
  readonly support: number;
  readonly evidence: number;
  readonly bound: number;
  readonly risk: number;
  readonly facts: Facts;
  readonly nowMs: number;
}

export function actorRecord(actor: FullActor, told: Told): ActorRecord {
  const { abuse, test, facts } = told;
  const startMs = test < 0 ? actor.startMs : Math.min(sinceMsOf(actor.cells, test) || told.nowMs, told.nowMs);
  const distributed = actor.kind === 'network' || actor.kind === 'everyone' || actor.kind === 'account';
  return {
    id: told.id,
    revision: told.revision,
    subject: { kind: actor.kind, key: actor.key },
    abuse,
    evidence: round(told.evidence),
    bound: round(told.bound),
    client: distributed ? NOBODY : (actor.client ?? NOBODY),
    clients: actor.clients,
    clientCount: clientCountOf(actor),
    users: actor.users,
    accounts: actor.accounts,
    risk: told.risk,
    reasons: reasonsOf(actor),
    stages: actor.marks.sort((a, b) => a.firstMs - b.firstMs),
    facts: {
      users: facts.users,
      requests: Math.round(facts.requests),
      firstSeenMs: facts.firstSeenMs,
      ...(facts.usersNamed && { usersNamed: true }),
      ...(facts.misattributed && { misattributed: true }),
      ...(facts.confidence !== undefined && { confidence: facts.confidence }),
    },
    service: actor.service,
    operation: actor.operation,
    expected: test < 0 ? '' : expectedText(test, told),
    seen: test < 0 ? '' : seenText(actor, test, told.nowMs),
    traceIds: actor.traceIds,
    startMs: actor.startMs === 0 ? startMs : Math.min(startMs, actor.startMs),
    endMs: actor.endMs === 0 ? told.nowMs : actor.endMs,
    atMs: told.nowMs,
  };
}

const HAPPENS: Readonly<Record<Test, readonly [one: string, many: string]>> = {
  [Test.foreign]: ['name an object of somebody else', 'requests named an object of somebody else'],
  [Test.run]: ['go on by an equal step in numbers', 'numbers went on by an equal step'],
  [Test.missing]: [
    'name an object that is not there or refused',
    'requests named an object that is not there or refused',
  ],
  [Test.scan]: ['ask for a path that is not there', 'requests asked for a path that is not there'],
  [Test.newAccount]: ['fail with an account not tried before', 'sign-ins failed with an account not tried before'],
  [Test.failedLogin]: ['fail', 'sign-ins failed'],
  [Test.privileged]: [
    'are a first use of an operation that few use, by one of the others',
    'requests were a first use of an operation that few use',
  ],
  [Test.order]: ['are a step hardly ever taken', 'steps between operations are hardly ever taken'],
  [Test.volume]: ['are as large as the largest', 'minutes were larger than nearly all'],
};

const UNITS: Readonly<Record<Test, string>> = {
  [Test.foreign]: 'objects',
  [Test.run]: 'numbers',
  [Test.missing]: 'requests for objects',
  [Test.scan]: 'requests',
  [Test.newAccount]: 'sign-ins',
  [Test.failedLogin]: 'sign-ins',
  [Test.privileged]: 'requests',
  [Test.order]: 'steps',
  [Test.volume]: 'minutes',
};

function expectedText(test: number, { peers, rate, support }: Told): string {
  const known = test as Test;
  return `of ${CLASS_NAMES[peers]}, at most ${percent(rate)} of ${UNITS[known]} ${HAPPENS[known][0]} (learned from ${support.toLocaleString('en')})`;
}

function seenText(actor: FullActor, test: number, nowMs: number): string {
  const known = test as Test;
  const hits = happenedOf(actor.cells, test);
  const all = observedOf(actor.cells, test);
  const parts = [`${hits} of ${all} ${HAPPENS[known][1]}, in ${lengthText(nowMs - sinceMsOf(actor.cells, test))}`];
  const clients = clientCountOf(actor);
  if (clients > 1) parts.push(`from ${clients.toLocaleString('en')} clients`);
  if (actor.accountCount > 1 && (known === Test.newAccount || known === Test.failedLogin))
    parts.push(
      `${actor.accountCount.toLocaleString('en')} accounts in ${actor.attempts.toLocaleString('en')} attempts`,
    );
  if (actor.sampleWeight > 1) parts.push(`low coverage: about 1 of ${Math.round(actor.sampleWeight)} requests is seen`);
  return parts.join('; ');
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

export const lengthText = (ms: number): string =>
  ms < 90_000
    ? `${Math.max(1, Math.round(ms / 1000))} s`
    : ms < 5_400_000
      ? `${Math.round(ms / 60_000)} min`
      : `${Math.round(ms / 3_600_000)} h`;

const round = (decades: number): number => Math.round(decades * 100) / 100;

/** No blame: nobody is named as client, and the facts say so. */
export function noticeRecord(notice: Notice): ActorRecord {
  const { kind, key, requests, share, users, atMs } = notice;
  const [expected, seen, reason] = noticeWords(notice);
  return {
    id: recordId('everyone', kind, 'attribution', Math.floor(atMs / 86_400_000)),
    revision: 1,
    subject: { kind: 'everyone', key: kind },
    abuse: 'attribution',
    evidence: 0,
    bound: 0,
    client: { ...NOBODY, reason: 'misattributed' },
    clients: kind === 'one-client' ? [key] : [],
    clientCount: kind === 'one-client' ? 1 : 0,
    users: [],
    accounts: [],
    risk: 0,
    reasons: [reason, `${(100 * share).toFixed(0)} % of ${Math.round(requests / share).toLocaleString('en')} requests`],
    stages: [],
    facts: { users, requests, firstSeenMs: 0, misattributed: true },
    service: '',
    operation: '',
    expected,
    seen,
    traceIds: [],
    startMs: atMs,
    endMs: atMs,
    atMs,
  };
}

function noticeWords({ kind, key, share, users }: Notice): readonly [string, string, string] {
  const part = `${(100 * share).toFixed(0)} % of the requests`;
  switch (kind) {
    case 'one-client':
      return [
        'many users come from many addresses',
        `${part} come from ${key}, with about ${users} users behind it`,
        'one address carries most traffic of many users: it looks like a proxy or load balancer of yours. Name it in attribution.trustedProxies; nobody is blamed for what comes from it',
      ];
    case 'ranges':
      return [
        'clients have addresses of their own',
        `${part} come from ${key} addresses`,
        `most clients are in ${key} ranges that nobody configured. Name your proxies in attribution.trustedProxies, or ranges that are clients of yours in actors.clientRanges; nobody is blamed meanwhile`,
      ];
    default:
      return [
        'the entry spans say who asked',
        `${part} have no client`,
        'most requests have no client that can be resolved: capture the peer address and forwarding headers at the edge. Clients that are not known are neither counted as one nor blamed',
      ];
  }
}
