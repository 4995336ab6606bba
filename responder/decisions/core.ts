/**
 * Decides (docs/response.md): incidents that meet a rule become decisions, unless a rail stands against it; every decision ends.
 * A pure function of the records of `findings` in their order, with log time as its only clock: a replay decides the same, under
 * the same ids.
 */
import type { Decision, DecisionScope } from '../../schemas/alerts/decision.ts';
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import type { ResponseConfig, ResponseRule } from '../../schemas/config/response.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { DecisionAction } from '../../schemas/log/decision-action.ts';
import { STAGES } from '../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { withoutSteering } from '../../traces/steering.ts';
import { type BookSnapshot, createBook, type DecisionKey, isInForce } from './book.ts';
import { createCases } from './cases.ts';
import { createDueQueue } from './due.ts';
import { createKnown, type Known, type KnownSnapshot } from './known.ts';
import { covers, parseNetwork } from './network.ts';
import { createRails, RAILS, type Rail } from './rails.ts';
import { type Case, caseKey, caseOf, concerns, meets } from './rules.ts';

export interface DecisionCoreConfig {
  readonly response: Pick<
    ResponseConfig,
    | 'mode'
    | 'rules'
    | 'allow'
    | 'allowUsers'
    | 'ownInfrastructure'
    | 'allowPrivate'
    | 'maxUsersPerAddress'
    | 'unnamedUsers'
    | 'maxDecisionsPerHour'
    | 'maxDurationMs'
    | 'factsWaitMs'
  >;
  readonly attribution: Pick<AttributionConfig, 'trustedProxies' | 'services' | 'singleValueHeaders'>;
}

export interface DecisionCore {
  /** An incident changed. `atMs`: log time of what changed it. */
  incident(incident: Incident, atMs: number, cause?: Cause): void;
  actor(record: ActorRecord, atMs: number): void;
  /** The client of a verdict with findings. */
  client(client: ClientRecord, atMs: number): void;
  /** An operator's word; how many decisions it ended. */
  action(action: DecisionAction, atMs: number): number;
  /** Log time went on. */
  advance(nowMs: number): void;
  inForce(): readonly Decision[];
  /** Refusals of which there is no row, and clients of open incidents that were forgotten for newer ones. */
  counts(): { readonly unkeptRefusals: number; readonly forgottenCases: number };
  /** Also what ended, as long as it is remembered. */
  all(): readonly Decision[];
  snapshot(): DecisionSnapshot;
}

/** What made an incident change, where one record did. */
export interface Cause {
  /** It is closed because nothing of it is left. */
  readonly withdrawn?: boolean;
  /** Whose doing: of a verdict with something certain, or of an actor over its bound. */
  readonly client?: ClientRecord | undefined;
}

export interface DecisionSnapshot {
  readonly known: KnownSnapshot;
  readonly book: BookSnapshot;
  readonly cases: readonly Case[];
  readonly waiting: readonly (readonly [string, number])[];
  readonly pardons: readonly (readonly [string, number])[];
  readonly refused: readonly number[];
  readonly nowMs: number;
}

/** What waits for facts: which case, and for which decision. */
interface Waits extends Pick<DecisionKey, 'scope' | 'value' | 'target'> {
  readonly case: string;
}

const MOST_PARDONS = 10_000;
const PARDON_MS = 7 * 86_400_000;
/** Refusals that are kept as rows within an hour; the others are counted alone. */
const MOST_REFUSALS_AN_HOUR = 1_000;
const HOUR_MS = 3_600_000;
const MOST_TEXT = 300;
/** Who undoes where no operator does. */
const SELF = 'spanwarden';

/** One line of a bounded length: texts come from telemetry. */
const clean = (text: string, most = MOST_TEXT): string =>
  withoutSteering(text.slice(0, 4 * most), () => ' ')
    .replace(/ {2,}/g, ' ')
    .slice(0, most);

export function createDecisionCore(
  { response, attribution }: DecisionCoreConfig,
  /** What became of a decision, also of one that was refused: its newest row; and whether it was enforced until now. */
  emit: (decision: Decision, wasEnforced: boolean) => void,
  snapshot?: DecisionSnapshot,
  /** As they were stored: those that neither the snapshot nor a replay knows are taken over, so that they can be ended. */
  stored: readonly Decision[] = [],
): DecisionCore {
  const isOff = response.mode === 'off';
  const known: Known = createKnown(snapshot?.known);
  const rails = createRails(response, attribution, known);
  const book = createBook(snapshot?.book);
  const cases = createCases(isOff ? [] : snapshot?.cases);
  /** Decisions that wait for facts, by key: until when. */
  const waiting = new Map<string, number>();
  const waits = createDueQueue<string>(({ dueMs, what }) => waiting.get(what) === dueMs);
  let waitsMade = 0;
  function wait(what: string, dueMs: number): void {
    waiting.set(what, dueMs);
    waits.add({ dueMs, rank: waitsMade++, what });
  }
  if (!isOff) for (const [what, dueMs] of snapshot?.waiting ?? []) wait(what, dueMs);
  /** Subjects an operator set free, and when: incidents opened before may not decide about them again. */
  const pardons = new Map<string, number>(snapshot?.pardons);
  /** When refusals were kept as rows. */
  const refusedAt: number[] = [...(snapshot?.refused ?? [])];
  let unkeptRefusals = 0;
  let nowMs = snapshot?.nowMs ?? 0;
  let lastForgottenMs = nowMs;
  /** Nothing falls due before. */
  let nextDueMs = 0;

  /** The first made last. */
  const toAdopt = [...stored].sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? 1 : -1));

  function put(decision: Decision, wasEnforced = false): void {
    book.put(decision);
    emit(decision, wasEnforced);
  }

  const ended = (decision: Decision, state: 'undone' | 'expired', by: string, atMs: number, why: string): Decision => ({
    ...decision,
    revision: decision.revision + 1,
    state,
    ...(why !== '' && { reason: clean(`${decision.reason}; ${why}`) }),
    ...(state === 'undone' && { undoneBy: by, undoneMs: atMs }),
  });
  const end = (decision: Decision, state: 'undone' | 'expired', by: string, atMs: number, why = ''): void =>
    put(ended(decision, state, by, atMs, why), decision.state === 'enforced');

  /** What is known of whom it would be decided about stands over what the incident tells of its worst one. */
  function of(scope: DecisionScope, value: string, one: Case, atMs: number): Case {
    const actor =
      scope === 'user'
        ? known.user(value, atMs)
        : scope === 'ip'
          ? known.address(value, atMs)
          : known.network(value, atMs);
    if (actor === undefined) return one;
    const { risk } = actor;
    // what others did with an address says nothing of a user
    const own = scope === 'user' && one.entity !== value ? [] : one.stages;
    return { ...one, risk, stages: STAGES.filter((stage) => own.includes(stage) || actor.stages.includes(stage)) };
  }

  function valueFor(rule: ResponseRule, one: Case, atMs: number): string | null {
    const { address, user } = one.client;
    // whose account it was aimed at, or who broke into it, is not he: only what he himself is known for counts
    if (rule.scope === 'user') return user !== null && known.user(user, atMs) !== undefined ? user : null;
    if (rule.scope === 'range') {
      const entity = parseNetwork(one.entity);
      if (entity?.single === false) return entity.text;
    }
    const network = address === null ? null : parseNetwork(address);
    if (rule.scope === 'ip' || network === null) return network?.text ?? null;
    // a range only where the abuse was seen to be the range's
    return known.abusing(network, atMs)[0]?.text ?? null;
  }

  function tell(one: Case, atMs: number): void {
    if (!response.rules.some((rule) => concerns(rule, one))) return;
    cases.set(one);
    consider(one, atMs);
  }

  function consider(one: Case, atMs: number): void {
    const done = new Set<string>();
    for (const rule of response.rules) {
      if (!concerns(rule, one)) continue;
      const value = valueFor(rule, one, atMs);
      if (value === null || value.length > 256) continue;
      const { scope, target, operations } = rule;
      const seen = of(scope, value, one, atMs);
      if (!meets(rule, seen)) continue;
      const key = { incidentId: one.id, scope, value, target, operations };
      const about = JSON.stringify([scope, value, target, operations]);
      if (done.has(about)) continue;
      done.add(about);
      propose(rule, key, seen, atMs);
    }
  }

  function propose(rule: ResponseRule, key: DecisionKey, one: Case, atMs: number): void {
    const pardonedMs = pardons.get(`${key.scope} ${key.value}`);
    if (pardonedMs !== undefined && one.openedMs <= pardonedMs) return;
    const before = book.newest(key);
    if (before !== undefined && (isInForce(before) || before.state === 'undone')) return;
    if (before?.state === 'expired' && one.hitMs <= before.expiresMs) return;
    if (book.standing(key) !== undefined) return;
    // what another incident decided covered this hit: what is left of its own time, and no more, is still to come
    if (book.hasExpired(key) && atMs >= one.hitMs + Math.min(rule.durationMs, response.maxDurationMs)) return;
    const what = JSON.stringify({
      case: one.key,
      scope: key.scope,
      value: key.value,
      target: key.target,
    } satisfies Waits);
    const is = key.scope === 'range' ? (known.network(key.value, atMs)?.confidence ?? 'none') : one.client.confidence;
    const rail = rails.against(key, { is, least: rule.minConfidence }, atMs);
    if (rail === 'no-facts') {
      if (before?.state === 'refused') return; // waited before; facts that come late are looked at when they come
      if (!waiting.has(what)) wait(what, atMs + response.factsWaitMs);
      nextDueMs = Math.min(nextDueMs, waiting.get(what)!);
      if (waiting.get(what)! > nowMs) return;
    }
    waiting.delete(what);
    if (rail !== null) refuse(rail, rule, key, one, atMs);
    else if (book.madeSince(atMs) >= response.maxDecisionsPerHour) refuse('cap', rule, key, one, atMs);
    else make(rule, key, one, atMs);
  }

  function make(rule: ResponseRule, key: DecisionKey, one: Case, atMs: number): void {
    book.countMade(atMs);
    const decision = draft(rule, key, one, atMs);
    nextDueMs = Math.min(nextDueMs, decision.expiresMs);
    put({
      ...decision,
      state: response.mode === 'enforce' ? 'enforced' : 'simulated',
      reason: clean(`${rule.name}: ${one.title}`),
    });
  }

  function refuse(rail: Rail, rule: ResponseRule, key: DecisionKey, one: Case, atMs: number): void {
    const decision: Decision = {
      ...draft(rule, key, one, atMs),
      state: 'refused',
      reason: `${rail}: ${textOf(rail, key, one)}`,
    };
    const before = book.newest(key);
    if (before?.state === 'refused' && before.reason === decision.reason) return;
    while (refusedAt.length > 0 && refusedAt[0]! <= atMs - HOUR_MS) refusedAt.shift();
    if (refusedAt.length < MOST_REFUSALS_AN_HOUR) {
      refusedAt.push(atMs);
      put(decision);
    } else {
      book.put(decision);
      unkeptRefusals++;
    }
  }

  /** Of clients whom a setting would make sure, that setting. */
  const textOf = (rail: Rail, { scope }: DecisionKey, { client }: Case): string =>
    rail === 'confidence' && scope !== 'range' && client.reason === 'headers-disagree'
      ? 'its X-Forwarded-For and Forwarded name different clients: set attribution.forwarding'
      : RAILS[rail];

  /** What is refused and made later is the same decision, with a higher revision. */
  function draft(rule: ResponseRule, key: DecisionKey, one: Case, atMs: number): Omit<Decision, 'state' | 'reason'> {
    const before = book.newest(key);
    const same = before?.state === 'refused' ? before : undefined;
    const id = same?.id ?? book.id(key, book.occurrenceOf(key) + 1, atMs);
    return {
      ...key,
      id,
      number: same?.number ?? book.number(id),
      revision: (same?.revision ?? 0) + 1,
      type: rule.type,
      scenario: one.kind,
      risk: Math.round(one.risk),
      createdMs: atMs,
      expiresMs: atMs + Math.min(rule.durationMs, response.maxDurationMs),
      undoneBy: '',
      undoneMs: 0,
      matched: 0,
      matchedOrdinary: 0,
    };
  }

  /** More is known of these: what is in force may not be any more, and what waited may be decided. */
  function lookAgain(touched: readonly string[], atMs: number): void {
    if (touched.length === 0) return;
    const networks = touched.map(parseNetwork).filter((one) => one !== null);
    for (const decision of book.inForce()) {
      if (decision.scope === 'user') continue;
      const subject = parseNetwork(decision.value);
      if (subject === null || !networks.some((one) => covers(one, subject) || covers(subject, one))) continue;
      const rail = rails.against(decision, { is: 'high', least: 'high' }, atMs);
      if (rail !== null && rail !== 'no-facts') end(decision, 'undone', SELF, atMs, `lifted: ${RAILS[rail]}`);
    }
    for (const one of cases.about(touched, networks)) consider(one, atMs);
  }

  function advance(toMs: number): void {
    if (toMs <= nowMs) return;
    if (toMs >= nextDueMs) endWhatIsDue(toMs);
    if (adoptMadeBefore(toMs) && toMs >= nextDueMs) endWhatIsDue(toMs);
    nowMs = toMs;
    if (nowMs - lastForgottenMs < HOUR_MS) return;
    lastForgottenMs = nowMs;
    book.forget(nowMs);
    for (const [subject, atMs] of pardons) if (atMs < nowMs - PARDON_MS) pardons.delete(subject);
  }

  /** What a replay would have made it has made by then. */
  function adoptMadeBefore(toMs: number): boolean {
    let adopted = false;
    for (let row = toAdopt.at(-1); row !== undefined && row.createdMs < toMs; row = toAdopt.at(-1)) {
      toAdopt.pop();
      const other = isInForce(row) ? book.standing(row) : undefined;
      if (other?.id === row.id) continue;
      const why = other !== undefined ? 'the same is in force for another incident' : whyNot(row);
      const taken = why === '' ? row : ended(row, 'undone', SELF, toMs, `lifted: ${why}`);
      if (!book.adopt(taken)) continue;
      adopted = true;
      nextDueMs = Math.min(nextDueMs, row.expiresMs);
      if (taken !== row) emit(taken, row.state === 'enforced');
    }
    return adopted;
  }

  /** One after the other at its own time, as if the clock had been looked at then. */
  function endWhatIsDue(toMs: number): void {
    for (;;) {
      const ending = book.nextDue();
      const wait = waits.first();
      nextDueMs = Math.min(ending?.expiresMs ?? Number.POSITIVE_INFINITY, wait?.dueMs ?? Number.POSITIVE_INFINITY);
      if (nextDueMs > toMs) return;
      nowMs = Math.max(nowMs, nextDueMs);
      if (ending?.expiresMs === nextDueMs) end(ending, 'expired', '', nextDueMs);
      else stopWaiting(wait!.what, nextDueMs);
    }
  }

  function stopWaiting(what: string, dueMs: number): void {
    // facts that came in time would have ended the wait
    const one = cases.get((JSON.parse(what) as Waits).case);
    if (one !== undefined) consider(one, dueMs);
    waiting.delete(what);
  }

  function pardon(scope: string, value: string, atMs: number): void {
    pardons.delete(`${scope} ${value}`);
    pardons.set(`${scope} ${value}`, atMs);
    if (pardons.size > MOST_PARDONS) pardons.delete(pardons.keys().next().value!);
  }

  /** Why it may not be in force; '' = it may. Nothing is enforced but in `enforce`, and nothing simulated while it is off. */
  function whyNot({ state }: Decision): string {
    const isKept = state === 'enforced' ? response.mode === 'enforce' : state !== 'simulated' || !isOff;
    return isKept ? '' : `response.mode is ${response.mode}`;
  }
  for (const decision of book.inForce()) {
    const why = whyNot(decision);
    if (why !== '') end(decision, 'undone', SELF, nowMs, `lifted: ${why}`);
  }

  return {
    incident(incident, atMs, { withdrawn = false, client } = {}) {
      advance(atMs);
      if (isOff) return;
      if (incident.kind === 'attribution' && incident.state === 'open') {
        const covered = [incident.entity, incident.client.address ?? '', ...incident.clients];
        lookAgain(known.notice(covered, atMs), atMs);
        return;
      }
      if (incident.state !== 'open') {
        cases.delete(incident.id);
        if (incident.state !== 'expected' && !(withdrawn && incident.state === 'closed')) return;
        const why = withdrawn ? 'lifted: nothing of the incident is left' : 'lifted: the incident was expected';
        for (const decision of book.inForce())
          if (decision.incidentId === incident.id) end(decision, 'undone', SELF, atMs, why);
        return;
      }
      const named = caseKey(incident.id, incident.client);
      const by = client === undefined ? incident.lastHitBy : client.address;
      const isTheirs = by === undefined ? incident.clients.length <= 1 : by === incident.client.address;
      // others' hits are not theirs, nor the one that opened the incident again
      const hitMs = cases.get(named)?.hitMs ?? 0;
      tell(caseOf(incident, incident.client, isTheirs ? (incident.lastHitMs ?? atMs) : hitMs), atMs);
      if (client !== undefined && !isTheirs && client.address !== null && incident.clients.includes(client.address))
        tell(caseOf(incident, client, atMs), atMs);
    },
    actor(record, atMs) {
      advance(atMs);
      if (!isOff) lookAgain(known.actor(record), atMs);
    },
    client(client, atMs) {
      const found = isOff ? [] : known.client(client, atMs);
      if (found.length > 0) lookAgain(found, atMs);
    },
    action(action, atMs) {
      advance(atMs);
      const about = parseNetwork(action.about);
      const named = about?.text ?? action.about;
      let ended = 0;
      for (const decision of book.inForce()) {
        const subject = decision.scope === 'user' ? null : parseNetwork(decision.value);
        const isMeant =
          decision.id === action.about ||
          decision.value === named ||
          (about !== null && subject !== null && (covers(subject, about) || covers(about, subject)));
        if (!isMeant) continue;
        end(decision, 'undone', clean(action.by, 256), atMs, action.comment === '' ? '' : `undone: ${action.comment}`);
        pardon(decision.scope, decision.value, atMs);
        ended++;
      }
      // also what was to be decided about it
      if (about !== null) pardon(about.single ? 'ip' : 'range', about.text, atMs);
      else if (ended === 0) pardon('user', action.about, atMs);
      return ended;
    },
    advance,
    inForce: book.inForce,
    all: book.all,
    counts: () => ({ unkeptRefusals, forgottenCases: cases.forgotten }),
    snapshot: () => ({
      known: known.snapshot(),
      book: book.snapshot(),
      cases: cases.all(),
      waiting: [...waiting],
      pardons: [...pardons],
      refused: [...refusedAt],
      nowMs,
    }),
  };
}
