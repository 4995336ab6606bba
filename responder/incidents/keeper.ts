/**
 * From findings to incidents (DETECTION §6): joins, opens, merges, closes. A pure state machine over the records of the
 * `findings` log in their order; its only clock is the log's own append time, so that a replay tells the same story.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { VerdictStage } from '../../schemas/log/verdict.ts';
import { classOf, entityOf, incidentId, leadingFinding, noveltyKey, titleOf } from './explanation.ts';
import { createLoadBook, type LoadBook, type LoadSnapshot } from './load.ts';
import {
  addDistinct,
  addFindings,
  type IncidentState,
  MAX_CLIENTS,
  MAX_TRACES,
  noteVerdict,
  toIncident,
} from './state.ts';

export type IncidentEvent = 'opened' | 'updated' | 'closed' | 'storm';

export interface KeeperSink {
  /** The incident changed; its newest row. */
  incident(incident: Incident): void;
  /** People should hear of it. `sequence` makes the alert's id: equal over replays. `members` in a storm. */
  alert(
    event: IncidentEvent,
    incident: Incident,
    sequence: number,
    verdict: Verdict | null,
    members: readonly Incident[],
  ): void;
}

export interface KeeperConfig {
  readonly budgetPerDay: number;
  readonly softIncidents: boolean;
  readonly quietSecurityMs: number;
  readonly quietOperationalMs: number;
  readonly candidateWaitMs: number;
  readonly overlapMs: number;
  readonly stormPerMinute: number;
  readonly maxOpen: number;
}

/** A verdict as the log carries it. */
export interface FindingRecord {
  readonly verdict: Verdict;
  /** Segments a day in the version's learning window; 0 = unknown: then nothing soft opens an incident. */
  readonly segmentsPerDay: number;
}

interface Candidate {
  readonly record: FindingRecord;
  readonly dueMs: number;
}

export interface KeeperSnapshot {
  /** Highest revision taken by verdict id, oldest first: also of verdicts that opened nothing. */
  readonly seen: readonly (readonly [string, number])[];
  readonly incidents: readonly IncidentState[];
  readonly candidates: readonly Candidate[];
  readonly load: LoadSnapshot;
  readonly opened: readonly number[];
  readonly storm: readonly string[];
}

export interface IncidentKeeper {
  verdict(record: FindingRecord, appendMs: number): void;
  load: LoadBook;
  /** An incident found over many segments (collective timing): one verdict-less finding with its traces. */
  operational(finding: Finding, traceIds: readonly string[], version: string, appendMs: number): void;
  /** Moves log time on: judges candidates that are due, closes what is quiet. */
  tick(nowMs: number): void;
  open(): readonly Incident[];
  snapshot(): KeeperSnapshot;
}

const MINUTE = 60_000;
/** Verdicts remembered, to take each revision once. */
const MAX_SEEN = 20_000;
/** Closed incidents are kept so long to be reopened by a later hit of the same day. */
const REOPEN_MS = 86_400_000;

export function createIncidentKeeper(
  config: KeeperConfig,
  sink: KeeperSink,
  snapshot?: KeeperSnapshot,
): IncidentKeeper {
  const incidents = new Map<string, IncidentState>();
  const byTrace = new Map<string, string>();
  const byNovelty = new Map<string, string>();
  const byClient = new Map<string, string>();
  /** Incident that took a verdict first: duplicates and amendments find it, whatever else they would join. */
  const byVerdict = new Map<string, string>();
  const seen = new Map<string, number>(snapshot?.seen ?? []);
  let candidates: Candidate[] = [...(snapshot?.candidates ?? [])];
  let opened: number[] = [...(snapshot?.opened ?? [])];
  let storm: string[] = [...(snapshot?.storm ?? [])];
  const load = createLoadBook(snapshot?.load);
  for (const state of snapshot?.incidents ?? []) {
    incidents.set(state.id, state);
    if (state.state === 'open') index(state);
    for (const id of Object.keys(state.verdicts)) if (state.state !== 'merged') byVerdict.set(id, state.id);
  }

  function index(state: IncidentState): void {
    for (const trace of state.traceIds) byTrace.set(trace, state.id);
    for (const key of state.noveltyKeys) byNovelty.set(key, state.id);
    for (const client of state.clients) byClient.set(client, state.id);
  }

  function unindex(state: IncidentState): void {
    for (const trace of state.traceIds) if (byTrace.get(trace) === state.id) byTrace.delete(trace);
    for (const key of state.noveltyKeys) if (byNovelty.get(key) === state.id) byNovelty.delete(key);
    for (const client of state.clients) if (byClient.get(client) === state.id) byClient.delete(client);
  }

  /** Open incidents the verdict belongs to, oldest first. */
  function joinable(verdict: Verdict, findings: readonly Finding[]): IncidentState[] {
    const holder = incidents.get(byVerdict.get(verdict.id) ?? '');
    if (holder !== undefined && holder.state === 'open') return [holder];
    const ids = new Set<string>();
    const add = (id: string | undefined): void => {
      if (id !== undefined) ids.add(id);
    };
    add(byTrace.get(verdict.traceId));
    for (const finding of findings) if (finding.hard) add(byNovelty.get(noveltyKey(finding)));
    const lead = leadingFinding(findings);
    if (lead !== undefined) add(byNovelty.get(noveltyKey(lead)));
    if (verdict.client.address !== null) add(byClient.get(verdict.client.address));
    for (const origin of verdict.origins) if (origin.address !== null) add(byClient.get(origin.address));
    const found = [...ids].map((id) => incidents.get(id)!).filter((state) => state.state === 'open');
    return found.sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1));
  }

  function absorb(state: IncidentState, verdict: Verdict, findings: readonly Finding[], appendMs: number): void {
    state.lastHitMs = Math.max(state.lastHitMs, appendMs);
    addDistinct(state.traceIds, verdict.traceId, MAX_TRACES);
    for (const finding of findings) {
      state.startMs = Math.min(state.startMs, finding.startMs);
      state.endMs = Math.max(state.endMs, finding.endMs);
      if (finding.hard || finding.kind === state.kind) addDistinct(state.noveltyKeys, noveltyKey(finding), 64);
    }
    addFindings(state, findings);
    if (verdict.p < state.p) state.p = verdict.p;
    const severity = Math.max(0, ...findings.map((f) => f.severity));
    if (severity > state.severity) state.severity = severity;
    addDistinct(state.users, verdict.client.user, MAX_CLIENTS);
    state.revision++;
    index(state);
  }

  function note(state: IncidentState, verdict: Verdict): 'new' | 'amended' | 'known' {
    byVerdict.set(verdict.id, state.id);
    return noteVerdict(state, verdict.id, verdict.revision);
  }

  function addClient(state: IncidentState, verdict: Verdict): boolean {
    let fresh = false;
    for (const client of [verdict.client, ...verdict.origins]) {
      if (addDistinct(state.clients, client.address, MAX_CLIENTS)) fresh = true;
    }
    return fresh;
  }

  function hit(record: FindingRecord, findings: readonly Finding[], appendMs: number): void {
    const { verdict } = record;
    const lead = leadingFinding(findings);
    if (lead === undefined) return;
    const joined = joinable(verdict, findings);
    if (joined.length === 0) {
      if (lead.hard || opensSoft(record)) openOrReopen(record, lead, findings, appendMs);
      return;
    }
    const state = joined[0]!;
    const taken = note(state, verdict);
    if (taken === 'known') return;
    const overlapping = lead.kind === 'self-time' && state.kind === 'self-time' && lead.startMs <= state.endMs;
    if (overlapping && taken === 'new') {
      takeVictim(state, verdict, lead, findings, appendMs);
      return;
    }
    const knownBefore = state.client.address !== null;
    const freshClient = addClient(state, verdict);
    absorb(state, verdict, findings, appendMs);
    if (taken === 'new') state.traceCount++;
    if (!knownBefore && verdict.client.address !== null) {
      state.client = verdict.client; // a later origin amends the incident without a second alert
    }
    const merged = joined.slice(1);
    for (const other of merged) mergeInto(state, other, appendMs);
    index(state);
    const hardened = lead.hard && classOf(lead) === 'security' && state.class !== 'security';
    if (hardened) adoptLead(state, verdict, lead);
    sink.incident(toIncident(state));
    if (hardened) sink.alert('opened', toIncident(state), state.occurrences, verdict, []);
    else if (merged.length > 0 || (freshClient && knownBefore)) tellUpdate(state, verdict);
  }

  /** Overlapping slow nodes of one key wait for the same cause: the one that ended first. No update is sent for victims. */
  function takeVictim(
    state: IncidentState,
    verdict: Verdict,
    lead: Finding,
    findings: readonly Finding[],
    appendMs: number,
  ): void {
    absorb(state, verdict, findings, appendMs);
    state.traceCount++;
    if (lead.endMs < state.clientEvidenceEndMs) {
      state.client = verdict.client;
      state.clientEvidenceEndMs = lead.endMs;
    }
    addClient(state, verdict);
    index(state);
    sink.incident(toIncident(state));
  }

  function adoptLead(state: IncidentState, verdict: Verdict, lead: Finding): void {
    state.class = classOf(lead);
    state.kind = lead.kind;
    state.explanationKey = lead.explanationKey;
    state.service = lead.service;
    state.operation = lead.operation;
    state.title = titleOf(lead);
    state.matchText = verdict.match?.text ?? '';
  }

  function tellUpdate(state: IncidentState, verdict: Verdict): void {
    state.updates++;
    sink.alert('updated', toIncident(state), state.updates, verdict, []);
  }

  function opensSoft(record: FindingRecord): boolean {
    if (!config.softIncidents || record.segmentsPerDay <= 0 || !record.verdict.anomalous) return false;
    return record.verdict.p <= config.budgetPerDay / record.segmentsPerDay;
  }

  function openOrReopen(record: FindingRecord, lead: Finding, findings: readonly Finding[], appendMs: number): void {
    const { verdict } = record;
    const id = incidentId(lead, verdict);
    const before = incidents.get(id);
    if (before !== undefined && note(before, verdict) === 'known') return;
    const state = before ?? newIncident(id, verdict, lead, appendMs);
    if (before !== undefined) {
      before.state = 'open';
      before.closedMs = 0;
      before.occurrences++;
    } else {
      incidents.set(id, state);
      note(state, verdict);
    }
    addClient(state, verdict);
    absorb(state, verdict, findings, appendMs);
    state.traceCount++;
    sink.incident(toIncident(state));
    announce(state, verdict, appendMs);
    enforceMostOpen(appendMs);
  }

  function newIncident(id: string, verdict: Verdict, lead: Finding, appendMs: number): IncidentState {
    return {
      id,
      revision: 0,
      state: 'open',
      mergedInto: '',
      class: classOf(lead),
      kind: lead.kind,
      explanationKey: lead.explanationKey,
      entity: entityOf(lead, verdict),
      service: lead.service,
      operation: lead.operation,
      title: titleOf(lead),
      matchText: verdict.match?.text ?? '',
      severity: 0,
      p: verdict.p,
      client: verdict.client,
      clientEvidenceEndMs: lead.endMs,
      clients: [],
      users: [],
      services: [],
      startMs: lead.startMs,
      endMs: lead.endMs,
      openedMs: appendMs,
      lastHitMs: appendMs,
      closedMs: 0,
      traceIds: [],
      traceCount: 0,
      occurrences: 1,
      updates: 0,
      version: verdict.version,
      findings: [],
      noveltyKeys: [noveltyKey(lead)],
      verdicts: {},
      liveVerdicts: 0,
    };
  }

  function announce(state: IncidentState, verdict: Verdict | null, appendMs: number): void {
    opened = opened.filter((ms) => ms > appendMs - MINUTE);
    opened.push(appendMs);
    if (opened.length > config.stormPerMinute) storm.push(state.id);
    else sink.alert('opened', toIncident(state), state.occurrences, verdict, []);
  }

  /** One alert for all incidents the storm collected, told when a minute has no longer too many. */
  function tellStorm(nowMs: number): void {
    opened = opened.filter((ms) => ms > nowMs - MINUTE);
    if (storm.length === 0 || opened.length > config.stormPerMinute) return;
    const members = storm.map((id) => incidents.get(id)).filter((state) => state !== undefined);
    storm = [];
    if (members.length > 0) sink.alert('storm', toIncident(members[0]!), members.length, null, members.map(toIncident));
  }

  function mergeInto(kept: IncidentState, other: IncidentState, appendMs: number): void {
    unindex(other);
    other.state = 'merged';
    other.mergedInto = kept.id;
    other.closedMs = appendMs;
    other.revision++;
    sink.incident(toIncident(other));
    for (const client of other.clients) addDistinct(kept.clients, client, MAX_CLIENTS);
    for (const user of other.users) addDistinct(kept.users, user, MAX_CLIENTS);
    for (const service of other.services) addDistinct(kept.services, service, 32);
    for (const trace of other.traceIds) addDistinct(kept.traceIds, trace, MAX_TRACES);
    for (const key of other.noveltyKeys) addDistinct(kept.noveltyKeys, key, 64);
    kept.traceCount += other.traceCount;
    kept.startMs = Math.min(kept.startMs, other.startMs);
    kept.endMs = Math.max(kept.endMs, other.endMs);
    kept.p = Math.min(kept.p, other.p);
    kept.severity = Math.max(kept.severity, other.severity);
    for (const [id, revision] of Object.entries(other.verdicts)) {
      noteVerdict(kept, id, revision);
      byVerdict.set(id, kept.id);
    }
    for (const finding of other.findings) if (kept.findings.length < 32) kept.findings.push(finding);
    kept.revision++;
  }

  function close(state: IncidentState, nowMs: number): void {
    unindex(state);
    state.state = 'closed';
    state.closedMs = nowMs;
    state.revision++;
    sink.incident(toIncident(state));
    sink.alert('closed', toIncident(state), state.occurrences, null, []);
  }

  function enforceMostOpen(nowMs: number): void {
    let count = 0;
    let quietest: IncidentState | undefined;
    for (const state of incidents.values()) {
      if (state.state !== 'open') continue;
      count++;
      if (quietest === undefined || state.lastHitMs < quietest.lastHitMs) quietest = state;
    }
    if (count > config.maxOpen && quietest !== undefined) close(quietest, nowMs);
  }

  function withdraw(verdict: Verdict, appendMs: number): void {
    candidates = candidates.filter((candidate) => candidate.record.verdict.id !== verdict.id);
    for (const state of incidents.values()) {
      const known = state.verdicts[verdict.id];
      if (known === undefined || known >= verdict.revision) continue;
      state.verdicts[verdict.id] = verdict.revision;
      state.liveVerdicts--;
      state.revision++;
      if (state.liveVerdicts <= 0 && state.state === 'open') close(state, appendMs);
      else sink.incident(toIncident(state));
    }
  }

  /** Judges what is due, together with whatever overlaps it at the same service: the node that ended first is the cause. */
  function judgeCandidates(nowMs: number): void {
    for (;;) {
      const due = candidates.find((candidate) => candidate.dueMs <= nowMs);
      if (due === undefined) return;
      const together = candidates.filter((candidate) => candidate === due || overlap(candidate, due));
      candidates = candidates.filter((candidate) => !together.includes(candidate));
      together.sort((a, b) => nodeEnd(a) - nodeEnd(b));
      for (const { record } of together) hit(record, record.verdict.findings.map(decide), due.dueMs);
    }
  }

  function decide(finding: Finding): Finding {
    if (!finding.candidate) return finding;
    const slow = load.othersSlow(finding.service, finding.startMs, finding.endMs);
    return { ...finding, hard: !slow, candidate: false };
  }

  function tick(nowMs: number): void {
    judgeCandidates(nowMs);
    tellStorm(nowMs);
    for (const state of incidents.values()) {
      const quietMs = state.class === 'security' ? config.quietSecurityMs : config.quietOperationalMs;
      if (state.state === 'open' && nowMs - state.lastHitMs > quietMs) close(state, nowMs);
      else if (state.state !== 'open' && nowMs - state.closedMs > REOPEN_MS) forget(state);
    }
    load.forget(nowMs - 5 * MINUTE);
  }

  function forget(state: IncidentState): void {
    incidents.delete(state.id);
    for (const id of Object.keys(state.verdicts)) if (byVerdict.get(id) === state.id) byVerdict.delete(id);
  }

  return {
    load,
    verdict(record, appendMs) {
      const { verdict } = record;
      if ((seen.get(verdict.id) ?? -1) >= verdict.revision) return;
      seen.delete(verdict.id);
      seen.set(verdict.id, verdict.revision);
      if (seen.size > MAX_SEEN) seen.delete(seen.keys().next().value!);
      if (verdict.stage === VerdictStage.withdrawn) withdraw(verdict, appendMs);
      else if (verdict.findings.some((f) => f.candidate) && !verdict.findings.some((f) => f.hard && !f.candidate)) {
        candidates = candidates.filter(
          (c) => c.record.verdict.id !== verdict.id || c.record.verdict.revision > verdict.revision,
        );
        if (!candidates.some((c) => c.record.verdict.id === verdict.id)) {
          candidates.push({ record, dueMs: appendMs + config.candidateWaitMs });
        }
      } else hit(record, verdict.findings.map(decide), appendMs);
    },
    operational(finding, traceIds, version, appendMs) {
      operationalHit(finding, traceIds, version, appendMs);
    },
    tick,
    open: () => [...incidents.values()].filter((state) => state.state === 'open').map(toIncident),
    snapshot: () => ({
      seen: [...seen],
      incidents: [...incidents.values()],
      candidates,
      load: load.snapshot(),
      opened,
      storm,
    }),
  };

  function operationalHit(finding: Finding, traceIds: readonly string[], version: string, appendMs: number): void {
    const key = noveltyKey(finding);
    const open = incidents.get(byNovelty.get(key) ?? '');
    const verdict = verdictOf(finding, traceIds[0] ?? '', version, appendMs);
    const id = incidentId(finding, verdict);
    const before = open?.state === 'open' ? open : incidents.get(id);
    const state = before ?? newIncident(id, verdict, finding, appendMs);
    if (before !== undefined && before.state !== 'open') {
      before.state = 'open';
      before.closedMs = 0;
      before.occurrences++;
    }
    incidents.set(state.id, state);
    for (const trace of traceIds) if (addDistinct(state.traceIds, trace, MAX_TRACES)) state.traceCount++;
    state.startMs = Math.min(state.startMs, finding.startMs);
    state.endMs = Math.max(state.endMs, finding.endMs);
    state.lastHitMs = Math.max(state.lastHitMs, appendMs);
    state.severity = Math.max(state.severity, finding.severity);
    addFindings(state, [finding]);
    state.revision++;
    byNovelty.set(key, state.id); // not by trace or client: slowness must not swallow what else they do
    sink.incident(toIncident(state));
    if (before === undefined) announce(state, null, appendMs);
  }
}

const slowNodes = (candidate: Candidate): readonly Finding[] =>
  candidate.record.verdict.findings.filter((finding) => finding.candidate);

const overlap = (a: Candidate, b: Candidate): boolean =>
  slowNodes(a).some((x) =>
    slowNodes(b).some((y) => x.explanationKey === y.explanationKey && x.startMs <= y.endMs && y.startMs <= x.endMs),
  );

const nodeEnd = (candidate: Candidate): number => Math.min(...slowNodes(candidate).map((finding) => finding.endMs));

/** A collective finding has no verdict; this carries what an incident takes from one. */
function verdictOf(finding: Finding, traceId: string, version: string, appendMs: number): Verdict {
  const day = new Date(appendMs).toISOString().slice(0, 10).replaceAll('-', '');
  return {
    id: `${day}-${traceId}-`,
    traceId,
    entrySpanId: '',
    partition: 0,
    firstOffset: 0,
    appendMs,
    revision: 0,
    stage: VerdictStage.closed,
    state: 'scored',
    version,
    asynchronous: false,
    service: finding.service,
    operation: finding.operation,
    startMs: finding.startMs,
    endMs: finding.endMs,
    spanCount: 0,
    truncated: false,
    score: 0,
    p: finding.p,
    anomalous: true,
    groups: { structure: 1, timing: finding.p, parameters: 1, status: 1 },
    match: null,
    client: {
      address: null,
      source: 'none',
      confidence: 'none',
      reason: 'many-requests',
      hops: [],
      entrySpanId: '',
      entryTraceId: '',
      user: null,
      session: null,
    },
    origins: [],
    originState: 'none',
    findings: [finding],
  };
}
