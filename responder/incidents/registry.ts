/**
 * All incidents that are held. Open ones are found by trace, novelty and client; those an operator expects, by novelty; closed ones
 * are kept a while, since a later hit reopens them and an operator may still judge them. Bounded.
 */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import { canBeBlamed } from './blame.ts';
import { classOf, expectationKey, expectationKeys, noveltyKey } from './explanation.ts';
import { createManyIndex } from './many-index.ts';
import type { SharedAddresses } from './shared.ts';
import { createSimilar } from './similar.ts';
import { type IncidentState, pinned, readState, toIncident } from './state.ts';
import { neighboursOf } from './story.ts';

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
  /** Open incidents of this actor, oldest first: of the same client or user, or that showed the same abuse of it before. */
  joinableBy(record: ActorRecord, novelty: string, holder?: IncidentState): IncidentState[];
  /**
   * Where nobody knows the client: an open incident about which nobody knows either, of the same service or one beside it in the
   * call chain, whose evidence is as old. Undefined where there is none.
   */
  besideOf(verdict: Verdict, lead: Finding): IncidentState | undefined;
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
  /** Past incidents like it. */
  similarTo(state: IncidentState): IncidentState['story']['similar'];
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

/** Evidence of neighbouring services is of one story only when it is so close in time. */
const BESIDE_MS = 30_000;

export function createRegistry(shared: Pick<SharedAddresses, 'has'>, snapshot?: RegistrySnapshot): Registry {
  const incidents = new Map<string, IncidentState>();
  const byTrace = createManyIndex();
  const byNovelty = createManyIndex();
  const byPrincipal = createManyIndex();
  const byMember = createManyIndex();
  const byUser = createManyIndex();
  /** Of those whose client nobody knows. */
  const byService = createManyIndex();
  const expected = createManyIndex();
  const retired = new Map<string, Retired>(snapshot?.retired.map((one) => [one[0], one]));
  const similar = createSimilar((id) => incidents.get(id));
  /** How much of each is found already: lists grow only. */
  const found = new Map<string, string>();
  /** By which user each is found: who is named may be another by now. */
  const foundBy = new Map<string, string>();
  let openCount = 0;

  const extent = ({ noveltyKeys, traceIds, clients, principals, services, client }: IncidentState): string =>
    `${noveltyKeys.length} ${traceIds.length} ${clients.length} ${principals.length} ${services.length} ${client.user} ${client.address}`;

  /** What is slow for everybody, or came with a release, shares nothing by trace or client: it must not swallow what else these do. */
  function index(state: IncidentState): void {
    if (state.kind === 'release') return;
    const now = extent(state);
    if (found.get(state.id) === now) return;
    if (found.has(state.id)) unindex(state);
    found.set(state.id, now);
    const { id } = state;
    for (const key of state.noveltyKeys) byNovelty.add(key, id);
    if (isApart(state)) return;
    for (const trace of state.traceIds) byTrace.add(trace, id);
    for (const client of state.clients) (state.principals.includes(client) ? byPrincipal : byMember).add(client, id);
    if (state.client.user !== null && canBeBlamed(state.client)) {
      byUser.add(state.client.user, id);
      foundBy.set(id, state.client.user);
    }
    if (isUnattributed(state)) for (const service of state.services) byService.add(service, id);
  }

  function unindex({ id, traceIds, noveltyKeys, clients, services }: IncidentState): void {
    found.delete(id);
    for (const key of noveltyKeys) byNovelty.remove(key, id);
    for (const trace of traceIds) byTrace.remove(trace, id);
    for (const address of clients) {
      byPrincipal.remove(address, id);
      byMember.remove(address, id);
    }
    byUser.remove(foundBy.get(id) ?? '', id);
    foundBy.delete(id);
    for (const service of services) byService.remove(service, id);
  }

  /**
   * Incidents of an address. Behind one that many share, those of this user (or, as of this request, of nobody named); where there are
   * none, the only one that may be his: two stories do not become one by such an address.
   */
  function ofAddress(address: string, user: string | null): readonly string[] {
    const ids = [...byPrincipal.of(address)];
    if (!shared.has(address)) return ids;
    const own = ids.filter((id) => isOf(incidents.get(id)!, user));
    if (own.length > 0) return own;
    const possible = ids.filter((id) => mayBeOf(incidents.get(id)!, user));
    return possible.length === 1 ? possible : [];
  }

  const isOpen = (state: IncidentState | undefined): state is IncidentState => state?.state === 'open';
  const keysExpectedOf = ({ noveltyKeys, clients, expectedOf: [novelties, most] }: IncidentState): string[] =>
    expectationKeys({ noveltyKeys: noveltyKeys.slice(0, novelties), clients: clients.slice(0, most) });
  const expect = (state: IncidentState): void => {
    for (const key of keysExpectedOf(state)) expected.add(key, state.id);
  };
  const oldestFirst = (a: IncidentState, b: IncidentState): number => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1);
  const openOnes = (ids: Iterable<string>): IncidentState[] =>
    [...ids]
      .map((id) => incidents.get(id))
      .filter(isOpen)
      .sort(oldestFirst);

  for (const state of (snapshot?.incidents ?? []).map(readState)) {
    incidents.set(state.id, state);
    if (state.expecting) expect(state);
    if (state.state === 'closed' || state.state === 'expected') similar.add(state);
    if (!isOpen(state)) continue;
    openCount++;
    index(state);
  }

  function endExpecting(state: IncidentState): void {
    state.expecting = false;
    for (const key of keysExpectedOf(state)) expected.remove(key, state.id);
  }

  function drop(id: string): void {
    const state = incidents.get(id);
    if (state !== undefined) similar.remove(state);
    incidents.delete(id);
  }

  function forgetOldest(closed: IncidentState[]): void {
    closed.sort((a, b) => a.closedMs - b.closedMs || (a.id < b.id ? -1 : 1));
    for (const { id, revision, occurrences, updates } of closed.slice(0, closed.length - MAX_CLOSED)) {
      drop(id);
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
      similar.remove(state);
      Object.assign(state, { state: 'open', mergedInto: '', closedMs: 0 });
      openCount++;
    },
    end(state, as, atMs) {
      if (isOpen(state)) {
        unindex(state);
        openCount--;
      }
      if (state.expecting) endExpecting(state);
      Object.assign(state, { state: as, closedMs: atMs, expecting: as === 'expected' });
      if (state.expecting) {
        state.expectedOf = [state.noveltyKeys.length, state.clients.length];
        expect(state);
      }
      if (as !== 'merged') similar.add(state);
      state.revision++;
    },
    index,
    joinable(verdict, findings, lead, holder) {
      const ids = new Set<string>(holder === undefined ? [] : [holder.id]);
      const add = (found: Iterable<string>): void => {
        for (const id of found) ids.add(id);
      };
      add(byTrace.of(verdict.traceId));
      for (const finding of findings) if (finding.hard) add(byNovelty.of(noveltyKey(finding)));
      add(byNovelty.of(noveltyKey(lead)));
      const { address, user } = verdict.client;
      if (address !== null && canBeBlamed(verdict.client)) {
        add(ofAddress(address, user));
        // one that did what another did as well: what else it does is a story of its own
        for (const id of byMember.of(address)) {
          if (incidents.get(id)?.findings.some(({ kind }) => kind === lead.kind)) ids.add(id);
        }
        // a user who changes addresses
        if (user !== null)
          for (const id of byUser.of(user)) if (incidents.get(id)?.entity === `user ${user}`) ids.add(id);
      }
      return openOnes(ids);
    },
    joinableBy({ subject, abuse, client, clients }, novelty, holder) {
      const ids = new Set<string>(holder === undefined ? [] : [holder.id]);
      const addresses = abuse === '' ? [] : [...clients];
      if (subject.kind === 'client') addresses.push(subject.key);
      if (client.address !== null) addresses.push(client.address);
      const isUser = subject.kind === 'user';
      if (canBeBlamed(client))
        for (const address of addresses) {
          if (isUser && shared.has(address)) continue; // found by the user alone
          for (const id of ofAddress(address, null)) ids.add(id);
        }
      if (isUser)
        for (const id of byUser.of(subject.key)) if (incidents.get(id)?.client.user === subject.key) ids.add(id);
      if (novelty !== '') for (const id of byNovelty.of(novelty)) ids.add(id);
      return openOnes(ids);
    },
    besideOf(verdict, lead) {
      if (verdict.client.address !== null || verdict.origins.length > 0) return undefined;
      const ids = new Set<string>();
      for (const service of [lead.service, ...neighboursOf(verdict.story?.seen ?? [], lead.service)])
        for (const id of byService.of(service)) ids.add(id);
      return openOnes(ids).find(
        (state) =>
          state.class === classOf(lead) &&
          lead.startMs <= state.endMs + BESIDE_MS &&
          lead.endMs >= state.startMs - BESIDE_MS,
      );
    },
    openOf: (novelty) => openOnes(byNovelty.of(novelty))[0],
    expectedOf(finding, verdict) {
      const [latest] = [...expected.of(expectationKey(finding, verdict))]
        .map((id) => incidents.get(id)!)
        .sort((a, b) => b.closedMs - a.closedMs || (a.id < b.id ? -1 : 1));
      return latest;
    },
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
        if (nowMs > state.closedMs + KEPT_MS) drop(state.id);
        else closed.push(state);
      }
      if (closed.length > MAX_CLOSED) forgetOldest(closed);
    },
    similarTo: similar.to,
    snapshot: () => ({ incidents: [...incidents.values()].map(pinned), retired: [...retired.values()] }),
  };
}

/** About many requests, or about us: nobody's. */
const isApart = ({ kind }: IncidentState): boolean =>
  kind === 'collective' || kind === 'missing-telemetry' || kind === 'attribution';

const isOf = ({ entity, client, users }: IncidentState, user: string | null): boolean =>
  entity.startsWith('user ')
    ? entity === `user ${user}`
    : client.user === user || (user !== null && users.includes(user));

/** Not held against a user, and one of the two names none. */
const mayBeOf = ({ entity, client }: IncidentState, user: string | null): boolean =>
  !entity.startsWith('user ') && (user === null || client.user === null);

const isUnattributed = ({ client, clients, suspects }: IncidentState): boolean =>
  client.address === null && clients.length === 0 && suspects.length === 0;
