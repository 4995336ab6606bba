/**
 * From findings to incidents (DETECTION §6): joins, opens, merges, closes. A pure state machine over the records of the
 * `findings` log in their order; its only clock is the log's own append time, so that a replay tells the same story.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import { type Finding, type FindingRecord, type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';
import { collectiveVerdict } from './collective.ts';
import { classOf, incidentId, leadingFinding, noveltyKey } from './explanation.ts';
import { createLoadBook, type LoadBook, type LoadSnapshot } from './load.ts';
import { type Candidate, createSlowNodes, isSlowNode } from './slow-nodes.ts';
import {
  absorb,
  addDistinct,
  addFindings,
  type IncidentState,
  leadFields,
  MAX_TRACES,
  nameClient,
  newIncident,
  takeIn,
  toIncident,
} from './state.ts';
import { createStorms, type StormsSnapshot } from './storms.ts';
import { createVerdictBook, type TakenVerdict } from './verdict-book.ts';

export type IncidentEvent = 'opened' | 'updated' | 'closed' | 'storm';

export interface KeeperSink {
  /** The incident changed; its newest row. */
  incident(incident: Incident): void;
  /**
   * People should hear of it. `sequence` makes the alert's id, `atMs` its time: both equal over replays. `members` in a
   * storm, of which `incident` is the first.
   */
  alert(event: IncidentEvent, incident: Incident, sequence: string, atMs: number, members: readonly Incident[]): void;
}

export interface KeeperConfig {
  readonly budgetPerDay: number;
  readonly softIncidents: boolean;
  readonly quietSecurityMs: number;
  readonly quietOperationalMs: number;
  readonly candidateWaitMs: number;
  readonly stormPerMinute: number;
  readonly maxOpen: number;
}

export interface KeeperSnapshot {
  /** Also those that opened nothing. */
  readonly verdicts: readonly TakenVerdict[];
  readonly incidents: readonly IncidentState[];
  readonly candidates: readonly Candidate[];
  readonly load: LoadSnapshot;
  readonly storms: StormsSnapshot;
  readonly retired: readonly Retired[];
}

/** What is left of an incident that was forgotten before its day was over: a later hit goes on counting from there. */
type Retired = readonly [id: string, revision: number, occurrences: number, updates: number];

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

/** Nodes that were judged load may be named as the cause of later ones for so long. */
const CAUSE_KEPT_MS = 30_000;

/** Log time moves in steps: what falls due is told at the same moments however often the clock is looked at. */
const STEP_MS = 100;
/** Counts of seconds are kept so long for slow nodes that come late. */
const LOAD_MS = 300_000;
/** Closed incidents are kept so long to be reopened by a later hit of the same day. */
const REOPEN_MS = 86_400_000;
/** Closed ones kept whole, and what is kept of those forgotten before. */
const MAX_CLOSED = 2_000;
const MAX_RETIRED = 20_000;
/** Incidents that one storm alert lists. */
const MAX_MEMBERS = 200;

export function createIncidentKeeper(
  config: KeeperConfig,
  sink: KeeperSink,
  snapshot?: KeeperSnapshot,
): IncidentKeeper {
  const incidents = new Map<string, IncidentState>();
  const byTrace = new Map<string, string>();
  const byNovelty = new Map<string, string>();
  const byClient = new Map<string, string>();
  const verdicts = createVerdictBook(snapshot?.verdicts);
  const slowNodes = createSlowNodes(snapshot?.candidates);
  const storms = createStorms(config.stormPerMinute, snapshot?.storms);
  const load = createLoadBook(snapshot?.load);
  const retired = new Map<string, Retired>(snapshot?.retired.map((one) => [one[0], one]));
  let openCount = 0;
  let lastStep = 0;
  let lastSecond = 0;
  for (const state of snapshot?.incidents ?? []) {
    state.suspects ??= []; // a snapshot of an earlier release
    incidents.set(state.id, state);
    if (state.state !== 'open') continue;
    openCount++;
    index(state);
  }

  /** What is slow for everybody shares nothing by trace or client: it must not swallow what else these do. */
  function index(state: IncidentState): void {
    for (const key of state.noveltyKeys) byNovelty.set(key, state.id);
    if (state.kind === 'collective') return;
    for (const trace of state.traceIds) byTrace.set(trace, state.id);
    for (const client of state.clients) byClient.set(client, state.id);
  }

  function unindex(state: IncidentState): void {
    for (const trace of state.traceIds) if (byTrace.get(trace) === state.id) byTrace.delete(trace);
    for (const key of state.noveltyKeys) if (byNovelty.get(key) === state.id) byNovelty.delete(key);
    for (const client of state.clients) if (byClient.get(client) === state.id) byClient.delete(client);
  }

  /** The incident that took the verdict before, or took in the one that did. */
  function holderOf(verdict: Verdict): IncidentState | undefined {
    let holder = incidents.get(verdicts.incidentOf(verdict.id) ?? '');
    while (holder !== undefined && holder.state === 'merged') holder = incidents.get(holder.mergedInto);
    return holder;
  }

  /** Open incidents the verdict belongs to, oldest first. */
  function joinable(verdict: Verdict, findings: readonly Finding[], lead: Finding): IncidentState[] {
    const ids = new Set<string>();
    const add = (id: string | undefined): void => {
      if (id !== undefined) ids.add(id);
    };
    add(holderOf(verdict)?.id);
    add(byTrace.get(verdict.traceId));
    for (const finding of findings) if (finding.hard) add(byNovelty.get(noveltyKey(finding)));
    add(byNovelty.get(noveltyKey(lead)));
    const { address } = verdict.client;
    if (address !== null) add(byClient.get(address));
    const found = [...ids].map((id) => incidents.get(id)!).filter((state) => state.state === 'open');
    return found.sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1));
  }

  /** Counts the verdict once; true when it is new to incidents. */
  function claim(state: IncidentState, verdict: Verdict): boolean {
    const isNew = holderOf(verdict) === undefined;
    verdicts.assign(verdict.id, state.id);
    if (isNew) {
      state.liveVerdicts++;
      state.traceCount++;
    }
    return isNew;
  }

  function hit(record: FindingRecord, findings: readonly Finding[], appendMs: number): void {
    const { verdict } = record;
    const lead = leadingFinding(findings);
    if (lead === undefined) return;
    const hard = lead.hard && classOf(lead) === 'security';
    const holder = holderOf(verdict);
    if (holder !== undefined && holder.state === 'closed' && (holder.hard || !hard)) {
      absorb(holder, verdict, findings, holder.lastHitMs); // an amendment is no new hit
      sink.incident(toIncident(holder));
      return;
    }
    const joined = joinable(verdict, findings, lead);
    const state = joined[0];
    if (state !== undefined) join(state, joined.slice(1), record, findings, lead, appendMs);
    else if (lead.hard || opensSoft(record)) openOrReopen(record, lead, findings, appendMs);
  }

  function join(
    state: IncidentState,
    others: readonly IncidentState[],
    { verdict }: FindingRecord,
    findings: readonly Finding[],
    lead: Finding,
    appendMs: number,
  ): void {
    const isNew = claim(state, verdict);
    const namedBefore = state.client.address !== null;
    const suspectedBefore = state.suspects.length > 0;
    const victim = isVictim(state, lead);
    absorb(state, verdict, findings, appendMs);
    if (victim && lead.endMs < state.clientEvidenceEndMs) {
      state.client = verdict.client;
      state.clientEvidenceEndMs = lead.endMs;
    }
    nameClient(state, verdict, isNew); // a later origin amends the incident without a second alert
    for (const other of others) mergeInto(state, other, appendMs);
    index(state);
    const event = hardened(state, verdict, lead);
    sink.incident(toIncident(state));
    const told = clientsTold(state);
    if (event !== null) sink.alert(event, toIncident(state), `${state.occurrences}:hard`, appendMs, []);
    else if (
      others.length > 0 ||
      (told > state.toldClients && isNew && namedBefore && !victim) ||
      (suspectedBefore && !namedBefore && state.client.address !== null) // of several, now it is known who
    ) {
      tellUpdate(state, appendMs);
    }
    state.toldClients = Math.max(state.toldClients, told);
  }

  /** Overlapping slow nodes of one key wait for the same cause: the one that ended first. No update is sent for victims. */
  const isVictim = (state: IncidentState, lead: Finding): boolean =>
    lead.kind === 'self-time' && state.kind === 'self-time' && lead.startMs <= state.endMs;

  /** Clients count in powers of two: an update at 2, 4, 8, …, so that a crowd does not cause one each. */
  const clientsTold = (state: IncidentState): number =>
    state.clients.length === 0 ? 0 : 2 ** Math.floor(Math.log2(state.clients.length));

  /**
   * What was soft, or no matter of security, has become certain: people must hear of it although the incident is known.
   * Null when nothing changed in that respect.
   */
  function hardened(state: IncidentState, verdict: Verdict, lead: Finding): IncidentEvent | null {
    if (state.hard || !lead.hard || classOf(lead) !== 'security') return null;
    const event = state.class === 'security' ? 'updated' : 'opened';
    Object.assign(state, leadFields(lead, verdict));
    if (verdict.client.address !== null) state.client = verdict.client;
    addDistinct(state.noveltyKeys, noveltyKey(lead), Number.POSITIVE_INFINITY);
    index(state);
    return event;
  }

  function tellUpdate(state: IncidentState, atMs: number): void {
    state.updates++;
    sink.alert('updated', toIncident(state), `${state.updates}`, atMs, []);
  }

  function opensSoft({ verdict, segmentsPerDay }: FindingRecord): boolean {
    if (!config.softIncidents || segmentsPerDay <= 0 || !verdict.anomalous) return false;
    return verdict.p <= config.budgetPerDay / segmentsPerDay;
  }

  function openOrReopen(record: FindingRecord, lead: Finding, findings: readonly Finding[], appendMs: number): void {
    const { verdict } = record;
    const known = incidents.get(incidentId(lead, verdict));
    if (known?.state === 'open') {
      join(known, [], record, findings, lead, appendMs);
      return;
    }
    const state = opened(lead, verdict, appendMs);
    claim(state, verdict);
    absorb(state, verdict, findings, appendMs);
    nameClient(state, verdict, true);
    state.toldClients = clientsTold(state);
    index(state);
    sink.incident(toIncident(state));
    announce(state, appendMs);
    enforceMostOpen(appendMs);
  }

  /** The incident of this key, new or open again: then it is another occurrence of the same. */
  function opened(lead: Finding, verdict: Verdict, appendMs: number): IncidentState {
    const id = incidentId(lead, verdict);
    openCount++;
    const before = incidents.get(id);
    if (before === undefined) {
      const state = newIncident(id, verdict, lead, appendMs);
      const [, revision, occurrences, updates] = retired.get(id) ?? [id, 0, 0, 0];
      retired.delete(id);
      state.revision = revision;
      state.occurrences = occurrences + 1;
      state.updates = updates;
      incidents.set(id, state);
      return state;
    }
    if (!before.hard) Object.assign(before, leadFields(lead, verdict));
    before.state = 'open';
    before.mergedInto = '';
    before.closedMs = 0;
    before.occurrences++;
    return before;
  }

  function announce(state: IncidentState, atMs: number): void {
    if (storms.opens(state.class, state.id, atMs)) {
      sink.alert('opened', toIncident(state), `${state.occurrences}`, atMs, []);
    }
  }

  /** One alert for all incidents that a storm gathered. */
  function tellStorms(nowMs: number): void {
    for (const { members, atMs } of storms.due(nowMs)) {
      const states = members.map((id) => incidents.get(id)).filter((state) => state !== undefined);
      const first = states[0];
      if (first === undefined) continue;
      const listed = states.slice(0, MAX_MEMBERS).map(toIncident);
      sink.alert('storm', toIncident(first), `${first.occurrences}:${states.length}`, atMs, listed);
    }
  }

  function mergeInto(kept: IncidentState, other: IncidentState, appendMs: number): void {
    unindex(other);
    openCount--;
    other.state = 'merged';
    other.mergedInto = kept.id;
    other.closedMs = appendMs;
    other.revision++;
    sink.incident(toIncident(other));
    takeIn(kept, other);
  }

  function close(state: IncidentState, atMs: number): void {
    unindex(state);
    openCount--;
    state.state = 'closed';
    state.closedMs = atMs;
    state.revision++;
    sink.incident(toIncident(state));
    sink.alert('closed', toIncident(state), `${state.occurrences}`, atMs, []);
  }

  function enforceMostOpen(nowMs: number): void {
    if (openCount <= config.maxOpen) return;
    let quietest: IncidentState | undefined;
    for (const state of incidents.values()) {
      if (state.state === 'open' && (quietest === undefined || state.lastHitMs < quietest.lastHitMs)) quietest = state;
    }
    if (quietest !== undefined) close(quietest, nowMs);
  }

  function withdraw(verdict: Verdict, appendMs: number): void {
    slowNodes.withdraw(verdict.id);
    const state = holderOf(verdict);
    if (state === undefined) return;
    state.liveVerdicts--;
    state.revision++;
    if (state.liveVerdicts <= 0 && state.state === 'open') close(state, appendMs);
    else sink.incident(toIncident(state));
  }

  /**
   * One cause, one judgement: what overlaps is an attack when the seconds of any of it were quiet elsewhere. Nodes judged
   * load are kept a while, since they may be the cause of what is judged after them.
   */
  function judgeCandidates(nowMs: number): void {
    for (let group = slowNodes.next(nowMs); group !== undefined; group = slowNodes.next(nowMs)) {
      const { records, dueMs } = group;
      const quiet = records.some(({ verdict }) => verdict.findings.some(isQuietElsewhere));
      for (const record of records) {
        hit(record, decided(record.verdict.findings, quiet), dueMs);
        if (!quiet) slowNodes.note(record, dueMs + CAUSE_KEPT_MS);
      }
    }
  }

  const isQuietElsewhere = (finding: Finding): boolean =>
    finding.candidate && !load.othersSlow(finding.service, finding.startMs, finding.endMs);

  const decided = (findings: readonly Finding[], quiet: boolean): Finding[] =>
    findings.map((finding) => (finding.candidate ? { ...finding, hard: quiet, candidate: false } : finding));

  function tick(nowMs: number): void {
    const step = Math.floor(nowMs / STEP_MS);
    if (step <= lastStep) return;
    lastStep = step;
    const atMs = step * STEP_MS;
    judgeCandidates(atMs);
    tellStorms(atMs);
    const second = Math.floor(atMs / 1_000);
    if (second === lastSecond) return;
    lastSecond = second;
    closeQuiet(second * 1_000);
    load.forget(atMs - LOAD_MS);
  }

  function closeQuiet(nowMs: number): void {
    let closed = 0;
    for (const state of incidents.values()) {
      const quietMs = state.class === 'security' ? config.quietSecurityMs : config.quietOperationalMs;
      if (state.state === 'open') {
        if (nowMs > state.lastHitMs + quietMs) close(state, state.lastHitMs + quietMs);
      } else if (nowMs > state.closedMs + REOPEN_MS) incidents.delete(state.id);
      else closed++;
    }
    if (closed > MAX_CLOSED) forgetOldest(closed - MAX_CLOSED);
  }

  /** Of those closed longest ago only the counters stay: a later hit of the same day must not begin them anew. */
  function forgetOldest(count: number): void {
    const closed = [...incidents.values()].filter(({ state }) => state !== 'open');
    closed.sort((a, b) => a.closedMs - b.closedMs || (a.id < b.id ? -1 : 1));
    for (const { id, revision, occurrences, updates } of closed.slice(0, count)) {
      incidents.delete(id);
      retired.set(id, [id, revision, occurrences, updates]);
      if (retired.size > MAX_RETIRED) retired.delete(retired.keys().next().value!);
    }
  }

  return {
    load,
    verdict(record, appendMs) {
      const { verdict } = record;
      if (!verdicts.take(verdict.id, verdict.revision)) return;
      if (verdict.stage === VerdictStage.withdrawn) withdraw(verdict, appendMs);
      else if (verdict.findings.some((f) => f.candidate) && !verdict.findings.some((f) => f.hard && !f.candidate)) {
        slowNodes.add(record, appendMs + config.candidateWaitMs);
      } else {
        slowNodes.withdraw(verdict.id);
        if (verdict.findings.some(isSlowNode)) slowNodes.note(record, appendMs + 2 * config.candidateWaitMs);
        hit(record, decided(verdict.findings, verdict.findings.some(isQuietElsewhere)), appendMs);
      }
    },
    operational(finding, traceIds, version, appendMs) {
      const key = noveltyKey(finding);
      const open = incidents.get(byNovelty.get(key) ?? '');
      const known = open?.state === 'open' ? open : undefined;
      const state =
        known ?? opened(finding, collectiveVerdict(finding, traceIds[0] ?? '', version, appendMs), appendMs);
      for (const trace of traceIds) if (addDistinct(state.traceIds, trace, MAX_TRACES)) state.traceCount++;
      state.startMs = Math.min(state.startMs, finding.startMs);
      state.endMs = Math.max(state.endMs, finding.endMs);
      state.lastHitMs = Math.max(state.lastHitMs, appendMs);
      state.severity = Math.max(state.severity, finding.severity);
      addFindings(state, [finding]);
      state.revision++;
      index(state);
      sink.incident(toIncident(state));
      if (known === undefined) announce(state, appendMs);
    },
    tick,
    open: () => [...incidents.values()].filter((state) => state.state === 'open').map(toIncident),
    snapshot: () => ({
      verdicts: verdicts.snapshot(),
      incidents: [...incidents.values()],
      candidates: slowNodes.snapshot(),
      load: load.snapshot(),
      storms: storms.snapshot(),
      retired: [...retired.values()],
    }),
  };
}
