/** What an incident is about: class, key, entity and title of a verdict's leading finding (DETECTION §6). */
import { createHash } from 'node:crypto';
import type { IncidentClass } from '../../schemas/alerts/incident.ts';
import type { Finding, FindingKind, Verdict } from '../../schemas/log/verdict.ts';
import { canBeBlamed } from './blame.ts';

const CLASS: Record<FindingKind, IncidentClass> = {
  'unseen-operation': 'inventory',
  'unseen-edge': 'inventory',
  'service-pair': 'security',
  'required-child': 'security',
  'required-ancestor': 'security',
  'child-set': 'security',
  'fan-out': 'security',
  order: 'security',
  'whole-tree': 'security',
  status: 'operational',
  latency: 'operational',
  'self-time': 'security',
  collective: 'operational',
  statement: 'security',
  'attack-pattern': 'security',
  egress: 'security',
  parameter: 'security',
  'trace-id-reused': 'telemetry',
  'missing-telemetry': 'telemetry',
  blocked: 'security',
  actor: 'security',
  attribution: 'telemetry',
};

/** Kinds whose incidents are one per client; the others are one per service and operation. */
const BY_CLIENT: ReadonlySet<FindingKind> = new Set<FindingKind>(['attack-pattern', 'parameter']);

/** A finding about an actor names its subject (actors.ts). */
export type Subjected = Finding & { readonly subject?: string };

export const classOf = (finding: Finding): IncidentClass =>
  finding.kind === 'self-time' && !finding.hard ? 'operational' : CLASS[finding.kind];

/**
 * Two findings with the same key are the same novelty, whoever sent it. Of missing telemetry there is one a service, of our own
 * misconfiguration one; abuse is somebody's: another's is another novelty.
 */
export const noveltyKey = ({ kind, explanationKey, service, subject }: Subjected): string => {
  if (kind === 'missing-telemetry') return `${kind}|${service}`;
  if (kind === 'attribution') return `${kind}|`;
  return subject === undefined ? `${kind}|${explanationKey}` : `${kind}|${explanationKey}|${subject}`;
};

/** Whom the novelty of an actor's finding is of; undefined of any other. */
export const subjectOfNovelty = (key: string): string | undefined =>
  key.startsWith('actor|') ? key.slice(key.indexOf('|', 'actor|'.length) + 1) : undefined;

/** What an operator who expects an incident expects more of: what one client may do is not what any client may do. */
export const expectationKey = (finding: Finding, verdict: Verdict): string =>
  BY_CLIENT.has(finding.kind) ? `${noveltyKey(finding)}|${verdict.client.address ?? ''}` : noveltyKey(finding);

export const expectationKeys = (incident: { noveltyKeys: readonly string[]; clients: readonly string[] }): string[] =>
  incident.noveltyKeys.flatMap((key) => {
    const kind = key.slice(0, key.indexOf('|')) as FindingKind;
    if (!BY_CLIENT.has(kind)) return [key];
    return incident.clients.length === 0 ? [`${key}|`] : incident.clients.map((client) => `${key}|${client}`);
  });

/** Whom or what the incident is held against: the client where the kind asks for it and one is known. */
export function entityOf(finding: Subjected, verdict: Verdict): string {
  if (finding.kind === 'missing-telemetry') return finding.service;
  if (finding.kind === 'attribution') return finding.explanationKey;
  if (finding.subject !== undefined) return finding.subject;
  const { client } = verdict;
  return BY_CLIENT.has(finding.kind) && canBeBlamed(client) && client.address !== null
    ? client.address
    : `${finding.service} ${finding.operation}`;
}

/** hash(kind, explanation key, entity, log-append day of the first finding): equal over replays. */
export function incidentId(finding: Finding, verdict: Verdict): string {
  const day = verdict.id.slice(0, 8);
  return idOf(noveltyKey(finding).replace('|', '\u0000'), entityOf(finding, verdict), day);
}

/** A release has one incident, whatever the day. */
export const releaseIncidentId = (release: string): string => idOf('release', release);

const idOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\u0000')).digest('hex').slice(0, 16);

const TITLE: Record<FindingKind, string> = {
  'unseen-operation': 'Operation never seen before',
  'unseen-edge': 'Call never seen before',
  'service-pair': 'Service called one that it never called before',
  'required-child': 'A call that always happens was left out',
  'required-ancestor': 'A call came without what always comes before it',
  'child-set': 'Unusual set of calls',
  'fan-out': 'One request caused far more calls than ever before',
  order: 'Calls in an unusual order',
  'whole-tree': 'Unusual call chain',
  status: 'Unusual errors',
  latency: 'Unusual duration',
  'self-time': 'One call took far longer than ever before',
  collective: 'A service became slower',
  statement: 'Database statement never seen before',
  'attack-pattern': 'Attack pattern in a parameter',
  egress: 'Outgoing call to a destination never seen before',
  parameter: 'Unusual parameter',
  'trace-id-reused': 'One trace id used by many requests',
  'missing-telemetry': 'Spans of a service do not arrive',
  blocked: 'Something an operator has blocked',
  actor: 'Abuse over many requests',
  attribution: 'Clients cannot be told apart',
};

export const titleOf = ({ kind, explanationKey, release, subject }: Subjected): string =>
  subject === undefined
    ? `${TITLE[kind]}: ${explanationKey}${release === undefined ? '' : ` (release ${release})`}`
    : `${TITLE[kind]}: ${explanationKey} by ${subject}`;

/** The finding an incident is opened under: the most severe hard one, else the one with the largest share. */
export function leadingFinding(findings: readonly Finding[]): Finding | undefined {
  let best: Finding | undefined;
  for (const finding of findings) {
    if (best === undefined || rank(finding, best) > 0) best = finding;
  }
  return best;
}

/** Hard findings differ in how much they explain: the cause before its consequences. */
const PRECEDENCE: Partial<Record<FindingKind, number>> = {
  blocked: 6,
  statement: 5,
  egress: 5,
  'service-pair': 4,
  'attack-pattern': 4,
  'required-child': 3,
  'required-ancestor': 3,
  'fan-out': 3,
  'self-time': 2,
};

function rank(a: Finding, b: Finding): number {
  if (a.hard !== b.hard) return a.hard ? 1 : -1;
  if (!a.hard) return a.share - b.share || a.severity - b.severity;
  return (PRECEDENCE[a.kind] ?? 1) - (PRECEDENCE[b.kind] ?? 1) || a.severity - b.severity;
}
