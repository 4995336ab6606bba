/** What is known of an actor (schemas/log/actor-record.ts), as an incident takes it: a finding, and what carries it. */
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { rangesOf } from './blame.ts';
import { collectiveVerdict } from './collective.ts';
import { cut } from './text.ts';

/** A finding about an actor says of whom. */
export interface ActorFinding extends Finding {
  readonly subject: string;
}

export interface ActorBook {
  /** The day of its incident's id: that of the first record, however long it goes on. */
  dayOf(record: ActorRecord): string;
  snapshot(): readonly ActorDay[];
}

export type ActorDay = readonly [id: string, day: string];

const MAX_ACTORS = 5_000;
const MAX_SUBJECT = 200;

export function createActorBook(snapshot: readonly ActorDay[] = []): ActorBook {
  const days = new Map<string, string>(snapshot);
  return {
    dayOf({ id, atMs }) {
      const known = days.get(id);
      if (known !== undefined) return known;
      const day = new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '');
      days.set(id, day);
      if (days.size > MAX_ACTORS) days.delete(days.keys().next().value!);
      return day;
    },
    snapshot: () => [...days],
  };
}

/** Whom the incident is held against. */
const subjectOf = ({ subject: { kind, key } }: ActorRecord): string =>
  cut(kind === 'client' || kind === 'network' ? key : kind === 'everyone' ? kind : `${kind} ${key}`, MAX_SUBJECT);

/** Decades of evidence beyond the bound order it among findings. By Ville's inequality p is at most 1 / E. */
export const abuseFinding = (record: ActorRecord): ActorFinding => ({
  kind: 'actor',
  group: 'status',
  hard: true,
  evidence: 'presence',
  explanationKey: record.abuse,
  service: record.service,
  operation: record.operation,
  spanId: '',
  parameter: '',
  expected: record.expected,
  seen: record.seen,
  support: record.facts.requests,
  severity: Math.max(1, record.evidence - record.bound),
  p: Math.min(1, 10 ** -Math.max(0, record.evidence)),
  share: 1,
  candidate: false,
  startMs: record.startMs,
  endMs: record.endMs,
  subject: subjectOf(record),
});

/** Our own configuration names a client that is many: a notice. */
export const attributionFinding = (record: ActorRecord): Finding => {
  const { subject: _, ...finding } = abuseFinding(record);
  return { ...finding, kind: 'attribution', explanationKey: misnamed(record), severity: 1 };
};

/** Whom it is about. */
function misnamed(record: ActorRecord): string {
  if (record.subject.kind !== 'everyone') return subjectOf(record);
  const ranges = rangesOf(record).map((range) => `${range} addresses`);
  return cut([...record.clients, ...ranges].join(', ') || 'requests without a client', MAX_SUBJECT);
}

export const actorVerdict = (record: ActorRecord, finding: Finding, day: string, appendMs: number): Verdict => ({
  ...collectiveVerdict(finding, record.traceIds[0] ?? '', '', appendMs),
  id: `${day}-actor-${record.id}`,
  revision: record.revision,
  client: record.client,
});
