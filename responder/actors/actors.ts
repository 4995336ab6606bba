/**
 * Actors over many requests (DETECTION §4): events in the order of their log → records of who is over a bound, and of what is known of
 * those with findings. Pure and deterministic: the same events give the same records, whatever was restarted in between.
 */
import type { ActorEvent } from '../../schemas/log/actor-event.ts';
import type { AbuseKind, ActorRecord, SubjectKind } from '../../schemas/log/actor-record.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import {
  type KillChainStep,
  SIGNED_IN_AFTER_ATTEMPTS,
  speaksOfStage,
  stageIndex,
  stepOfAbuse,
  stepOfFinding,
} from '../kill-chain.ts';
import { type NobodysRange, networkOf, rangeOf } from './addresses.ts';
import { createBaseRates, SHAPES } from './base-rates.ts';
import { filterAdd, filterHas, hasBit, linearCount, setBit } from './bits.ts';
import { createEverybody } from './everybody.ts';
import {
  decades,
  endDay,
  habitOf,
  happenedOf,
  isAtLeast,
  observe,
  observedOf,
  recentHits,
  restart,
  SUSPECT_DECADES,
  sinceMsOf,
} from './evidence.ts';
import {
  type Alarm,
  addClient,
  addMark,
  addName,
  addTrace,
  boundedClient,
  CONFIDENCES,
  clientCountOf,
  createFullActor,
  type FullActor,
  plainText,
  Sets,
  vote,
} from './full-actor.ts';
import { createFullTier } from './full-tier.ts';
import { hash32, hashInto, hashNumber, mix } from './hash.ts';
import { createNoticeWatch, type NoticeState, newNoticeState } from './notice.ts';
import { createObjectKinds, type ObjectKindsState } from './object-kinds.ts';
import { Claim, createObjectOwners, Ownership } from './object-owners.ts';
import { createOperations } from './operations.ts';
import { arraySource, fromJsonBytes, jsonBytes, type Part, type PartSource } from './parts.ts';
import { createQuietTier, HABITS, indexIn, type QuietBlock, type QuietTier, USER_WORDS } from './quiet-tier.ts';
import { createRecentParts } from './recent-parts.ts';
import { addPoints, chainDecades, decadesOfP, Points, riskOf } from './risk.ts';
import { createSteps } from './steps.ts';
import { ABUSE, PeerClass, TEST_NAMES, TESTS, Test } from './tests.ts';
import { createUsersNamed } from './users-named.ts';
import { createVolumes } from './volumes.ts';
import { actorRecord, type Facts, noticeRecord, recordId } from './words.ts';

export interface ActorsCoreConfig {
  /** False alarms a day that chance may cause. */
  readonly budgetPerDay: number;
  /** From the first event on: nothing is held against anybody, and what somebody does is usual with them. */
  readonly learnMs: number;
  readonly addressHalfLifeMs: number;
  readonly userHalfLifeMs: number;
  /** An alarm without new evidence for so long is over; the next is a new one. */
  readonly quietMs: number;
  readonly maxClients: number;
  readonly maxUsers: number;
  readonly maxFull: number;
  readonly maxObjects: number;
  /** Parts of events remembered, so that each counts once. */
  readonly maxRecent: number;
  readonly privilegedRoutes: readonly string[];
  /** Whether an address in a range that is nobody's own is a client nevertheless. */
  isClientRange(address: string): boolean;
}

export const ACTORS_DEFAULTS: ActorsCoreConfig = {
  budgetPerDay: 1,
  learnMs: 86_400_000,
  addressHalfLifeMs: 6 * 3_600_000,
  userHalfLifeMs: 3 * 86_400_000,
  quietMs: 3_600_000,
  maxClients: 1_000_000,
  maxUsers: 1_000_000,
  maxFull: 20_000,
  maxObjects: 1_048_576,
  maxRecent: 262_144,
  privilegedRoutes: [],
  isClientRange: () => false,
};

export interface ActorsStatus {
  readonly clients: number;
  readonly users: number;
  readonly full: number;
  readonly fullEvicted: number;
  readonly quietEvicted: number;
  readonly events: number;
  readonly repeated: number;
  readonly unknownClients: number;
  readonly records: number;
  readonly learning: boolean;
  /** Tests of a peer class that nobody could fail: what is usual is not known well enough, or is too much. */
  readonly unreachable: number;
  /** Alarms that were not told since it happened to everybody. */
  readonly spared: number;
  /** Sign-ins fail for known clients too: none is judged. */
  readonly signInsDown: boolean;
}

export interface Actors {
  /** Records to be told, in order; the array is the caller's. */
  take(event: ActorEvent, appendMs: number): ActorRecord[];
  status(): ActorsStatus;
  /** Begins a snapshot of this moment; the parts are taken one after the other, events may come in between. */
  snapshot(): Iterable<Part>;
  /** What was kept of a snapshot is lost: the next one tells everything. */
  forgetKept(): void;
  /** Of an earlier snapshot, `meta` first. Before any event. */
  restore(part: { readonly name: string; readonly bytes: Uint8Array }): void;
}

const FORMAT = 1;
const DAY_S = 86_400;
const SESSION_GAP_S = 1_800;
const FREE_INFLUENCE = 64;
/** Established from so many days on: what an actor does is usual with it. */
const ESTABLISHED_DAYS = 3;
/** A habit beyond this is no measure for others. */
const OWN_WAYS = 4;
const EVERYONE_HALF_LIFE_MS = 1_800_000;
const ACTOR_HALF_LIFE_MS = 6 * 3_600_000;
/** 20 : 1 is a weak signal of its stage. */
const WEAK_DECADES = Math.log10(20);
/** Spread: fewer clients are no network's, no everybody's abuse. */
const NETWORK_CLIENTS = 3;
const EVERYONE_CLIENTS = 10;
const ACCOUNT_CLIENTS = 3;
/** Nobody is accused of what happened once or twice; a privileged route is. */
const FEWEST_HITS = 3;
/**
 * How much actors differ is asked of those with fewer hits lately: one who does nothing else is no
 * measure of it, and a new account is none.
 */
const MOST_ASKED = 4;
/** Users behind an address from which on it is many people's. */
const MANY_USERS = 10;
/** Objects of a kind that are foreign more often than this are public. */
const PUBLIC_RATE = 0.3;
/** Kind of a privileged operation that the configuration names: what its operators say needs no more evidence. */
const DECLARED = 1;
const PAIRS = 1 << 16;
/** Who has a history is not accused of what may turn out to happen to everybody before so long. */
const HOLD_MS: Readonly<Partial<Record<number, number>>> = {
  [Test.missing]: 60_000,
  [Test.scan]: 60_000,
  [Test.newAccount]: 120_000,
  [Test.failedLogin]: 120_000,
};
const MOST_HELD = 4_096;
/** A risk from which on users who are new behind an address say nothing of how many share it: they may be made up, or broken into. */
const SUSPECT_RISK = 40;
/** Failed sign-ins remembered until what is found in them comes. */
const FAILED = 1 << 12;
const MOST_STEP = 8;
/** What somebody does who goes through the objects of others. */
const OBJECT_TESTS = [Test.foreign, Test.run, Test.missing] as const;

const Flag = {
  private: 1,
  cdn: 2,
  /** Was there while it was learned what is usual. */
  learned: 4,
  habitSet: 8,
  member: 16,
  usedToday: 32,
  hasUsers: 64,
  minuteHit: 128,
} as const;

/** An alarm that waits. */
interface Held {
  readonly place: number;
  readonly kind: 'client' | 'user';
  readonly key: string;
  readonly test: number;
  readonly objectKind: number;
  readonly peers: number;
  readonly dueMs: number;
}

/** A client or user in the event under way. */
interface Subject {
  present: boolean;
  kind: SubjectKind;
  key: string;
  row: number;
  block: QuietBlock;
  i: number;
  hash: number;
  peers: number;
  place: number;
  weight: number;
}

const EMPTY: ActorRecord[] = [];
const newSubject = (kind: SubjectKind, block: QuietBlock): Subject => ({
  present: false,
  kind,
  key: '',
  row: -1,
  block,
  i: 0,
  hash: 0,
  peers: 0,
  place: -1,
  weight: 1,
});

/** `seed`: of the installation, so that nobody outside can choose keys that collide; the same over restarts. */
export function createActors(config: ActorsCoreConfig, seed: number): Actors {
  const risk = { addressHalfLifeMs: config.addressHalfLifeMs, userHalfLifeMs: config.userHalfLifeMs };
  const clients = createQuietTier('clients', config.maxClients);
  const users = createQuietTier('users', config.maxUsers);
  const full = createFullTier(config.maxFull, onEvict);
  const networks = new Map<string, number>();
  const accounts = new Map<string, number>();
  const recent = createRecentParts(config.maxRecent, seed);
  const objects = createObjectOwners(config.maxObjects, seed);
  const operations = createOperations(config.privilegedRoutes);
  const steps = createSteps();
  const volumes = createVolumes();
  const rates = createBaseRates(config.budgetPerDay);
  const kinds = createObjectKinds(rates.forgetKind);
  /** Who failed last in a network, or at an account: the second one makes it an actor. */
  const lastFailed = new Uint32Array(2 * PAIRS);
  /** Failed sign-ins by their event, so that what is found in them later is not held against whose account it was. */
  const failedSignIns = new Uint32Array(FAILED);
  const pairParts = arraySource('pairs', { lastFailed, failedSignIns });
  const everybody = createEverybody();
  let waiting: Held[] = [];
  let usersNamed = createUsersNamed();
  let notices = createNoticeWatch();
  let nowMs = 0;
  let nowS = 0;
  let firstMs = 0;
  let learning = true;
  let everyonePlace = -1;
  let linked = true;
  let releasing = false;
  const counts = { events: 0, repeated: 0, unknown: 0, records: 0, spared: 0 };
  const lanes = new Uint32Array(2);
  const losses = new Float64Array(SHAPES.length);
  const held = { rate: 0, shape: 1, habit: 1, halfLifeMs: ACTOR_HALF_LIFE_MS };
  const placeholder = {} as QuietBlock;
  const client = newSubject('client', placeholder);
  const user = newSubject('user', placeholder);
  let event!: ActorEvent;
  /** Who acts by this event; null where nobody is named, or only whom a failed sign-in was aimed at. */
  let acting: string | null = null;
  let out: ActorRecord[] = EMPTY;

  function onEvict(actor: FullActor, place: number): void {
    if (actor.kind === 'network') networks.delete(actor.key);
    else if (actor.kind === 'account') accounts.delete(actor.key);
    else if (actor.kind === 'client' || actor.kind === 'user') {
      const tier = actor.kind === 'client' ? clients : users;
      hashInto(actor.key, seed, lanes);
      const row = tier.find(lanes[0]!, lanes[1]!);
      if (row >= 0 && tier.block(row).full[indexIn(row)] === place + 1) tier.block(row).full[indexIn(row)] = 0;
    }
    if (client.place === place) client.place = -1;
    if (user.place === place) user.place = -1;
  }

  /** Finds or adds it, and moves its clocks on. */
  function prepare(s: Subject, tier: QuietTier, key: string): void {
    hashInto(key, seed, lanes);
    const row = tier.row(lanes[0]!, lanes[1]!, nowS);
    const block = tier.block(row);
    const i = indexIn(row);
    s.present = true;
    s.key = key;
    s.row = row;
    s.block = block;
    s.i = i;
    s.hash = lanes[0]!;
    if (tier.added && s.kind === 'client') {
      const range = config.isClientRange(key) ? '' : rangeOf(key);
      block.flags[i] = range === 'private' ? Flag.private : range === 'CDN' ? Flag.cdn : 0;
    }
    s.place = block.full[i]! - 1;
    if (learning) block.flags[i] = block.flags[i]! | Flag.learned;
    const day = Math.floor(nowS / DAY_S) & 0xffff;
    if (block.day[i] !== day) newDay(s, day);
    else if (!learning && s.place >= 0 && (block.flags[i]! & (Flag.learned | Flag.habitSet)) === Flag.learned)
      setHabits(s);
  }

  function newDay(s: Subject, day: number): void {
    const { block, i, place } = s;
    const passed = day - block.day[i]!;
    const first = block.day[i] === 0;
    const week = (d: number): number => Math.floor(d / 7);
    if (!first) {
      block.requests[i] = block.requests[i]! * 2 ** -Math.min(60, Math.max(0, passed));
      if (week(day) !== week(block.day[i]!)) {
        const seen = linearCount(block.users, i * USER_WORDS, USER_WORDS);
        block.usersPeak[i] = Math.max(seen, block.usersPeak[i]! >> 1);
        block.users.fill(0, i * USER_WORDS, (i + 1) * USER_WORDS);
      }
    }
    block.day[i] = day;
    block.dayRequests[i] = 0;
    block.flags[i] = block.flags[i]! & ~Flag.usedToday;
    if (block.days[i]! < 255) block.days[i] = block.days[i]! + 1;
    if (place >= 0 && !first) {
      const { cells } = full.at(place);
      for (let t = 0; t < TESTS; t++) endDay(cells, t);
      if (!learning && (block.days[i]! > ESTABLISHED_DAYS || (block.flags[i]! & Flag.learned) !== 0))
        writeHabits(block, i, cells);
    }
  }

  /** Learning is over: what it did meanwhile is usual with it. */
  function setHabits({ block, i, place }: Subject): void {
    block.flags[i] = block.flags[i]! | Flag.habitSet;
    const { cells } = full.at(place);
    for (let t = 0; t < TESTS; t++) endDay(cells, t);
    writeHabits(block, i, cells);
  }

  function writeHabits(block: QuietBlock, i: number, cells: Float64Array): void {
    for (let t = 0; t < TESTS; t++)
      block.habits[i * HABITS + t] = Math.min(255, Math.round(8 * Math.log2(habitOf(cells, t))));
  }

  const usersBehind = ({ block, i }: Subject): number =>
    Math.max(linearCount(block.users, i * USER_WORDS, USER_WORDS), block.usersPeak[i]!);

  /** As far as enforcement may rely on it: without those who came while it is suspected of something. */
  function usersBefore(s: Subject): number {
    const before = s.place < 0 ? -1 : full.at(s.place).usersBefore;
    return before < 0 ? usersBehind(s) : before;
  }

  function isSuspected(actor: FullActor): boolean {
    for (let t = 0; t < TESTS; t++) if (isAtLeast(actor.cells, t, SUSPECT_DECADES)) return true;
    return riskOf(actor, nowMs, risk) >= SUSPECT_RISK;
  }

  /** True when a user is new behind the client. */
  function noteUser(hash: number): boolean {
    const { block, i, place } = client;
    const isNew = !hasBit(block.users, i * USER_WORDS, 2, hash);
    if (place >= 0) {
      const actor = full.at(place);
      if (actor.usersBefore >= 0 && !isSuspected(actor)) actor.usersBefore = -1;
      else if (isNew && actor.usersBefore < 0 && isSuspected(actor)) actor.usersBefore = usersBehind(client);
    }
    return isNew && setBit(block.users, i * USER_WORDS, 2, hash);
  }

  const rangeOfFlags = (flags: number): NobodysRange =>
    (flags & Flag.private) !== 0 ? 'private' : (flags & Flag.cdn) !== 0 ? 'CDN' : '';

  const isMisattributed = (): boolean =>
    client.present && notices.isMisattributed(client.key, rangeOfFlags(client.block.flags[client.i]!));

  function factsOf(actor: FullActor): Facts {
    if (actor.kind === 'client' || actor.kind === 'user') {
      const of = client.present ? client : user;
      return {
        users: client.present ? usersBefore(client) : 0,
        usersNamed: usersNamed.isNamed(event.service),
        requests: of.block.requests[of.i]!,
        firstSeenMs: of.block.firstS[of.i]! * 1000,
        misattributed: isMisattributed(),
      };
    }
    return {
      users: clientCountOf(actor),
      usersNamed: usersNamed.isNamed(event.service),
      requests: actor.requests,
      firstSeenMs: actor.firstMs,
      misattributed: false,
      confidence: CONFIDENCES[actor.leastSure] ?? 'none',
    };
  }

  /** The subject's full state, made when there is none. */
  function fullOf(s: Subject): FullActor {
    if (s.place < 0) {
      s.place = full.add(createFullActor(s.kind, s.key, s.block.firstS[s.i]! * 1000, nowMs));
      s.block.full[s.i] = s.place + 1;
    }
    return full.at(s.place);
  }

  /** What is usual of this request: with its user or with its address, whichever has it more often. */
  function habitOfRequest(t: number): number {
    const ofUser = user.present ? user.block.habits[user.i * HABITS + t]! : 0;
    const ofClient = client.present ? client.block.habits[client.i * HABITS + t]! : 0;
    const most = Math.max(ofUser, ofClient);
    return most === 0 ? 1 : 2 ** (most / 8);
  }

  /** One observation of a client or user. */
  function test(s: Subject, t: number, kind: number, hit: boolean): void {
    const habit = habitOfRequest(t);
    if (s.place < 0 && !hit) {
      rates.add(s.peers, t, kind, false, habit > OWN_WAYS ? 0 : s.weight);
      return;
    }
    const actor = fullOf(s);
    test2(actor, s.peers, t, kind, hit, habit, s.weight, ACTOR_HALF_LIFE_MS);
    if (hit) judge(actor, s.peers, t, kind);
  }

  function test2(
    actor: FullActor,
    peers: number,
    t: number,
    kind: number,
    hit: boolean,
    habit: number,
    weight: number,
    halfLifeMs: number,
  ): void {
    const { cells } = actor;
    const alarmed = isAlarmed(actor, t);
    const suspect = alarmed || habit > OWN_WAYS || isAtLeast(cells, t, SUSPECT_DECADES);
    held.rate = rates.rate(peers, t, kind);
    // the mean of many that differ differs less: n gammas of a shape add up to one of n times that shape
    held.shape = rates.shape(peers, t) * (actor.kind === 'network' ? clientCountOf(actor) || 1 : 1);
    held.habit = habit;
    held.halfLifeMs = halfLifeMs;
    // what each shape predicts is asked of every hit and of one in eight others, which then count for eight
    const asked =
      !suspect &&
      weight > 0 &&
      recentHits(cells, t) < MOST_ASKED &&
      (hit || (counts.events & 7) === 0) &&
      (actor.kind !== 'user' || isEstablished(user));
    const isNew = recentHits(cells, t) < 1;
    observe(cells, t, hit, held, rates.usual(peers, t, kind), nowMs, !learning, asked ? losses : null);
    if (asked) {
      if (!hit) for (let j = 0; j < losses.length; j++) losses[j] = losses[j]! * 8;
      rates.addShape(peers, t, losses, hit && isNew);
    }
    rates.add(peers, t, kind, hit, suspect ? 0 : weight);
    actor.lastMs = nowMs;
    if (hit) noteEvent(actor);
  }

  /** What the event shows of the actor. */
  function noteEvent(actor: FullActor): void {
    addTrace(actor, event.client.entryTraceId);
    vote(actor, event.service, event.operation);
    if (client.present) {
      addClient(actor, client.key, client.hash);
      actor.leastSure = Math.min(actor.leastSure, CONFIDENCES.indexOf(event.client.confidence));
      if (actor.kind === 'client' || actor.kind === 'user') actor.client = clientFor(actor);
    } else if (actor.kind === 'user') actor.client = clientFor(actor);
    if (acting !== null) addName(actor.users, acting);
    if (event.sampleWeight > actor.sampleWeight) actor.sampleWeight = event.sampleWeight;
    const { startMs } = event;
    // a clock that is far off tells no time
    const plausible = Math.abs(startMs - nowMs) < DAY_S * 1000 ? startMs : nowMs;
    if (actor.startMs === 0 || plausible < actor.startMs) actor.startMs = plausible;
    if (plausible > actor.endMs) actor.endMs = plausible;
  }

  /** A client is not called by a user whom it signed in as, or who came behind it when it was suspected: that may be a victim. */
  function clientFor(actor: FullActor): ClientRecord {
    const isOwn = actor.kind === 'user' || (event.login === null && actor.usersBefore < 0);
    return boundedClient(isOwn && acting !== null ? event.client : { ...event.client, user: null });
  }

  function mark(actor: FullActor, by: string, step: KillChainStep, atMs: number, strength: number): boolean {
    return addMark(
      actor,
      { stage: step.stage, technique: step.technique, by, firstMs: atMs, lastMs: atMs, count: 1 },
      strength,
    );
  }

  /** After a hit: a weak signal, an alarm, or more of one. */
  function judge(actor: FullActor, peers: number, t: number, kind: number): void {
    if (learning) return;
    const alarm = actor.alarms[t];
    const abuse = abuseOf(actor, t);
    const step = stepOfAbuse(abuse)!;
    if (alarm != null && alarm.abuse === abuse) {
      // what anybody does now and then keeps no alarm going
      if (decades(actor.cells, t) >= rates.bound(peers, t) || t === Test.privileged) alarm.lastMs = nowMs;
      const hits = happenedOf(actor.cells, t);
      if (hits < 2 * alarm.toldHits && clientCountOf(actor) < 2 * alarm.toldClients) return;
      mark(actor, abuse, step, nowMs, 0);
      tellAlarm(actor, peers, t, kind);
      return;
    }
    const own = decades(actor.cells, t);
    if (own < WEAK_DECADES) return;
    const stage = stageIndex(step.stage);
    const bound = rates.bound(peers, t);
    const all = own + chainOf(actor, stage, t, bound);
    const declared = t === Test.privileged && kind === DECLARED;
    if (
      !declared &&
      (all < bound || (t !== Test.privileged && happenedOf(actor.cells, t) < FEWEST_HITS) || !isSpread(actor))
    ) {
      if (mark(actor, TEST_NAMES[t]!, step, nowMs, own))
        addPoints(actor, Points.weakSignal, stage, `signs of ${abuse}`, nowMs, risk);
      return;
    }
    if ((actor.kind === 'client' || actor.kind === 'network') && isMisattributed()) return;
    if (isHeld(actor, peers, t, kind)) return;
    mark(actor, abuse, step, nowMs, own);
    addPoints(actor, Points.alarm, stage, `${abuse}: 10^${own.toFixed(1)} times likelier than with peers`, nowMs, risk);
    const told = actor.kind === 'client' && user.place >= 0 && full.at(user.place).alarms[t] != null;
    actor.alarms[t] = {
      abuse,
      id: recordId(actor.kind, actor.key, abuse, nowMs),
      revision: 0,
      startMs: nowMs,
      lastMs: nowMs,
      toldHits: 0,
      toldClients: 0,
      silent: told || sameAbuse(actor, t),
    };
    if (t <= Test.missing && actor.kind === 'user') objects.release(user.hash, () => false);
    else if (t <= Test.missing && actor.kind === 'client') objects.release(client.hash, isBehindClient);
    tellAlarm(actor, peers, t, kind);
  }

  /** Whether a newcomer, by all but the lowest bit of their hash, was seen behind the client. */
  function isBehindClient(newcomer: number): boolean {
    const { block, i } = client;
    const at = i * USER_WORDS;
    return hasBit(block.users, at, 2, newcomer) || hasBit(block.users, at, 2, (newcomer ^ 1) >>> 0);
  }

  /** Whether the alarm has to wait; its weak signal stands meanwhile. */
  function isHeld(actor: FullActor, peers: number, t: number, objectKind: number): boolean {
    const holdMs = HOLD_MS[t];
    const { kind, key } = actor;
    if (releasing || holdMs === undefined || (kind !== 'client' && kind !== 'user')) return false;
    const s = kind === 'client' ? client : user;
    if (isOfAll(actor, t, s.hash)) return true;
    if (!isEstablished(s) || waiting.length >= MOST_HELD) return false;
    if (!waiting.some((one) => one.place === s.place && one.key === key && one.test === t))
      waiting.push({ place: s.place, kind, key, test: t, objectKind, peers, dueMs: nowMs + holdMs });
    return true;
  }

  /** Whether it happens to those with a history too; then what was held against this one is forgotten. */
  function isOfAll(actor: FullActor, t: number, hash: number): boolean {
    const since = Math.floor(sinceMsOf(actor.cells, t) / 1000);
    const all =
      t === Test.newAccount || t === Test.failedLogin ? everybody.isDown(nowMs) : everybody.isCommon(hash, since, nowS);
    if (all) {
      restart(actor.cells, t);
      counts.spared++;
    }
    return all;
  }

  /** Alarms that waited long enough: told, unless it happened to everybody. */
  function release(): void {
    const due = waiting.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length === 0) return;
    waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
    releasing = true;
    for (const { kind, key, test: t, objectKind, peers } of due) {
      client.present = false;
      user.present = false;
      client.place = -1;
      user.place = -1;
      const s = kind === 'client' ? client : user;
      prepare(s, kind === 'client' ? clients : users, key);
      if (s.place < 0) continue; // given up meanwhile
      s.peers = peers;
      const actor = full.at(s.place);
      if (!isOfAll(actor, t, s.hash)) judge(actor, peers, t, objectKind);
    }
    releasing = false;
  }

  /** What one did before says nothing of many others. */
  const chainOf = (actor: FullActor, stage: number, t: number, bound: number): number =>
    actor.kind === 'client' || actor.kind === 'user'
      ? chainDecades(actor, stage, sinceMsOf(actor.cells, t), nowMs, bound / 3)
      : 0;

  /** Another test of the same abuse is told of already. */
  const sameAbuse = (actor: FullActor, t: number): boolean =>
    actor.alarms.some(
      (alarm, other) => alarm != null && other !== t && alarm.abuse === abuseOf(actor, t) && !alarm.silent,
    );

  const isSpread = (actor: FullActor): boolean =>
    actor.kind === 'network'
      ? clientCountOf(actor) >= NETWORK_CLIENTS
      : actor.kind === 'everyone'
        ? clientCountOf(actor) >= EVERYONE_CLIENTS
        : actor.kind !== 'account' || clientCountOf(actor) >= ACCOUNT_CLIENTS;

  /** Tries an account get: once or hardly more is what a list of pairs makes, rounds over many accounts are spraying. */
  function abuseOf(actor: FullActor, t: number): AbuseKind {
    const abuse = ABUSE[t]!;
    if (abuse !== 'credential-stuffing' || actor.kind === 'account' || actor.accountCount < 5) return abuse;
    const tries = actor.attempts / actor.accountCount;
    return tries >= 1.5 && tries <= 6 ? 'password-spraying' : abuse;
  }

  /** Over its bound; one that was quiet for long is over. */
  function isAlarmed(actor: FullActor, t: number): boolean {
    const alarm = actor.alarms[t];
    if (alarm == null) return false;
    if (nowMs - alarm.lastMs <= config.quietMs) return true;
    actor.alarms[t] = null;
    restart(actor.cells, t);
    return false;
  }

  function tellAlarm(actor: FullActor, peers: number, t: number, kind: number): void {
    const alarm = actor.alarms[t]!;
    alarm.revision++;
    alarm.toldHits = Math.max(1, happenedOf(actor.cells, t));
    alarm.toldClients = Math.max(1, clientCountOf(actor));
    if (alarm.silent) return;
    const record = actorRecord(actor, {
      id: alarm.id,
      revision: alarm.revision,
      abuse: alarm.abuse,
      test: t,
      peers,
      rate: rates.rate(peers, t, kind),
      support: rates.support(peers, t, kind),
      evidence:
        decades(actor.cells, t) + chainOf(actor, stageIndex(stepOfAbuse(ABUSE[t]!)!.stage), t, rates.bound(peers, t)),
      bound: rates.bound(peers, t),
      risk: riskOf(actor, nowMs, risk),
      facts: factsOf(actor),
      nowMs,
    });
    if (record.facts.misattributed === true && actor.kind !== 'user') return;
    tell(record);
  }

  function tell(record: ActorRecord): void {
    if (out === EMPTY) out = [];
    out.push(record);
    counts.records++;
  }

  /** What is known of an actor with findings, when it changed by as much as people and enforcement should know. */
  function tellKnown(actor: FullActor): void {
    const { told } = actor;
    if (told === null) return;
    let stages = 0;
    for (const { stage } of actor.marks) stages |= 1 << stageIndex(stage);
    const facts = factsOf(actor);
    const magnitude = facts.users < 2 ? 0 : Math.floor(Math.log2(facts.users));
    const now = riskOf(actor, nowMs, risk);
    if (told.revision > 0 && (stages & ~told.stages) === 0 && Math.abs(now - told.risk) < 10 && magnitude <= told.users)
      return;
    told.revision++;
    told.stages |= stages;
    told.risk = now;
    told.users = Math.max(told.users, magnitude);
    tell(
      actorRecord(actor, {
        id: told.id,
        revision: told.revision,
        abuse: '',
        test: -1,
        peers: 0,
        rate: 0,
        support: 0,
        evidence: 0,
        bound: 0,
        risk: now,
        facts,
        nowMs,
      }),
    );
  }

  const kindOf = (text: string): number => kinds.of(text, user.present ? user.hash : client.hash, succeeded(), nowS);

  // ---- what a request says ----

  function request(): void {
    const { address } = event.client;
    const hasFailed = event.login !== null && !event.login.succeeded;
    if (hasFailed) {
      const hash = hash32(event.id, seed);
      failedSignIns[hash & (FAILED - 1)] = hash;
    }
    acting = hasFailed || event.client.user === '' ? null : event.client.user;
    client.present = false;
    user.present = false;
    client.place = -1;
    user.place = -1;
    if (address !== null) prepare(client, clients, keyOf(address));
    else counts.unknown++;
    if (acting !== null) prepare(user, users, keyOf(acting));
    const notice = notices.request(
      address,
      client.present ? rangeOfFlags(client.block.flags[client.i]!) : '',
      nowMs,
      user.present && isEstablished(user) ? user.hash : 0,
      ask,
    );
    if (notice !== null) tell(noticeRecord(notice));
    if (!client.present && !user.present) return;
    let usersGrew = false;
    if (client.present) {
      if (user.present) {
        client.block.flags[client.i] = client.block.flags[client.i]! | Flag.hasUsers;
        usersGrew = noteUser(user.hash);
      } else if (event.login?.succeeded && event.login.account !== '' && !usersNamed.isNamed(event.service))
        usersGrew = noteUser(hash32(keyOf(event.login.account), seed)); // the only ones who are named there
      count(client);
      if (client.weight > 0 && !hasFailed) usersNamed.request(event.service, user.present);
      client.peers =
        (client.block.flags[client.i]! & Flag.hasUsers) !== 0 ? PeerClass.client : PeerClass.anonymousClient;
    }
    if (user.present) {
      count(user);
      user.peers = (user.block.flags[user.i]! & Flag.member) !== 0 ? PeerClass.restricted : PeerClass.user;
    }
    const operation = operations.idOf(event.service, event.operation);
    const primary = user.present ? user : client;
    if (event.objects.length > 0) objectTests();
    else if (event.httpStatus > 0) scanTests(operation);
    if (event.login !== null && client.present) loginTests(event.login.account, event.login.succeeded);
    privilegeTest(primary, operation);
    orderTest(primary, operation);
    if (client.present) volumeTest(client);
    if (user.present) volumeTest(user);
    if (event.anomalous) anomalous();
    const s = nowS;
    if (client.present) client.block.lastS[client.i] = s;
    if (user.present) user.block.lastS[user.i] = s;
    if (usersGrew && client.place >= 0) tellKnown(full.at(client.place));
  }

  function rowOfAddress(address: string): number {
    hashInto(keyOf(address), seed, lanes);
    return clients.find(lanes[0]!, lanes[1]!);
  }

  function usersOfAddress(address: string): number {
    const row = rowOfAddress(address);
    if (row < 0) return 0;
    const block = clients.block(row);
    return Math.max(linearCount(block.users, indexIn(row) * USER_WORDS, USER_WORDS), block.usersPeak[indexIn(row)]!);
  }

  const ask = {
    users: usersOfAddress,
    isAccused(address: string): boolean {
      const row = rowOfAddress(address);
      const place = row < 0 ? -1 : clients.block(row).full[indexIn(row)]! - 1;
      return place >= 0 && full.at(place).alarms.some((alarm) => isStanding(alarm));
    },
    get isLearning() {
      return learning;
    },
    get usersNamed() {
      return usersNamed.isNamed(event.service);
    },
  };

  const isStanding = (alarm: Alarm | null | undefined): boolean =>
    alarm != null && nowMs - alarm.lastMs <= config.quietMs;

  function count(s: Subject): void {
    const { block, i } = s;
    block.requests[i] = block.requests[i]! + Math.min(1e6, event.sampleWeight);
    const today = block.dayRequests[i]!;
    if (today < 65_535) block.dayRequests[i] = today + 1;
    // one actor moves its class by its first requests of a day, and by the logarithm of the others
    const counts = today < FREE_INFLUENCE || today % (today >> 6) === 0;
    // and a new account, of which anybody can have many, not at all
    s.weight = counts && (learning || s.kind !== 'user' || isEstablished(s)) ? 1 : 0;
    if (s.place >= 0) full.at(s.place).requests += Math.min(1e6, event.sampleWeight);
  }

  function objectTests(): void {
    const { objects: touched, httpStatus, outcome } = event;
    const userHash = user.present ? user.hash : client.hash;
    const clientHash = client.present ? client.hash : userHash;
    const day = Math.floor(nowS / DAY_S);
    const primary = user.present ? user : client;
    // whoever looks at everybody's, by trade or by guessing, makes nothing shared; who is suspected or refused owns nothing
    const honest = succeeded() && !isSuspectOfObjects();
    const ordinary = honest && !learning && habitOfRequest(Test.foreign) <= OWN_WAYS;
    const claim = !honest ? Claim.none : isEstablished(primary) ? Claim.lasting : Claim.newcomers;
    let foreignKind = -1;
    let foreignHash = 0;
    let plainKind = -1;
    let numberKind = -1;
    let number = 0;
    for (let n = 0; n < touched.length; n++) {
      const object = touched[n]!;
      const kind = kindOf(object.kind);
      if (object.number !== null && numberKind < 0) {
        numberKind = kind;
        number = object.number;
      }
      const ownership = objects.look(object.hash, userHash, clientHash, day, claim);
      if (ownership === Ownership.shared) continue;
      // what most name that others named first, a product or a page, is nobody's
      if (rates.rate(primary.peers, Test.foreign, kind) > PUBLIC_RATE) {
        learnPublic(kind, ownership === Ownership.foreign);
        continue;
      }
      if (ownership !== Ownership.foreign) {
        if (plainKind < 0) plainKind = kind;
        continue;
      }
      const hash = hashNumber(object.hash, 0);
      if (primary.place >= 0 && filterHas(full.at(primary.place).sets, Sets.objects, hash)) continue; // told before
      if (ordinary) objects.shareLast();
      if (foreignKind < 0) {
        foreignKind = kind;
        foreignHash = hash;
      }
    }
    if (foreignKind >= 0 || plainKind >= 0) {
      const hit = foreignKind >= 0;
      const kind = hit ? foreignKind : plainKind;
      both(Test.foreign, kind, hit);
      if (hit) remember(Sets.objects, foreignHash);
    }
    if (numberKind >= 0) {
      if (user.present) runTest(user, numberKind, number);
      else if (client.present) runTest(client, numberKind, number); // numbers of several people go nowhere together
    }
    if (httpStatus > 0 || outcome > 0) {
      const first = touched[0]!;
      const missing =
        httpStatus === 403 || httpStatus === 404 || httpStatus === 410 || (httpStatus === 0 && outcome === 2);
      const hash = hashNumber(first.hash, 1);
      const known = missing && primary.place >= 0 && filterHas(full.at(primary.place).sets, Sets.objects, hash);
      if (missing) noteMissed(hash);
      if (!known) {
        both(Test.missing, kindOf(first.kind), missing);
        if (missing) remember(Sets.objects, hash);
      }
    }
  }

  /** By this request's user or address. */
  function isSuspectOfObjects(): boolean {
    for (const s of [user, client]) {
      if (!s.present || s.place < 0) continue;
      const { cells } = full.at(s.place);
      for (const t of OBJECT_TESTS) if (isAtLeast(cells, t, SUSPECT_DECADES)) return true;
    }
    return false;
  }

  function noteMissed(thing: number): void {
    for (const s of [user, client]) if (s.present) everybody.missed(thing, s.hash, isEstablished(s), nowS);
  }

  const isEstablished = ({ block, i }: Subject): boolean =>
    block.days[i]! > ESTABLISHED_DAYS || (block.flags[i]! & Flag.learned) !== 0;

  /** No evidence, but it may turn out to be somebody's. */
  function learnPublic(kind: number, hit: boolean): void {
    if (user.present) rates.add(user.peers, Test.foreign, kind, hit, user.weight);
    if (!client.present) return;
    for (const peers of [client.peers, PeerClass.network, PeerClass.everyone])
      rates.add(peers, Test.foreign, kind, hit, client.weight);
  }

  function remember(set: number, hash: number): void {
    if (user.place >= 0) filterAdd(full.at(user.place).sets, set, hash);
    if (client.place >= 0) filterAdd(full.at(client.place).sets, set, hash);
  }

  /**
   * The user first, who is to be named rather than an address. Whoever has a history of their own is judged by that alone; of others the
   * address, and those it may be spread over, are judged too: accounts are cheap.
   */
  function both(t: number, kind: number, hit: boolean): void {
    if (user.present) test(user, t, kind, hit);
    if (!client.present || (user.present && isEstablished(user))) return;
    test(client, t, kind, hit);
    if (t !== Test.scan) spread(t, kind, hit, 0);
  }

  function runTest(s: Subject, kind: number, number: number): void {
    const { block, i } = s;
    const low = number >>> 0;
    const same = block.lastKind[i] === kind + 1;
    const step = same ? (low - block.lastNumber[i]!) | 0 : 0;
    if (same && step === 0) return;
    block.lastKind[i] = kind + 1;
    block.lastNumber[i] = low;
    if (!same) {
      block.lastStep[i] = 0;
      return;
    }
    const hit = step === block.lastStep[i] && step >= -MOST_STEP && step <= MOST_STEP;
    block.lastStep[i] = step;
    test(s, Test.run, kind, hit);
  }

  function scanTests(operation: number): void {
    const { httpStatus } = event;
    const missing = httpStatus === 404 || httpStatus === 405 || httpStatus === 501;
    const primary = user.present ? user : client;
    const hash = mix(operation ^ 0x3c6ef372);
    if (missing && operations.namesPath(operation) && primary.place >= 0) {
      if (filterHas(full.at(primary.place).sets, Sets.steps, hash)) return;
    }
    if (missing && operations.namesPath(operation)) noteMissed(hash32(`${event.service} ${event.operation}`, seed));
    both(Test.scan, 0, missing);
    if (missing) remember(Sets.steps, hash);
  }

  function loginTests(said: string, succeeded: boolean): void {
    // who tries to sign in is measured by those who do: a class of people who never did knows no rate of it
    const { peers } = client;
    client.peers = PeerClass.client;
    signInTests(said, succeeded);
    client.peers = peers;
  }

  function signInTests(said: string, succeeded: boolean): void {
    const account = keyOf(said);
    const hash = account === '' ? 0 : hash32(account, seed);
    const isKnown = isEstablished(client) && usersBehind(client) > 0;
    if (isKnown) everybody.signIn(client.hash, succeeded, nowMs);
    if (!succeeded && everybody.isDown(nowMs)) return;
    if (account !== '') {
      const actor = client.place < 0 ? null : full.at(client.place);
      const fresh = actor === null || !filterHas(actor.sets, Sets.accounts, hash);
      test(client, Test.newAccount, 0, !succeeded && fresh);
      spread(Test.newAccount, 0, !succeeded && fresh, hash);
      accountTest(account, hash, succeeded);
    }
    // behind an address of many somebody always tries again and again: their accounts tell more
    if (client.block.usersPeak[client.i]! < MANY_USERS && usersBehind(client) < MANY_USERS)
      test(client, Test.failedLogin, 0, !succeeded);
    if (client.place < 0) return;
    const actor = full.at(client.place);
    noteAttempt(actor, account, hash);
    if (succeeded) signedIn(actor);
  }

  function noteAttempt(actor: FullActor, account: string, hash: number): void {
    actor.attempts++;
    if (account === '' || !filterAdd(actor.sets, Sets.accounts, hash)) return;
    actor.accountCount++;
    addName(actor.accounts, account);
  }

  /** One of many tries was right. */
  function signedIn(actor: FullActor): void {
    if (actor.alarms[Test.newAccount] == null && actor.alarms[Test.failedLogin] == null) return;
    noteEvent(actor);
    if (!mark(actor, 'signed-in', SIGNED_IN_AFTER_ATTEMPTS, nowMs, 0)) return;
    addPoints(actor, Points.hardFinding, stageIndex('access'), 'signed in after trying many accounts', nowMs, risk);
    const t = actor.alarms[Test.newAccount] != null ? Test.newAccount : Test.failedLogin;
    tellAlarm(actor, actor.kind === 'network' ? PeerClass.network : client.peers, t, 0);
  }

  function accountTest(account: string, hash: number, succeeded: boolean): void {
    let place = accounts.get(account) ?? -1;
    if (place < 0) {
      rates.add(PeerClass.account, Test.newAccount, 0, !succeeded, client.weight);
      if (succeeded || !isSecond(hash, PAIRS)) return;
      place = full.add(createFullActor('account', account, nowMs, nowMs));
      accounts.set(account, place);
      return; // what made it an actor is no evidence against it
    }
    const actor = full.at(place);
    const fresh = !filterHas(actor.sets, Sets.accounts, client.hash);
    const hit = !succeeded && fresh;
    test2(actor, PeerClass.account, Test.newAccount, 0, hit, 1, client.weight, ACTOR_HALF_LIFE_MS);
    actor.requests += event.sampleWeight;
    filterAdd(actor.sets, Sets.accounts, client.hash);
    actor.attempts++;
    addName(actor.accounts, account);
    if (hit) judge(actor, PeerClass.account, Test.newAccount, 0);
  }

  /** Whether somebody else failed there before. */
  function isSecond(hash: number, from: number): boolean {
    const at = from + (hash & (PAIRS - 1));
    const before = lastFailed[at]!;
    const me = client.hash;
    if (before === 0) lastFailed[at] = me;
    return before !== 0 && before !== me;
  }

  /** The same observation of its network and of everybody together. `accountHash` of a sign-in. */
  function spread(t: number, kind: number, hit: boolean, accountHash: number): void {
    const network = networkTest(t, kind, hit, accountHash);
    if (t === Test.newAccount || t === Test.foreign) everyoneTest(t, kind, hit, network, accountHash);
  }

  function networkTest(t: number, kind: number, hit: boolean, accountHash: number): FullActor | null {
    if (!hit && networks.size === 0) {
      rates.add(PeerClass.network, t, kind, false, client.weight);
      return null;
    }
    const key = networkOf(client.key);
    const place = networks.get(key) ?? -1;
    if (place >= 0) {
      const actor = full.at(place);
      const fresh = t !== Test.newAccount || !filterHas(actor.sets, Sets.accounts, accountHash);
      const happened = hit && fresh;
      test2(actor, PeerClass.network, t, kind, happened, habitOfRequest(t), client.weight, ACTOR_HALF_LIFE_MS);
      actor.requests += event.sampleWeight;
      if (t === Test.newAccount) {
        noteAttempt(actor, event.login!.account, accountHash);
        if (event.login!.succeeded) signedIn(actor);
      }
      if (happened) judge(actor, PeerClass.network, t, kind);
      return actor;
    }
    rates.add(PeerClass.network, t, kind, hit, client.weight);
    if (!hit || key === '' || !isSecond(hash32(key, seed), 0)) return null;
    networks.set(key, full.add(createFullActor('network', key, nowMs, nowMs)));
    return null; // what made it an actor is no evidence against it
  }

  /** What a client, user or network with evidence of its own explains is not spread over everybody. */
  function everyoneTest(t: number, kind: number, hit: boolean, network: FullActor | null, accountHash: number): void {
    if (network !== null && isExplained(network, t)) return;
    if (client.place >= 0 && isExplained(full.at(client.place), t)) return;
    if (user.place >= 0 && isExplained(full.at(user.place), t)) return;
    if (everyonePlace < 0) everyonePlace = full.add(createFullActor('everyone', '', nowMs, nowMs));
    const actor = full.at(everyonePlace);
    if (
      observedOf(actor.cells, t) === 0 &&
      observedOf(actor.cells, t === Test.foreign ? Test.newAccount : Test.foreign) === 0
    )
      forgetWho(actor);
    test2(actor, PeerClass.everyone, t, kind, hit, habitOfRequest(t), 1, EVERYONE_HALF_LIFE_MS);
    actor.requests += event.sampleWeight;
    if (accountHash !== 0) noteAttempt(actor, event.login!.account, accountHash);
    if (hit) judge(actor, PeerClass.everyone, t, kind);
  }

  const isExplained = (actor: FullActor, t: number): boolean =>
    isAlarmed(actor, t) || isAtLeast(actor.cells, t, 2 * SUSPECT_DECADES);

  function forgetWho(actor: FullActor): void {
    if (actor.clients.length === 0) return;
    actor.clients = [];
    actor.accounts = [];
    actor.users = [];
    actor.traceIds = [];
    actor.attempts = 0;
    actor.accountCount = 0;
    actor.leastSure = CONFIDENCES.length - 1;
    actor.startMs = 0;
    actor.endMs = 0;
    actor.sets.fill(0);
  }

  const succeeded = (): boolean => (event.httpStatus > 0 ? event.httpStatus < 400 : event.outcome === 1);

  function privilegeTest(s: Subject, operation: number): void {
    if (!succeeded()) return;
    const { block, i } = s;
    const restricted = operations.isRestricted(operation);
    const known = operations.knows(operation, s.hash);
    if (!known) operations.used(operation, s.hash);
    else operations.usedAgain(operation);
    if (restricted) {
      if ((block.flags[i]! & Flag.usedToday) === 0) {
        block.flags[i] = block.flags[i]! | Flag.usedToday;
        if (block.memberDays[i]! < 255) block.memberDays[i] = block.memberDays[i]! + 1;
      }
      if (learning || block.memberDays[i]! >= ESTABLISHED_DAYS) block.flags[i] = block.flags[i]! | Flag.member;
    }
    if ((block.flags[i]! & Flag.member) !== 0) return;
    test(s, Test.privileged, operations.isDeclared(operation) ? DECLARED : 0, restricted && !known);
  }

  function orderTest(s: Subject, operation: number): void {
    const { block, i } = s;
    const gap = nowS - block.lastS[i]! > SESSION_GAP_S;
    const b1 = gap ? 0 : block.before1[i]!;
    const b2 = gap ? 0 : block.before2[i]!;
    block.before2[i] = b1;
    block.before1[i] = operation + 1;
    if (b1 === 0 || b1 === operation + 1) return;
    const judged = steps.judge(s.peers, b2, b1, operation);
    // of what is known well one step in four is enough
    if (s.weight > 0 && (learning || (counts.events & 3) === 0)) steps.learn(s.peers, b2, b1, operation);
    if (judged < 0) return;
    if (judged === 1) {
      const hash = mix(Math.imul(b1, 0x9e3779b1) ^ operation);
      if (s.place >= 0 && filterHas(full.at(s.place).sets, Sets.steps, hash)) return;
      test(s, Test.order, 0, true);
      filterAdd(full.at(s.place).sets, Sets.steps, hash);
    } else test(s, Test.order, 0, false);
  }

  function volumeTest(s: Subject): void {
    const { block, i } = s;
    const minute = Math.floor(nowS / 60);
    if (block.minute[i] !== minute) {
      if (block.minute[i] !== 0) endMinute(s);
      block.minute[i] = minute;
      block.minuteRequests[i] = 0;
      block.minuteObjects[i] = 0;
      block.minuteKilobytes[i] = 0;
      block.flags[i] = block.flags[i]! & ~Flag.minuteHit;
    }
    const weight = Math.min(1_000, event.sampleWeight);
    block.minuteRequests[i] = Math.min(65_535, block.minuteRequests[i]! + weight);
    block.minuteObjects[i] = Math.min(65_535, block.minuteObjects[i]! + event.objects.length * weight);
    if (event.responseBytes > 0)
      block.minuteKilobytes[i] = block.minuteKilobytes[i]! + (event.responseBytes / 1024) * weight;
    if ((block.flags[i]! & Flag.minuteHit) !== 0) return;
    const requests = block.minuteRequests[i]!;
    const named = block.minuteObjects[i]!;
    const kilobytes = block.minuteKilobytes[i]!;
    if (!volumes.isLarge(s.peers, requests, named, kilobytes)) return;
    const people = s.kind === 'client' ? Math.max(1, usersBehind(s)) : 1;
    if (!volumes.isLarge(s.peers, requests / people, named / people, kilobytes / people)) return;
    block.flags[i] = block.flags[i]! | Flag.minuteHit;
    test(s, Test.volume, 0, true);
  }

  function endMinute(s: Subject): void {
    const { block, i } = s;
    const hit = (block.flags[i]! & Flag.minuteHit) !== 0;
    if (!hit) test(s, Test.volume, 0, false);
    if (s.weight === 0) return;
    const people = s.kind === 'client' ? Math.max(1, usersBehind(s)) : 1;
    volumes.add(
      s.peers,
      block.minuteRequests[i]! / people,
      block.minuteObjects[i]! / people,
      block.minuteKilobytes[i]! / people,
    );
  }

  function anomalous(): void {
    const worth = Points.anomalousDecade * Math.min(3, Math.max(1, -Math.log10(Math.max(1e-12, event.p)) - 2));
    for (const s of [user, client]) {
      if (!s.present) continue;
      const actor = fullOf(s);
      noteEvent(actor);
      addPoints(actor, worth, -1, 'requests outside their baseline', nowMs, risk);
    }
  }

  // ---- what was found in a request ----

  function findings(): void {
    const { address } = event.client;
    const hash = hash32(event.id, seed);
    acting = failedSignIns[hash & (FAILED - 1)] === hash || event.client.user === '' ? null : event.client.user;
    client.present = false;
    user.present = false;
    client.place = -1;
    user.place = -1;
    if (address !== null) prepare(client, clients, keyOf(address));
    if (acting !== null) prepare(user, users, keyOf(acting));
    for (const s of [user, client]) {
      if (!s.present) continue;
      s.block.lastS[s.i] = Math.max(s.block.lastS[s.i]!, nowS);
      const actor = fullOf(s);
      noteEvent(actor);
      for (const finding of event.findings) {
        const key = hash32(`${event.id}|${finding.kind}|${finding.explanationKey}`, seed);
        if (actor.counted.includes(key)) continue;
        if (actor.counted.length >= 16) actor.counted.shift();
        actor.counted.push(key);
        const step = speaksOfStage(finding, event.operation) ? stepOfFinding(finding) : null;
        addPoints(
          actor,
          finding.hard ? Points.hardFinding : Points.softFinding,
          step === null ? -1 : stageIndex(step.stage),
          `${finding.kind}: ${finding.explanationKey}`,
          nowMs,
          risk,
        );
        const at = Math.abs(finding.startMs - nowMs) < DAY_S * 1000 ? finding.startMs : nowMs;
        if (step !== null && (finding.hard || event.anomalous))
          mark(actor, finding.kind, step, at, decadesOfP(event.p));
      }
      actor.told ??= { id: recordId(actor.kind, actor.key, '', nowMs), revision: 0, risk: 0, stages: 0, users: 0 };
      tellKnown(actor);
    }
  }

  const partsOf: readonly (readonly [string, PartSource])[] = [
    ['clients', clients.parts],
    ['users', users.parts],
    ['full', full.parts],
    ['recent', recent.parts],
    ['objects', objects.parts],
    ['operations', operations.parts],
    ['steps', steps.parts],
    ['volumes', volumes.parts],
    ['rates', rates.parts],
    ['pairs', pairParts],
    ['everybody', everybody.parts],
  ];

  return {
    take(given, appendMs) {
      if (!linked) link();
      const tag = given.part === 'request' ? 0 : 1 + given.revision;
      if (!recent.takes(given.id, tag)) {
        counts.repeated++;
        return EMPTY_RECORDS;
      }
      counts.events++;
      const atMs = Math.min(given.atMs, appendMs);
      if (Number.isFinite(atMs) && atMs > nowMs) nowMs = atMs;
      else if (nowMs === 0) nowMs = appendMs;
      nowS = Math.floor(nowMs / 1000);
      if (firstMs === 0) firstMs = nowMs;
      if (learning && nowMs - firstMs >= config.learnMs) learning = false;
      if ((counts.events & 63) === 0) {
        rates.advance(nowMs, learning);
        operations.advance(nowMs);
      }
      event = given;
      out = EMPTY;
      if (waiting.length > 0) release();
      if (given.part === 'findings') findings();
      else if (!given.asynchronous) request();
      const told = out;
      out = EMPTY;
      return told === EMPTY ? EMPTY_RECORDS : told;
    },
    status: () => ({
      clients: clients.size,
      users: users.size,
      full: full.size,
      fullEvicted: full.evicted,
      quietEvicted: clients.evicted + users.evicted,
      events: counts.events,
      repeated: counts.repeated,
      unknownClients: counts.unknown,
      records: counts.records,
      learning,
      unreachable: rates.unreachable(),
      spared: counts.spared,
      signInsDown: everybody.isDown(nowMs),
    }),
    snapshot() {
      const sources = Object.fromEntries(partsOf.map(([name, source]) => [name, source.begin()]));
      const meta = {
        format: FORMAT,
        seed,
        nowMs,
        firstMs,
        learning,
        everyonePlace,
        counts: { ...counts },
        waiting: [...waiting],
        kinds: kinds.state(),
        notices: structuredClone(notices.state()),
        usersNamed: usersNamed.state(),
        sources,
      };
      return rest(meta);
    },
    forgetKept() {
      for (const [, source] of partsOf) source.forget();
    },
    restore({ name, bytes }) {
      if (name !== 'meta') {
        const [, source] = partsOf.find(([prefix]) => name.startsWith(`${prefix}/`)) ?? [];
        source?.restore(name, bytes);
        linked &&= !name.startsWith('full/');
        return;
      }
      const meta = fromJsonBytes(bytes) as Meta;
      nowMs = meta.nowMs;
      nowS = Math.floor(nowMs / 1000);
      firstMs = meta.firstMs;
      learning = meta.learning;
      everyonePlace = meta.everyonePlace;
      Object.assign(counts, meta.counts);
      waiting = [...(meta.waiting ?? [])];
      usersNamed = createUsersNamed(meta.usersNamed);
      kinds.restore(meta.kinds);
      notices = createNoticeWatch({ ...newNoticeState(), ...meta.notices });
      for (const [source, parts] of partsOf) parts.restoreMeta(meta.sources[source] ?? null);
    },
  };

  function* rest(meta: object): Iterable<Part> {
    yield { name: 'meta', bytes: jsonBytes(meta) };
    for (const [, source] of partsOf) yield* source.rest();
  }

  /** Networks and accounts are found by their key. */
  function link(): void {
    linked = true;
    networks.clear();
    accounts.clear();
    for (const place of full.places()) {
      const { kind, key } = full.peek(place);
      if (kind === 'network') networks.set(key, place);
      else if (kind === 'account') accounts.set(key, place);
    }
  }
}

const EMPTY_RECORDS: ActorRecord[] = [];

const LONGEST_KEY = 128;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/;

/** A key as it may be shown and kept: without control characters, and what is too long by its beginning and its hash. */
function keyOf(text: string): string {
  if (text.length <= LONGEST_KEY && PLAIN.test(text)) return text;
  return `${plainText(text, LONGEST_KEY - 12)}…${hash32(text, 0).toString(16)}`;
}

interface Meta {
  readonly format: number;
  readonly nowMs: number;
  readonly firstMs: number;
  readonly learning: boolean;
  readonly everyonePlace: number;
  readonly counts: object;
  readonly waiting?: readonly Held[];
  readonly kinds: ObjectKindsState;
  readonly notices: NoticeState;
  readonly usersNamed?: ReturnType<ReturnType<typeof createUsersNamed>['state']>;
  readonly sources: Readonly<Record<string, unknown>>;
}
