/**
 * All incidents that are held. Open ones are found by trace, novelty and client; those an operator expects, by novelty; closed ones
 * are kept a while, since a later hit reopens them and an operator may still judge them. Bounded.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { expectationKey, expectationKeys, noveltyKey } from './explanation.ts';
import { type IncidentState, readState, toIncident } from './state.ts';

export interface Registry {
  get(id: string): IncidentState | undefined;
  /** The incident, or the one that took it in. */
  holderOf(id: string): IncidentState | undefined;
  /** Puts in a new one, open; counters of one forgotten before go on. */
  add(state: IncidentState): void;
  /** Open again. */
  reopen(state: IncidentState): void;
  /** It is open no more: `state` says how it ended. */
  end(state: IncidentState, as: 'closed' | 'merged' | 'expected', atMs: number): void;
  /** Found by what it has now. */
  index(state: IncidentState): void;
  /** Open incidents that the verdict belongs to, oldest first. */
  joinable(verdict: Verdict, findings: readonly Finding[], lead: Finding, holder?: IncidentState): IncidentState[];
  openOf(novelty: string): IncidentState | undefined;
  /** The incident under which an operator expects more of this. */
  expectedOf(finding: Finding, verdict: Verdict): IncidentState | undefined;
  /** Nothing more is expected of it. */
  endExpecting(state: IncidentState): void;
  readonly openCount: number;
  all(): Iterable<IncidentState>;
  open(): readonly Incident[];
  /** Forgets what closed long ago. */
  forget(nowMs: number): void;
  snapshot(): RegistrySnapshot;
}

/** What is left of an incident that was forgotten early: a later hit goes on counting from there. */
export type Retired = readonly [id: string, revision: number, occurrences: number, updates: number];

export interface RegistrySnapshot {
  readonly incidents: readonly IncidentState[];
  readonly retired: readonly Retired[];
}

/** Closed incidents are kept so long: to be reopened by a later hit of the same day, and to be judged by an operator. */
const KEPT_MS = 7 * 86_400_000;
/** Closed ones kept whole, and what is kept of those forgotten before. */
const MAX_CLOSED = 2_000;
const MAX_RETIRED = 20_000;

export function createRegistry(snapshot?: RegistrySnapshot): Registry {
  const incidents = new Map<string, IncidentState>();
  const byTrace = new Map<string, string>();
  const byNovelty = new Map<string, string>();
  const byClient = new Map<string, string>();
  const expected = new Map<string, string>();
  const retired = new Map<string, Retired>(snapshot?.retired.map((one) => [one[0], one]));
  let openCount = 0;

  /** What is slow for everybody, or came with a release, shares nothing by trace or client: it must not swallow what else these do. */
  function index(state: IncidentState): void {
    if (state.kind === 'release') return;
    for (const key of state.noveltyKeys) byNovelty.set(key, state.id);
    if (state.kind === 'collective' || state.kind === 'missing-telemetry') return;
    for (const trace of state.traceIds) byTrace.set(trace, state.id);
    for (const client of state.clients) byClient.set(client, state.id);
  }

  const without = (map: Map<string, string>, keys: readonly string[], id: string): void => {
    for (const key of keys) if (map.get(key) === id) map.delete(key);
  };

  function unindex({ id, traceIds, noveltyKeys, clients }: IncidentState): void {
    without(byTrace, traceIds, id);
    without(byNovelty, noveltyKeys, id);
    without(byClient, clients, id);
  }

  const isOpen = (state: IncidentState | undefined): state is IncidentState => state?.state === 'open';
  const expect = (state: IncidentState): void => {
    for (const key of expectationKeys(state)) expected.set(key, state.id);
  };

  for (const state of (snapshot?.incidents ?? []).map(readState)) {
    incidents.set(state.id, state);
    if (state.expecting) expect(state);
    if (!isOpen(state)) continue;
    openCount++;
    index(state);
  }

  function endExpecting(state: IncidentState): void {
    state.expecting = false;
    without(expected, expectationKeys(state), state.id);
  }

  function forgetOldest(closed: IncidentState[]): void {
    closed.sort((a, b) => a.closedMs - b.closedMs || (a.id < b.id ? -1 : 1));
    for (const { id, revision, occurrences, updates } of closed.slice(0, closed.length - MAX_CLOSED)) {
      incidents.delete(id);
      retired.set(id, [id, revision, occurrences, updates]);
      if (retired.size > MAX_RETIRED) retired.delete(retired.keys().next().value!);
    }
  }

  return {
    get: (id) => incidents.get(id),
    holderOf(id) {
      let holder = incidents.get(id);
      while (holder !== undefined && holder.state === 'merged') holder = incidents.get(holder.mergedInto);
      return holder;
    },
    add(state) {
      const [, revision, occurrences, updates] = retired.get(state.id) ?? [state.id, 0, 0, 0];
      retired.delete(state.id);
      Object.assign(state, { revision, occurrences: occurrences + 1, updates });
      incidents.set(state.id, state);
      openCount++;
    },
    reopen(state) {
      endExpecting(state);
      Object.assign(state, { state: 'open', mergedInto: '', closedMs: 0 });
      openCount++;
    },
    end(state, as, atMs) {
      if (isOpen(state)) {
        unindex(state);
        openCount--;
      }
      Object.assign(state, { state: as, closedMs: atMs, expecting: as === 'expected' });
      if (state.expecting) expect(state);
      state.revision++;
    },
    index,
    joinable(verdict, findings, lead, holder) {
      const ids = new Set<string | undefined>([holder?.id, byTrace.get(verdict.traceId)]);
      for (const finding of findings) if (finding.hard) ids.add(byNovelty.get(noveltyKey(finding)));
      ids.add(byNovelty.get(noveltyKey(lead)));
      const { address } = verdict.client;
      if (address !== null) ids.add(byClient.get(address));
      const found = [...ids].map((id) => incidents.get(id ?? '')).filter(isOpen);
      return found.sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1));
    },
    openOf(novelty) {
      const state = incidents.get(byNovelty.get(novelty) ?? '');
      return isOpen(state) ? state : undefined;
    },
    expectedOf: (finding, verdict) => incidents.get(expected.get(expectationKey(finding, verdict)) ?? ''),
    endExpecting,
    get openCount() {
      return openCount;
    },
    all: () => incidents.values(),
    open: () => [...incidents.values()].filter(isOpen).map(toIncident),
    forget(nowMs) {
      const closed: IncidentState[] = [];
      for (const state of incidents.values()) {
        if (state.state === 'open' || state.expecting) continue;
        if (nowMs > state.closedMs + KEPT_MS) incidents.delete(state.id);
        else closed.push(state);
      }
      if (closed.length > MAX_CLOSED) forgetOldest(closed);
    },
    snapshot: () => ({ incidents: [...incidents.values()], retired: [...retired.values()] }),
  };
}
