/**
 * The life of an incident: opened, joined, merged, hardened, closed, reopened (DETECTION §6), and what people hear of each.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { canBeBlamed } from './blame.ts';
import type { Budget } from './budget.ts';
import { classOf, incidentId, noveltyKey, type Subjected, subjectOfNovelty } from './explanation.ts';
import type { Prelude } from './prelude.ts';
import type { Registry } from './registry.ts';
import {
  absorb,
  addDistinct,
  type IncidentState,
  leadFields,
  MAX_CLIENTS,
  MAX_TRACES,
  nameClient,
  newIncident,
  rankOf,
  stirredMs,
  takeIn,
  toIncident,
} from './state.ts';
import type { Storms } from './storms.ts';
import {
  FULL,
  furthestOf,
  joinStories,
  SHORT,
  type StoryLimits,
  takeBack,
  tellActor,
  tellEvent,
  tellTraces,
  tellVerdict,
} from './story.ts';
import { entryOf } from './timeline.ts';
import type { VerdictBook } from './verdict-book.ts';

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

export interface LifecycleConfig {
  readonly quietSecurityMs: number;
  readonly quietOperationalMs: number;
  readonly maxOpen: number;
}

/** A verdict's findings on their way into an incident. */
export interface Hit {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly lead: Finding;
  /** Without a hard finding, but so improbable that it opens an incident. */
  readonly opensSoft: boolean;
  readonly appendMs: number;
  /** Of a finding about an actor: what is known of it. */
  readonly actor?: ActorRecord;
}

export interface Lifecycle {
  /** Open incidents it belongs to take it; the others become part of the oldest. */
  join(joined: readonly IncidentState[], hit: Hit): void;
  /** One about a neighbouring service takes it: nobody knows either client. People hear of each novelty. */
  joinBeside(state: IncidentState, hit: Hit): void;
  /** A new incident, or another occurrence of one that was closed. */
  open(hit: Hit): void;
  /** The state of this id, open: new, or again as another occurrence. */
  opened(id: string, lead: Finding, verdict: Verdict, appendMs: number): IncidentState;
  announce(state: IncidentState, atMs: number): void;
  tellUpdate(state: IncidentState, atMs: number): void;
  close(state: IncidentState, atMs: number, as?: 'closed' | 'expected'): void;
  /** The incident that took the verdict before, or took in the one that did. */
  holderOf(verdict: Verdict): IncidentState | undefined;
  /** Counts the verdict once; true when it is new to incidents. */
  claim(state: IncidentState, verdict: Verdict): boolean;
  /** What is known of an actor by now, without a hit. */
  amend(state: IncidentState, record: ActorRecord, appendMs: number): void;
  /** How much of a story is kept at present. */
  limits(): StoryLimits;
  withdraw(verdict: Verdict, appendMs: number): void;
  /** Closes what is quiet. */
  tick(nowMs: number): void;
}

/** Of more open incidents the stories are short. */
const MANY_OPEN = 1_000;

/** A release is open while it goes out. */
const QUIET_RELEASE_MS = 86_400_000;

export function createLifecycle(
  config: LifecycleConfig,
  deps: {
    readonly registry: Registry;
    readonly verdicts: VerdictBook;
    readonly storms: Storms;
    readonly budget: Budget;
    readonly prelude: Prelude;
    readonly sink: KeeperSink;
  },
): Lifecycle {
  const { registry, verdicts, storms, budget, prelude, sink } = deps;

  const limits = (): StoryLimits => (registry.openCount > MANY_OPEN ? SHORT : FULL);

  const holderOf = (verdict: Verdict): IncidentState | undefined =>
    registry.holderOf(verdicts.incidentOf(verdict.id) ?? '');

  function claim(state: IncidentState, verdict: Verdict): boolean {
    const isNew = holderOf(verdict) === undefined;
    verdicts.assign(verdict.id, state.id);
    if (isNew) {
      state.liveVerdicts++;
      state.traceCount++;
    }
    return isNew;
  }

  function join([state, ...beside]: readonly IncidentState[], hit: Hit, isBeside = false): void {
    if (state === undefined) return;
    const { verdict, findings, lead, appendMs } = hit;
    // a machine that stalls makes everybody wait: two stories do not become one by it
    const others = isMereSlowness(lead) ? [] : beside;
    const isNew = claim(state, verdict);
    const namedBefore = state.client.address !== null;
    const suspectedBefore = state.suspects.length > 0;
    const victim = isVictim(state, lead);
    const clientsBefore = state.clients.length;
    const usersBefore = state.users.length;
    const noveltiesBefore = state.noveltyKeys.length;
    const another = isNew && isAnother(state, hit);
    const strange = isNew && isOfStrangers(state, verdict);
    absorb(state, verdict, findings, appendMs);
    if (victim && lead.endMs < state.clientEvidenceEndMs) {
      state.principals = state.principals.filter((address) => address !== state.client.address);
      state.client = verdict.client;
      state.clientEvidenceEndMs = lead.endMs;
    }
    nameClient(state, verdict, isNew); // a later origin amends the incident without a second alert
    tell(state, hit, isNew);
    if (clientsBefore > 0 && state.clients.length > clientsBefore && !victim) tellClient(state, hit);
    else if (isAnotherUser(state, usersBefore, hit) && !victim) tellClient(state, hit, 'user');
    if (strange) tellStrangers(state, hit);
    for (const other of others) mergeInto(state, other, appendMs);
    const event = graver(state, hit);
    addPrincipal(state);
    registry.index(state);
    sink.incident(toIncident(state));
    const told = clientsTold(state);
    const users = inPowers(state.users.length);
    const further = furtherThanTold(state);
    if (event !== null) {
      const how = state.hard ? 'hard' : 'security';
      sink.alert(event, toIncident(state), `${state.occurrences}:${how}`, appendMs, []);
    } else if (
      isBeside ||
      others.length > 0 ||
      another ||
      (strange && (state.strangers & (state.strangers - 1)) === 0 && !victim) || // as clients: the 1st, 2nd, 4th, …
      (isNew && isUnsure(verdict) && lead.hard && state.noveltyKeys.length > noveltiesBefore && !victim) ||
      (users > state.toldUsers && isAnotherUser(state, usersBefore, hit) && isNew && !victim) ||
      (told > state.toldClients && isNew && namedBefore && !victim) ||
      (suspectedBefore && !namedBefore && state.client.address !== null) || // of several, now it is known who
      (further && !victim)
    ) {
      tellUpdate(state, appendMs);
    }
    state.toldClients = Math.max(state.toldClients, told);
    state.toldUsers = Math.max(state.toldUsers, users);
  }

  /** The story goes on: with this hit, and with what its client did before anything was certain. */
  function tell(state: IncidentState, hit: Hit, isNew: boolean): void {
    const { verdict, actor, appendMs } = hit;
    const { story } = state;
    if (actor === undefined) tellVerdict(story, { ...hit, isNew }, limits());
    else addActor(state, actor, hit.lead);
    if (!canBeBlamed(verdict.client)) return;
    const before = prelude.take(verdict.client.address ?? '', appendMs - config.quietSecurityMs);
    if (before === undefined) return;
    for (const { verdict: early, findings } of before.verdicts) {
      tellVerdict(story, { verdict: early, findings, lead: findings[0]!, isNew: true }, limits());
      state.startMs = Math.min(state.startMs, findings[0]!.startMs);
    }
    for (const record of before.actors) tellActor(story, record, limits());
  }

  /** Who took part, and what of it can be looked at. */
  function addActor(state: IncidentState, record: ActorRecord, lead: Finding): void {
    const isBlamed = canBeBlamed(record.client);
    for (const client of record.clients) {
      addDistinct(state.clients, client, MAX_CLIENTS);
      if (isBlamed) addDistinct(state.principals, client, MAX_CLIENTS);
    }
    for (const user of record.users) addDistinct(state.users, user, MAX_CLIENTS);
    for (const trace of record.traceIds) if (addDistinct(state.traceIds, trace, MAX_TRACES)) state.traceCount++;
    tellActor(state.story, record, limits());
    tellTraces(state.story, record.traceIds, lead, record.client.address ?? '', limits());
  }

  function tellClient(state: IncidentState, { verdict, lead }: Hit, what: 'client' | 'user' = 'client'): void {
    const { traceId, client } = verdict;
    const text = `another ${what}: ${lead.kind} in ${lead.service}`;
    const of = { traceId, client: client.address, key: verdict.id };
    tellEvent(state.story, entryOf('client', lead.startMs, text, of), limits());
  }

  /** A batch of others' work showed it too: one of them did it. */
  function tellStrangers(state: IncidentState, { verdict, lead }: Hit): void {
    state.strangers++;
    const behind: string[] = [];
    for (const { address } of verdict.origins) addDistinct(behind, address, MAX_CLIENTS);
    for (const address of behind) addDistinct(state.suspects, address, MAX_CLIENTS);
    const text = `another client, one of ${behind.slice(0, 3).join(', ')}${behind.length > 3 ? ', …' : ''}: ${lead.kind} in ${lead.service}`;
    const of = { traceId: verdict.traceId, key: verdict.id };
    tellEvent(state.story, entryOf('client', lead.startMs, text, of), limits());
  }

  /** Whoever is named did what the incident is about. */
  function addPrincipal({ principals, client }: IncidentState): void {
    if (canBeBlamed(client)) addDistinct(principals, client.address, MAX_CLIENTS);
  }

  /** True when an attack got further than people know. */
  function furtherThanTold(state: IncidentState): boolean {
    if (state.class !== 'security') return false;
    const reached = furthestOf(state.story);
    if (reached <= state.toldStage) return false;
    state.toldStage = reached;
    return true;
  }

  /**
   * What was soft has become certain, or what was no matter of security has become one: people must hear of it although the
   * incident is known. Null when nothing changed in that respect.
   */
  function graver(state: IncidentState, { verdict, lead, opensSoft }: Hit): 'opened' | 'updated' | null {
    if (classOf(lead) !== 'security' || !(lead.hard || opensSoft)) return null;
    if ((lead.hard ? 2 : 1) <= rankOf(state)) return null;
    const event = state.class === 'security' ? 'updated' : 'opened';
    Object.assign(state, leadFields(lead, verdict));
    if (state.hard) budget.leave(state.id);
    else budget.opened(state.id, state.lastHitMs);
    if (verdict.client.address !== null) state.client = verdict.client;
    addDistinct(state.noveltyKeys, noveltyKey(lead), Number.POSITIVE_INFINITY);
    registry.index(state);
    return event;
  }

  function tellUpdate(state: IncidentState, atMs: number): void {
    state.updates++;
    sink.alert('updated', toIncident(state), `${state.updates}`, atMs, []);
  }

  function open(hit: Hit): void {
    const { verdict, findings, lead, appendMs } = hit;
    const id = incidentId(lead, verdict);
    const known = registry.get(id);
    if (known?.state === 'open') {
      join([known], hit);
      return;
    }
    const state = opened(id, lead, verdict, appendMs);
    claim(state, verdict);
    absorb(state, verdict, findings, appendMs);
    nameClient(state, verdict, true);
    tell(state, hit, true);
    addPrincipal(state);
    state.story.similar = registry.similarTo(state);
    state.toldClients = clientsTold(state);
    state.toldUsers = inPowers(state.users.length);
    furtherThanTold(state);
    registry.index(state);
    if (!lead.hard && !state.hard) budget.opened(id, appendMs);
    sink.incident(toIncident(state));
    announce(state, appendMs);
    enforceMostOpen(appendMs);
  }

  function opened(id: string, lead: Finding, verdict: Verdict, appendMs: number): IncidentState {
    const before = registry.get(id);
    if (before === undefined) {
      const state = newIncident(id, verdict, lead, appendMs);
      registry.add(state);
      tellEvent(state.story, entryOf('opened', appendMs, state.title), limits());
      return state;
    }
    if (!before.hard) Object.assign(before, leadFields(lead, verdict));
    registry.reopen(before);
    before.judged = '';
    before.occurrences++;
    before.toldStage = -1;
    // whose doing it is now; whose it was is among the others
    Object.assign(before, { client: verdict.client, clientEvidenceEndMs: lead.endMs, suspects: [] });
    tellEvent(before.story, entryOf('reopened', appendMs, `occurrence ${before.occurrences}`), limits());
    return before;
  }

  function announce(state: IncidentState, atMs: number): void {
    if (storms.opens(state.class, state.id, atMs))
      sink.alert('opened', toIncident(state), `${state.occurrences}`, atMs, []);
  }

  function mergeInto(kept: IncidentState, other: IncidentState, appendMs: number): void {
    other.mergedInto = kept.id;
    registry.end(other, 'merged', appendMs);
    sink.incident(toIncident(other));
    budget.leave(other.id);
    takeIn(kept, other);
    joinStories(kept.story, other.story, limits());
    tellEvent(kept.story, entryOf('merged', appendMs, `${other.id} became part of it: ${other.title}`), limits());
    if (kept.hard) budget.leave(kept.id);
  }

  function close(state: IncidentState, atMs: number, as: 'closed' | 'expected' = 'closed'): void {
    const wasOpen = state.state === 'open';
    if (wasOpen) {
      const counts = `${state.traceCount} traces, ${state.occurrences} occurrences`;
      tellEvent(state.story, entryOf('closed', atMs, as === 'expected' ? `expected: ${counts}` : counts), limits());
      state.story.similar = registry.similarTo(state);
    }
    registry.end(state, as, atMs);
    sink.incident(toIncident(state));
    if (wasOpen) sink.alert('closed', toIncident(state), `${state.occurrences}`, atMs, []);
  }

  function enforceMostOpen(nowMs: number): void {
    if (registry.openCount <= config.maxOpen) return;
    let quietest: IncidentState | undefined;
    for (const state of registry.all()) {
      if (state.state === 'open' && (quietest === undefined || stirredMs(state) < stirredMs(quietest)))
        quietest = state;
    }
    if (quietest !== undefined) close(quietest, nowMs);
  }

  const quietMs = (state: IncidentState): number =>
    state.kind === 'release'
      ? QUIET_RELEASE_MS
      : state.class === 'operational'
        ? config.quietOperationalMs
        : config.quietSecurityMs;

  return {
    join,
    joinBeside: (state, hit) => join([state], hit, true),
    open,
    opened,
    announce,
    tellUpdate,
    close,
    holderOf,
    claim,
    limits,
    amend(state, record, appendMs) {
      if (!tellActor(state.story, record, limits()).changed) return;
      state.revision++;
      const further = state.state === 'open' && furtherThanTold(state);
      sink.incident(toIncident(state));
      if (further) tellUpdate(state, appendMs);
    },
    withdraw(verdict, appendMs) {
      const state = holderOf(verdict);
      if (state === undefined) return;
      takeBack(state.story, verdict);
      state.liveVerdicts--;
      state.revision++;
      if (state.liveVerdicts <= 0 && state.state === 'open') close(state, appendMs);
      else sink.incident(toIncident(state));
    },
    tick(nowMs) {
      for (const state of registry.all()) {
        const overMs = stirredMs(state) + quietMs(state);
        if (nowMs <= overMs) continue;
        if (state.state === 'open') close(state, overMs);
        else if (state.expecting) registry.endExpecting(state);
      }
      registry.forget(nowMs);
    },
  };
}

const isMereSlowness = ({ kind, hard }: Finding): boolean => !hard && (kind === 'self-time' || kind === 'latency');

/** Overlapping slow nodes of one key wait for the same cause: the one that ended first. No update is sent for victims. */
const isVictim = (state: IncidentState, lead: Finding): boolean =>
  lead.kind === 'self-time' && state.kind === 'self-time' && lead.startMs <= state.endMs;

/** Of several clients' work, none of whom is known here, while somebody is. */
const isOfStrangers = ({ client, clients }: IncidentState, verdict: Verdict): boolean =>
  client.address !== null &&
  verdict.client.address === null &&
  verdict.originState === 'known' &&
  verdict.origins.some(({ address }) => address !== null) &&
  !verdict.origins.some(({ address }) => address !== null && clients.includes(address));

/** A private peer, or a proxy of ours where headers tell nothing: anybody may be behind it, so that people hear of each novelty. */
const isUnsure = ({ client }: Verdict): boolean => client.confidence === 'low' && client.address !== null;

/** Whom an actor's record is held against, when the incident did not know of that one. */
function isAnother(state: IncidentState, { actor, lead }: Hit): boolean {
  const subject = (lead as Subjected).subject;
  if (actor === undefined || subject === undefined || subject === state.entity) return false;
  const { kind, key } = actor.subject;
  if (kind === 'client' ? state.clients.includes(key) : kind === 'user' && state.client.user === key) return false;
  return !state.noveltyKeys.some((novelty) => subjectOfNovelty(novelty) === subject);
}

/** A verdict named a user beside those whom it was of. What an actor's record lists are accounts that it used. */
const isAnotherUser = (state: IncidentState, usersBefore: number, { actor }: Hit): boolean =>
  actor === undefined && usersBefore > 0 && state.users.length > usersBefore;

/** Clients count in powers of two: an update at 2, 4, 8, …, so that a crowd does not cause one each. */
const clientsTold = (state: IncidentState): number => inPowers(state.clients.length);

const inPowers = (count: number): number => (count === 0 ? 0 : 2 ** Math.floor(Math.log2(count)));
