/** State of one incident: plain data, so that a snapshot is JSON, and bounded, so that the snapshot is. */
import type { Incident, IncidentClass, IncidentFinding, IncidentKind } from '../../schemas/alerts/incident.ts';
import type { ClientRecord, Finding, Match, Verdict } from '../../schemas/log/verdict.ts';
import { classOf, entityOf, noveltyKey, titleOf } from './explanation.ts';
import { newStory, type StoryState, shownStory } from './story.ts';
import { cut } from './text.ts';

export const MAX_CLIENTS = 64;
export const MAX_TRACES = 20;
const MAX_SERVICES = 32;
const MAX_NOVELTIES = 64;
const MAX_FINDINGS = 16;
/** What a release brought: it is reviewed as a whole. */
export const MAX_MEMBERS = 64;
/** Characters kept of what was expected and seen: texts come from telemetry. */
const MAX_TEXT = 500;

export interface IncidentState {
  id: string;
  revision: number;
  state: Incident['state'];
  mergedInto: string;
  class: IncidentClass;
  kind: IncidentKind;
  explanationKey: string;
  entity: string;
  service: string;
  operation: string;
  title: string;
  matchText: string;
  match: Match | null;
  severity: number;
  p: number;
  client: ClientRecord;
  /** End of the evidence of the node that named the client: of overlapping slow nodes the first to end is the cause. */
  clientEvidenceEndMs: number;
  clients: string[];
  /** Those of them that did what it is about, and not only one of its novelties as well: found by them, it takes what else they do. */
  principals: string[];
  /**
   * While nobody is named: clients of whom each may have been it, as they are behind every batch that showed it so far. Beside one
   * who is named: those behind batches that none of the known ones is behind.
   */
  suspects: string[];
  /** How many such batches there were beside one who is named. */
  strangers: number;
  /** Clients that people were told of, as a power of two. */
  toldClients: number;
  /** Users likewise. */
  toldUsers: number;
  /** How far people were told that it got: place of the stage, −1 nowhere. */
  toldStage: number;
  users: string[];
  services: string[];
  startMs: number;
  endMs: number;
  openedMs: number;
  /** Log time of the last hit: quiet is counted from here. */
  lastHitMs: number;
  /** Whose it was. */
  lastHitBy: string | null;
  /** When an operator opened it again, which is no hit, but it is kept open for; 0 = not. */
  reopenedMs: number;
  closedMs: number;
  traceIds: string[];
  traceCount: number;
  occurrences: number;
  updates: number;
  version: string;
  findings: IncidentFinding[];
  noveltyKeys: string[];
  /** Told under a hard finding: what is softer joins without a word, and nothing harder can come. */
  hard: boolean;
  /** `service@version` that brought it, '' otherwise. */
  release: string;
  /** What an operator said it was. */
  judged: '' | 'benign' | 'true';
  /** Ended as expected: more of the same is counted, not told, until it is quiet. */
  expecting: boolean;
  /** Of how many of its novelties and clients more is expected: those that it had when that was said, which stand first. */
  expectedOf: readonly [novelties: number, clients: number];
  /** Verdicts that stand: when all are withdrawn there is no incident. */
  liveVerdicts: number;
  story: StoryState;
}

export function newIncident(id: string, verdict: Verdict, lead: Finding, appendMs: number): IncidentState {
  return {
    id,
    revision: 0,
    state: 'open',
    mergedInto: '',
    ...leadFields(lead, verdict),
    entity: entityOf(lead, verdict),
    severity: 0,
    p: verdict.p,
    client: verdict.client,
    clientEvidenceEndMs: lead.endMs,
    clients: [],
    principals: [],
    suspects: [],
    strangers: 0,
    toldClients: 0,
    toldUsers: 0,
    toldStage: -1,
    users: [],
    services: [],
    startMs: lead.startMs,
    endMs: lead.endMs,
    openedMs: appendMs,
    lastHitMs: appendMs,
    lastHitBy: verdict.client.address,
    reopenedMs: 0,
    closedMs: 0,
    traceIds: [],
    traceCount: 0,
    occurrences: 1,
    updates: 0,
    version: verdict.version,
    findings: [],
    noveltyKeys: [noveltyKey(lead)],
    judged: '',
    expecting: false,
    expectedOf: [0, 0],
    liveVerdicts: 0,
    story: newStory(),
  };
}

/** From a snapshot, also of an earlier release. */
export const readState = (state: IncidentState): IncidentState => ({
  ...state,
  suspects: state.suspects ?? [],
  strangers: state.strangers ?? 0,
  principals: state.principals ?? [...state.clients],
  toldStage: state.toldStage ?? -1,
  toldUsers: state.toldUsers ?? state.users.length,
  story: state.story ?? newStory(),
  release: state.release ?? '',
  judged: state.judged ?? '',
  reopenedMs: state.reopenedMs ?? 0,
  lastHitBy: state.lastHitBy ?? null,
  expecting: state.expecting ?? false,
  expectedOf: state.expectedOf ?? [state.noveltyKeys.length, state.clients.length],
});

/** As it is now, whatever becomes of it: for a snapshot that is made text of bit by bit. What a story lists is never changed in place. */
export const pinned = (state: IncidentState): IncidentState => ({
  ...state,
  clients: [...state.clients],
  principals: [...state.principals],
  suspects: [...state.suspects],
  users: [...state.users],
  services: [...state.services],
  traceIds: [...state.traceIds],
  findings: [...state.findings],
  noveltyKeys: [...state.noveltyKeys],
  story: { ...state.story },
});

/** What an incident says it is about, of the finding that leads it. */
export const leadFields = (
  lead: Finding,
  verdict: Verdict,
): Pick<
  IncidentState,
  'class' | 'kind' | 'explanationKey' | 'service' | 'operation' | 'title' | 'matchText' | 'match' | 'release' | 'hard'
> => ({
  class: classOf(lead),
  kind: lead.kind,
  explanationKey: lead.explanationKey,
  service: lead.service,
  operation: lead.operation,
  title: cut(titleOf(lead), 2 * MAX_TEXT),
  matchText: verdict.match?.text ?? '',
  match: verdict.match,
  release: lead.release ?? '',
  hard: lead.hard && classOf(lead) === 'security',
});

/** A row: a copy, as the state goes on changing. */
export const toIncident = (s: IncidentState): Incident => ({
  id: s.id,
  revision: s.revision,
  state: s.state,
  mergedInto: s.mergedInto,
  class: s.class,
  kind: s.kind,
  explanationKey: s.explanationKey,
  entity: s.entity,
  service: s.service,
  operation: s.operation,
  title: s.title,
  matchText: s.matchText,
  ...(s.match && { match: s.match }),
  severity: s.severity,
  p: s.p,
  client: s.client,
  clients: [...s.clients, ...s.suspects.filter((address) => !s.clients.includes(address))].slice(0, MAX_CLIENTS),
  users: [...s.users],
  services: [...s.services],
  startMs: s.startMs,
  endMs: s.endMs,
  openedMs: s.openedMs,
  closedMs: s.closedMs,
  lastHitMs: s.lastHitMs,
  lastHitBy: s.lastHitBy,
  traceCount: s.traceCount,
  traceIds: [...s.traceIds],
  occurrences: s.occurrences,
  version: s.version,
  release: s.release,
  hard: s.hard,
  findings: [...s.findings],
  story: shownStory(s.story, s.class),
});

/** Adds `value` to a small list of distinct values; false when it was there or the list is full. */
export function addDistinct(list: string[], value: string | null, most: number): boolean {
  if (value === null || value === '' || list.length >= most || list.includes(value)) return false;
  list.push(value);
  return true;
}

export function addClients(state: IncidentState, verdict: Verdict): void {
  addDistinct(state.clients, verdict.client.address, MAX_CLIENTS);
  addDistinct(state.users, verdict.client.user, MAX_CLIENTS);
}

/**
 * Names the client of an incident that has none: whoever alone is behind a verdict, or, as of a batch nobody can say whose
 * message it was, whoever alone is behind all of them. `isNew`: not an amendment, which tells the same batch again.
 */
export function nameClient(state: IncidentState, verdict: Verdict, isNew: boolean): void {
  // a guess, which may be a proxy of ours, gives way to somebody who is known
  const isGuess = isNew && state.client.confidence === 'low' && verdict.client.confidence === 'high';
  if (state.client.address !== null && !isGuess) return;
  if (verdict.client.address !== null) {
    name(state, verdict.client);
    return;
  }
  const behind: string[] = [];
  for (const { address } of verdict.origins) addDistinct(behind, address, MAX_CLIENTS);
  if (behind.length === 0 || verdict.originState !== 'known') return; // others may have been it too
  state.client = verdict.client; // says why nobody is named
  if (state.suspects.length === 0) {
    state.suspects = behind;
    return;
  }
  if (!isNew) return;
  const common = state.suspects.filter((address) => behind.includes(address));
  state.suspects = common.length === 0 ? behind : common;
  const only = common.length === 1 ? verdict.origins.find(({ address }) => address === common[0]) : undefined;
  if (only !== undefined) name(state, { ...only, confidence: 'medium', reason: 'several-origins' });
}

function name(state: IncidentState, client: ClientRecord): void {
  state.client = client;
  state.suspects = [];
  addDistinct(state.clients, client.address, MAX_CLIENTS);
  addDistinct(state.users, client.user, MAX_CLIENTS);
}

/** The evidence of one verdict. */
export function absorb(state: IncidentState, verdict: Verdict, findings: readonly Finding[], appendMs: number): void {
  if (appendMs > state.lastHitMs) Object.assign(state, { lastHitMs: appendMs, lastHitBy: verdict.client.address });
  addDistinct(state.traceIds, verdict.traceId, MAX_TRACES);
  for (const finding of findings) {
    state.startMs = Math.min(state.startMs, finding.startMs);
    state.endMs = Math.max(state.endMs, finding.endMs);
    if (finding.hard || finding.kind === state.kind) addDistinct(state.noveltyKeys, noveltyKey(finding), MAX_NOVELTIES);
    if (finding.severity > state.severity) state.severity = finding.severity;
  }
  addFindings(state, findings);
  if (verdict.p < state.p) state.p = verdict.p;
  addClients(state, verdict);
  state.revision++;
}

export function addFindings(state: IncidentState, findings: readonly Finding[]): void {
  const isRelease = state.kind === 'release' || state.kind === 'attribution';
  for (const finding of findings) {
    const known = state.findings.findIndex(
      (f) =>
        (!(isRelease || finding.kind === 'actor') || f.explanationKey === finding.explanationKey) &&
        f.kind === finding.kind &&
        f.service === finding.service &&
        f.operation === finding.operation &&
        f.parameter === finding.parameter,
    );
    if (known >= 0) {
      const before = state.findings[known]!;
      state.findings[known] = {
        ...before,
        hard: before.hard || finding.hard,
        count: before.count + 1,
        severity: Math.max(before.severity, finding.severity),
      };
    } else if (state.findings.length < (isRelease ? MAX_MEMBERS : MAX_FINDINGS)) {
      const { kind, explanationKey, group, hard, service, operation, parameter, severity } = finding;
      const expected = cut(finding.expected, MAX_TEXT);
      const seen = cut(finding.seen, MAX_TEXT);
      const about = { kind, explanationKey, group, hard, service, operation, parameter };
      state.findings.push({ ...about, expected, seen, severity, count: 1 });
    }
    addDistinct(state.services, finding.service, MAX_SERVICES);
  }
}

/** Quiet is counted from here. */
export const stirredMs = ({ lastHitMs, reopenedMs }: IncidentState): number => Math.max(lastHitMs, reopenedMs);

/** How much it takes to be told anew: not about security, soft, hard. */
export const rankOf = (state: IncidentState): number => (state.hard ? 2 : state.class === 'security' ? 1 : 0);

/** `other` becomes part of `kept`, which keeps its id, and is about whichever of the two is graver. */
export function takeIn(kept: IncidentState, other: IncidentState): void {
  if (rankOf(other) > rankOf(kept)) {
    const { kind, explanationKey, service, operation, title, matchText, match, release, hard, client } = other;
    Object.assign(kept, { kind, explanationKey, service, operation, title, matchText, match, release, hard });
    kept.clientEvidenceEndMs = other.clientEvidenceEndMs;
    kept.class = other.class;
    if (client.address !== null) kept.client = client;
  } else if (kept.client.address === null) kept.client = other.client;
  if (kept.client.address !== null) kept.suspects = [];
  else for (const suspect of other.suspects) addDistinct(kept.suspects, suspect, MAX_CLIENTS);
  for (const client of other.clients) addDistinct(kept.clients, client, MAX_CLIENTS);
  for (const client of other.principals) addDistinct(kept.principals, client, MAX_CLIENTS);
  for (const user of other.users) addDistinct(kept.users, user, MAX_CLIENTS);
  for (const service of other.services) addDistinct(kept.services, service, MAX_SERVICES);
  for (const trace of other.traceIds) addDistinct(kept.traceIds, trace, MAX_TRACES);
  for (const key of other.noveltyKeys) addDistinct(kept.noveltyKeys, key, MAX_NOVELTIES);
  if (other.judged === 'true') kept.judged = 'true';
  kept.toldStage = Math.max(kept.toldStage, other.toldStage);
  kept.traceCount += other.traceCount;
  kept.liveVerdicts += other.liveVerdicts;
  kept.startMs = Math.min(kept.startMs, other.startMs);
  kept.endMs = Math.max(kept.endMs, other.endMs);
  if (other.lastHitMs > kept.lastHitMs) {
    kept.lastHitMs = other.lastHitMs;
    kept.lastHitBy = other.lastHitBy;
  }
  kept.reopenedMs = Math.max(kept.reopenedMs, other.reopenedMs);
  kept.p = Math.min(kept.p, other.p);
  kept.severity = Math.max(kept.severity, other.severity);
  for (const finding of other.findings) if (kept.findings.length < MAX_FINDINGS) kept.findings.push(finding);
  kept.revision++;
}
