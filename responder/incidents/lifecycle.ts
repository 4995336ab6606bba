/**
 * The life of an incident: opened, joined, merged, hardened, closed, reopened (DETECTION §6), and what people hear of each.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import type { Budget } from './budget.ts';
import { classOf, incidentId, noveltyKey } from './explanation.ts';
import type { Registry } from './registry.ts';
import {
  absorb,
  addDistinct,
  type IncidentState,
  leadFields,
  nameClient,
  newIncident,
  rankOf,
  takeIn,
  toIncident,
} from './state.ts';
import type { Storms } from './storms.ts';
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
}

export interface Lifecycle {
  /** Open incidents it belongs to take it; the others become part of the oldest. */
  join(joined: readonly IncidentState[], hit: Hit): void;
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
  withdraw(verdict: Verdict, appendMs: number): void;
  /** Closes what is quiet. */
  tick(nowMs: number): void;
}

/** A release is open while it goes out. */
const QUIET_RELEASE_MS = 86_400_000;

export function createLifecycle(
  config: LifecycleConfig,
  deps: {
    readonly registry: Registry;
    readonly verdicts: VerdictBook;
    readonly storms: Storms;
    readonly budget: Budget;
    readonly sink: KeeperSink;
  },
): Lifecycle {
  const { registry, verdicts, storms, budget, sink } = deps;

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

  function join([state, ...others]: readonly IncidentState[], hit: Hit): void {
    if (state === undefined) return;
    const { verdict, findings, lead, appendMs } = hit;
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
    registry.index(state);
    const event = graver(state, hit);
    sink.incident(toIncident(state));
    const told = clientsTold(state);
    if (event !== null) {
      const how = state.hard ? 'hard' : 'security';
      sink.alert(event, toIncident(state), `${state.occurrences}:${how}`, appendMs, []);
    } else if (
      others.length > 0 ||
      (told > state.toldClients && isNew && namedBefore && !victim) ||
      (suspectedBefore && !namedBefore && state.client.address !== null) // of several, now it is known who
    ) {
      tellUpdate(state, appendMs);
    }
    state.toldClients = Math.max(state.toldClients, told);
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
    state.toldClients = clientsTold(state);
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
      return state;
    }
    if (!before.hard) Object.assign(before, leadFields(lead, verdict));
    registry.reopen(before);
    before.judged = '';
    before.occurrences++;
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
    if (kept.hard) budget.leave(kept.id);
  }

  function close(state: IncidentState, atMs: number, as: 'closed' | 'expected' = 'closed'): void {
    const wasOpen = state.state === 'open';
    registry.end(state, as, atMs);
    sink.incident(toIncident(state));
    if (wasOpen) sink.alert('closed', toIncident(state), `${state.occurrences}`, atMs, []);
  }

  function enforceMostOpen(nowMs: number): void {
    if (registry.openCount <= config.maxOpen) return;
    let quietest: IncidentState | undefined;
    for (const state of registry.all()) {
      if (state.state === 'open' && (quietest === undefined || state.lastHitMs < quietest.lastHitMs)) quietest = state;
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
    open,
    opened,
    announce,
    tellUpdate,
    close,
    holderOf,
    claim,
    withdraw(verdict, appendMs) {
      const state = holderOf(verdict);
      if (state === undefined) return;
      state.liveVerdicts--;
      state.revision++;
      if (state.liveVerdicts <= 0 && state.state === 'open') close(state, appendMs);
      else sink.incident(toIncident(state));
    },
    tick(nowMs) {
      for (const state of registry.all()) {
        const overMs = state.lastHitMs + quietMs(state);
        if (nowMs <= overMs) continue;
        if (state.state === 'open') close(state, overMs);
        else if (state.expecting) registry.endExpecting(state);
      }
      registry.forget(nowMs);
    },
  };
}

/** Overlapping slow nodes of one key wait for the same cause: the one that ended first. No update is sent for victims. */
const isVictim = (state: IncidentState, lead: Finding): boolean =>
  lead.kind === 'self-time' && state.kind === 'self-time' && lead.startMs <= state.endMs;

/** Clients count in powers of two: an update at 2, 4, 8, …, so that a crowd does not cause one each. */
const clientsTold = (state: IncidentState): number =>
  state.clients.length === 0 ? 0 : 2 ** Math.floor(Math.log2(state.clients.length));
