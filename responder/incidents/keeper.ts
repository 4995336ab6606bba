/**
 * From findings to incidents (DETECTION §6): where each record goes. A pure state machine over the records of the `findings` log in
 * their order; its only clock is the log's own append time, so that a replay tells the same story.
 */
import type { BudgetState, RateHour } from '../../schemas/alerts/budget.ts';
import type { DayDigest, DigestEntry } from '../../schemas/alerts/digest.ts';
import type { Incident, IncidentWord } from '../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { CollectiveCounts } from '../../schemas/log/collective.ts';
import type { IncidentAction } from '../../schemas/log/incident-action.ts';
import type { JudgedCounts } from '../../schemas/log/judged.ts';
import { type Finding, type FindingRecord, type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';
import { type AbsencesSnapshot, createAbsences, isAbsence } from './absences.ts';
import { type ActorDay, abuseFinding, actorVerdict, attributionFinding, createActorBook } from './actors.ts';
import { canBeBlamed, createNotices, type NoticesSnapshot } from './blame.ts';
import { type BudgetSnapshot, createBudget } from './budget.ts';
import { collectiveVerdict } from './collective.ts';
import { createDigest, type DigestSnapshot } from './digest.ts';
import { classOf, incidentId, leadingFinding, noveltyKey } from './explanation.ts';
import { createLifecycle, type KeeperSink } from './lifecycle.ts';
import { createLoadBook, type LoadSnapshot } from './load.ts';
import { createPrelude, type PreludeSnapshot } from './prelude.ts';
import { createRates, type RatesSnapshot } from './rates.ts';
import { createRegistry, type RegistrySnapshot } from './registry.ts';
import { createBundles, createStrands } from './releases.ts';
import { createSharedAddresses, type SharedSnapshot } from './shared.ts';
import { type Candidate, createSlowNodes, isSlowNode } from './slow-nodes.ts';
import { absorb, addDistinct, addFindings, type IncidentState, MAX_TRACES, toIncident } from './state.ts';
import { createStorms, type StormsSnapshot } from './storms.ts';
import { tellTraces, tellVerdict } from './story.ts';
import { createVerdictBook, type TakenVerdict } from './verdict-book.ts';
import { createWords, type WordsSnapshot } from './words.ts';

export type { IncidentEvent, KeeperSink } from './lifecycle.ts';

export interface KeeperConfig {
  readonly budgetPerDay: number;
  readonly softIncidents: boolean;
  readonly quietSecurityMs: number;
  readonly quietOperationalMs: number;
  readonly candidateWaitMs: number;
  readonly stormPerMinute: number;
  readonly maxOpen: number;
  /** `learning.sensitiveTables`: new statements there are never a matter of a release. */
  readonly sensitiveTables?: readonly string[];
}

/** What is missing was not known to the release that wrote it. */
export interface KeeperSnapshot extends RegistrySnapshot {
  /** Also those that opened nothing. */
  readonly verdicts: readonly TakenVerdict[];
  readonly candidates: readonly Candidate[];
  readonly load: LoadSnapshot;
  readonly storms: StormsSnapshot;
  readonly absences?: AbsencesSnapshot;
  readonly rates?: RatesSnapshot;
  readonly budget?: BudgetSnapshot;
  readonly digest?: DigestSnapshot;
  readonly words?: WordsSnapshot;
  readonly prelude?: PreludeSnapshot;
  readonly notices?: NoticesSnapshot;
  readonly actorDays?: readonly ActorDay[];
  readonly shared?: SharedSnapshot;
}

export interface IncidentKeeper {
  verdict(record: FindingRecord, appendMs: number): void;
  /** What is known of an actor over many requests. */
  actor(record: ActorRecord, appendMs: number): void;
  /** Counts of one second: attack or load? */
  load(counts: CollectiveCounts): void;
  /** An incident found over many segments (collective timing): one verdict-less finding with its traces. */
  operational(finding: Finding, traceIds: readonly string[], version: string, appendMs: number): void;
  /** How much was judged; false when the window was taken before. */
  judged(counts: JudgedCounts): boolean;
  /** An operator's word; null when it was taken before. */
  action(action: IncidentAction, appendMs: number): IncidentWord | null;
  /** Moves log time on: judges candidates that are due, closes what is quiet, moves the budget's threshold. */
  tick(nowMs: number): void;
  open(): readonly Incident[];
  budget(nowMs: number): BudgetState;
  /** What changed since it was last asked for. */
  changes(): { readonly digest: readonly DigestEntry[]; readonly rates: readonly RateHour[] };
  /** Days that ended at least `afterMs` ago and were not told of yet. */
  digestsDue(nowMs: number, afterMs: number): readonly DayDigest[];
  snapshot(): KeeperSnapshot;
}

/** Nodes that were judged load may be named as the cause of later ones for so long. */
const CAUSE_KEPT_MS = 30_000;
/** Log time moves in steps: what falls due is told at the same moments however often the clock is looked at. */
const STEP_MS = 100;
/** Counts of seconds are kept so long for slow nodes that come late. */
const LOAD_MS = 300_000;

export function createIncidentKeeper(
  config: KeeperConfig,
  sink: KeeperSink,
  snapshot?: KeeperSnapshot,
): IncidentKeeper {
  const shared = createSharedAddresses(snapshot?.shared);
  const registry = createRegistry(shared, snapshot);
  const verdicts = createVerdictBook(snapshot?.verdicts);
  const slowNodes = createSlowNodes(snapshot?.candidates);
  const absences = createAbsences(config.budgetPerDay, snapshot?.absences);
  const storms = createStorms(config.stormPerMinute, snapshot?.storms);
  const load = createLoadBook(snapshot?.load);
  const rates = createRates(snapshot?.rates);
  const budget = createBudget(config.budgetPerDay, rates, snapshot?.budget);
  const digest = createDigest(snapshot?.digest);
  const prelude = createPrelude(snapshot?.prelude);
  const notices = createNotices(snapshot?.notices);
  const actors = createActorBook(snapshot?.actorDays);
  const lifecycle = createLifecycle(config, { registry, verdicts, storms, budget, prelude, sink });
  const bundles = createBundles({ registry, lifecycle, sink });
  const words = createWords({ registry, lifecycle, budget, sink }, snapshot?.words);
  const strandsOf = createStrands(config.sensitiveTables ?? []);
  let lastStep = 0;
  let lastSecond = 0;

  function hit({ verdict, segmentsPerDay }: FindingRecord, all: readonly Finding[], appendMs: number): void {
    const findings = countExpected(verdict, all, appendMs);
    const lead = leadingFinding(findings);
    if (lead === undefined) {
      nothingFound(verdict, all, appendMs);
      return;
    }
    const hard = lead.hard && classOf(lead) === 'security';
    const holder = lifecycle.holderOf(verdict);
    if (holder !== undefined && holder.state !== 'open' && (holder.hard || !hard)) {
      absorb(holder, verdict, findings, holder.lastHitMs); // an amendment is no new hit
      tellVerdict(holder.story, { verdict, findings, lead, isNew: false }, lifecycle.limits());
      sink.incident(toIncident(holder));
      return;
    }
    const opensSoft = isSoftIncident(verdict, segmentsPerDay);
    const taken = { verdict, findings, lead, opensSoft, appendMs };
    const opens = lead.hard || opensSoft;
    const joined = registry.joinable(verdict, findings, lead, holder);
    const beside = joined.length === 0 && opens ? registry.besideOf(verdict, lead) : undefined;
    if (joined.length > 0) lifecycle.join(joined, taken);
    else if (beside !== undefined) lifecycle.joinBeside(beside, taken);
    else if (opens) lifecycle.open(taken);
    const place = verdicts.digestPlaceOf(verdict.id);
    const told = lifecycle.holderOf(verdict) !== undefined;
    if (told && place !== '') digest.leave(place, appendMs);
    verdicts.place(verdict.id, told ? '' : digest.note(verdict, lead, place, appendMs));
    if (!told && verdict.anomalous && canBeBlamed(verdict.client)) prelude.note(verdict, findings, lead, appendMs);
  }

  /** Abuse is a finding about its subject: it joins what else is open about it. */
  function takeAbuse(record: ActorRecord, appendMs: number): void {
    const finding = abuseFinding(record);
    const verdict = notices.verdict(actorVerdict(record, finding, actors.dayOf(record), appendMs), appendMs);
    if (verdicts.take(verdict.id, record.revision) === 'old') return;
    shared.take(record);
    if (countExpected(verdict, [finding], appendMs).length === 0) return;
    const holder = lifecycle.holderOf(verdict);
    if (holder !== undefined && holder.state !== 'open' && record.endMs <= holder.closedMs) {
      lifecycle.amend(holder, record, appendMs); // nothing that came after its end
      return;
    }
    const taken = { verdict, findings: [finding], lead: finding, opensSoft: false, appendMs, actor: record };
    const joined = registry.joinableBy({ ...record, client: verdict.client }, noveltyKey(finding), holder);
    if (joined.length > 0) lifecycle.join(joined, taken);
    else lifecycle.open(taken);
  }

  /** Stages, risk and reasons of one with findings: its incident's, or the start of the one to come. */
  function takeFacts(record: ActorRecord, appendMs: number): void {
    if (verdicts.take(`actor-${record.id}`, record.revision) === 'old') return;
    shared.take(record);
    const client = notices.shown(record.client, appendMs);
    const [state] = registry.joinableBy({ ...record, client }, '');
    if (state !== undefined) lifecycle.amend(state, record, appendMs);
    else if (canBeBlamed(client)) prelude.actor(record);
  }

  /** Our own configuration names a client that is many: one notice, and nothing is held against it. */
  function takeAttribution(record: ActorRecord, appendMs: number): void {
    notices.take(record);
    const finding = attributionFinding(record);
    const of = actorVerdict(record, finding, actors.dayOf(record), appendMs);
    if (verdicts.take(of.id, record.revision) === 'old') return;
    bundles.notice(finding, of, appendMs);
    for (const state of registry.all()) {
      const client = notices.shown(state.client, appendMs);
      const principals = state.principals.filter((address) => !notices.covers(address, appendMs));
      const isSame = client === state.client && principals.length === state.principals.length;
      if (state.state !== 'open' || isSame) continue;
      const isHeldAgainst = state.kind !== 'actor' && client !== state.client && state.entity === client.address;
      const entity = isHeldAgainst ? `${state.service} ${state.operation}` : state.entity;
      Object.assign(state, { client, principals, entity });
      state.revision++;
      registry.index(state);
      sink.incident(toIncident(state));
    }
  }

  /** Amended to nothing, or to nothing that is told: it leaves what it was told of for something soft. */
  function nothingFound(verdict: Verdict, all: readonly Finding[], appendMs: number): void {
    const place = verdicts.digestPlaceOf(verdict.id);
    if (place !== '') digest.leave(place, appendMs);
    verdicts.place(verdict.id, '');
    if (all.length > 0 || lifecycle.holderOf(verdict)?.hard !== false) return;
    lifecycle.withdraw(verdict, appendMs);
    verdicts.assign(verdict.id, ''); // a later amendment may find something again
  }

  const isSoftIncident = ({ anomalous, p }: Verdict, segmentsPerDay: number): boolean =>
    config.softIncidents && anomalous && segmentsPerDay > 0 && p <= budget.thresholdFor(segmentsPerDay);

  /** What of the verdict an operator expects counts in silence; gives the rest, which stands by itself. */
  function countExpected(verdict: Verdict, findings: readonly Finding[], appendMs: number): readonly Finding[] {
    const expected = new Map<Finding, IncidentState>();
    for (const finding of findings) {
      const state = registry.expectedOf(finding, verdict);
      if (state !== undefined) expected.set(finding, state);
    }
    if (expected.size === 0) return findings;
    const rest = findings.filter((finding) => !expected.has(finding));
    const lead = leadingFinding(findings)!;
    // what is soft beside something expected may be odd for its sake
    const stands = rest.some(({ hard }) => hard) || !expected.has(lead);
    for (const state of new Set(expected.values())) {
      state.lastHitMs = Math.max(state.lastHitMs, appendMs);
      if (!stands && state === expected.get(lead)) lifecycle.claim(state, verdict);
      addDistinct(state.traceIds, verdict.traceId, MAX_TRACES);
      state.revision++;
      sink.incident(toIncident(state));
    }
    return stands ? rest : [];
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
        hit(record, decided(record.verdict, quiet, dueMs), dueMs);
        if (!quiet) slowNodes.note(record, dueMs + CAUSE_KEPT_MS);
      }
    }
    for (const { record, dueMs } of absences.due(nowMs)) judgeAbsence(record, dueMs);
  }

  const judgeAbsence = (record: FindingRecord, atMs: number): void =>
    hit(record, decided(record.verdict, false, atMs), atMs);

  const isQuietElsewhere = (finding: Finding): boolean =>
    finding.candidate &&
    !isAbsence(finding) &&
    !load.othersSlow(finding.service, finding.startMs, finding.endMs, finding.excessMs ?? 0);

  /** Candidates as what they turned out to be: a slow node is an attack when it was quiet elsewhere, an absence when nothing got lost. */
  const decided = (verdict: Verdict, quiet: boolean, nowMs: number): Finding[] =>
    verdict.findings.map((finding) => {
      if (!finding.candidate) return finding;
      const hard = isAbsence(finding) ? absences.agrees(verdict, finding, nowMs) : quiet;
      return { ...finding, hard, candidate: false };
    });

  /** One alert for all incidents that a storm gathered. */
  function tellStorms(nowMs: number): void {
    for (const { members, count, atMs } of storms.due(nowMs)) {
      const states = members.map((id) => registry.get(id)).filter((state) => state !== undefined);
      const first = states[0];
      if (first === undefined) continue;
      sink.alert('storm', toIncident(first), `${first.occurrences}:${count}`, atMs, states.map(toIncident));
    }
  }

  function withdraw(verdict: Verdict, appendMs: number): void {
    prelude.withdraw(verdict);
    slowNodes.withdraw(verdict.id);
    absences.withdraw(verdict);
    const place = verdicts.digestPlaceOf(verdict.id);
    if (place !== '') digest.leave(place, appendMs);
    verdicts.place(verdict.id, '');
    lifecycle.withdraw(verdict, appendMs);
  }

  return {
    verdict(found, appendMs) {
      const verdict = notices.verdict(found.verdict, appendMs);
      const record = verdict === found.verdict ? found : { ...found, verdict };
      const taken = verdicts.take(verdict.id, verdict.revision);
      if (taken === 'old') return;
      if (verdict.stage === VerdictStage.withdrawn) {
        withdraw(verdict, appendMs);
        return;
      }
      const strands = strandsOf(verdict.findings);
      bundles.take(verdict, strands, taken === 'new', appendMs);
      const { rest } = strands;
      const own = rest === verdict.findings ? record : { ...record, verdict: { ...verdict, findings: rest } };
      absences.note(verdict, verdict.findings, appendMs);
      const certain = rest.some((f) => f.hard && !f.candidate);
      const isSlow = !certain && rest.some((f) => f.candidate && !isAbsence(f));
      const lacks = !certain && !isSlow && rest.some(isAbsence);
      if (!isSlow) slowNodes.withdraw(verdict.id);
      if (!lacks) absences.withdraw(verdict);
      if (isSlow) slowNodes.add(own, appendMs + config.candidateWaitMs);
      else if (lacks) {
        const crowdedOut = absences.add(own, appendMs + config.candidateWaitMs);
        if (crowdedOut !== undefined) judgeAbsence(crowdedOut, appendMs);
      } else {
        if (certain) for (const earlier of absences.before(verdict)) judgeAbsence(earlier, appendMs);
        if (rest.some(isSlowNode)) slowNodes.note(own, appendMs + 2 * config.candidateWaitMs);
        hit(own, decided(own.verdict, rest.some(isQuietElsewhere), appendMs), appendMs);
      }
    },
    actor(record, appendMs) {
      if (record.facts.misattributed === true && record.abuse !== 'attribution') notices.take(record);
      if (record.abuse === 'attribution') takeAttribution(record, appendMs);
      else if (record.abuse === '') takeFacts(record, appendMs);
      else takeAbuse(record, appendMs);
    },
    load: load.add,
    operational(finding, traceIds, version, appendMs) {
      const of = collectiveVerdict(finding, traceIds[0] ?? '', version, appendMs);
      const known = registry.expectedOf(finding, of) ?? registry.openOf(noveltyKey(finding));
      const state = known ?? lifecycle.opened(incidentId(finding, of), finding, of, appendMs);
      for (const trace of traceIds) if (addDistinct(state.traceIds, trace, MAX_TRACES)) state.traceCount++;
      state.startMs = Math.min(state.startMs, finding.startMs);
      state.endMs = Math.max(state.endMs, finding.endMs);
      if (appendMs > state.lastHitMs) Object.assign(state, { lastHitMs: appendMs, lastHitBy: null });
      state.severity = Math.max(state.severity, finding.severity);
      addFindings(state, [finding]);
      const told = { verdict: of, findings: [finding], lead: finding, isNew: known === undefined };
      tellVerdict(state.story, told, lifecycle.limits());
      tellTraces(state.story, traceIds, finding, '', lifecycle.limits());
      state.revision++;
      if (state.state === 'open') registry.index(state);
      sink.incident(toIncident(state));
      if (known === undefined) lifecycle.announce(state, appendMs);
    },
    judged: (counts) => rates.add(counts),
    action: (action, appendMs) => words.say(action, appendMs),
    tick(nowMs) {
      const step = Math.floor(nowMs / STEP_MS);
      if (step <= lastStep) return;
      lastStep = step;
      const atMs = step * STEP_MS;
      judgeCandidates(atMs);
      tellStorms(atMs);
      const second = Math.floor(atMs / 1_000);
      if (second === lastSecond) return;
      lastSecond = second;
      lifecycle.tick(second * 1_000);
      load.forget(atMs - LOAD_MS);
      budget.tick(atMs);
    },
    open: registry.open,
    budget: (nowMs) => budget.state(nowMs),
    changes: () => ({ digest: digest.takeChanged(), rates: rates.takeChanged() }),
    digestsDue: (nowMs, afterMs) => digest.due(nowMs, afterMs),
    snapshot: () => ({
      ...registry.snapshot(),
      verdicts: verdicts.snapshot(),
      candidates: slowNodes.snapshot(),
      load: load.snapshot(),
      absences: absences.snapshot(),
      storms: storms.snapshot(),
      rates: rates.snapshot(),
      budget: budget.snapshot(),
      digest: digest.snapshot(),
      words: words.snapshot(),
      prelude: prelude.snapshot(),
      notices: notices.snapshot(),
      actorDays: actors.snapshot(),
      shared: shared.snapshot(),
    }),
  };
}
