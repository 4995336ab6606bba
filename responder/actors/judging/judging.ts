/**
 * Observations of an actor against its peers, and what follows from a hit: a weak signal, an alarm, or more of one that stands
 * (DETECTION §4). The evidence itself is reckoned in evidence.ts.
 */
import type { AbuseKind } from '../../../schemas/log/actor-record.ts';
import { stageIndex, stepOfAbuse } from '../../kill-chain.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { SHAPES } from '../evidence/base-rates.ts';
import { decades, happenedOf, isAtLeast, observe, recentHits, SUSPECT_DECADES } from '../evidence/evidence.ts';
import { ABUSE, TEST_NAMES, Test } from '../evidence/tests.ts';
import { type Alarm, alarmOf, alarmsOf, hasAlarm, raiseAlarm } from '../kept/alarms.ts';
import { clientCountOf, type FullActor } from '../kept/full-actor.ts';
import { addPoints, Points } from '../kept/risk.ts';
import type { Party, Scene, Subject } from '../scene/scene.ts';
import { habitOfRequest, isBehind, isEstablished, OWN_WAYS, type Subjects } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import type { Attribution } from './attribution.ts';
import type { HeldAlarms } from './held-alarms.ts';
import { mark, noteEvent } from './noting.ts';
import type { Telling } from './telling.ts';

/** 20 : 1 is a weak signal of its stage. */
const WEAK_DECADES = Math.log10(20);
/** Spread: fewer clients are no network's, no everybody's, no account's abuse. */
const FEWEST_CLIENTS: Readonly<Partial<Record<FullActor['kind'], number>>> = { network: 3, everyone: 10, account: 3 };
/** Nobody is accused of what happened once or twice; a privileged route is. Of all together it has to be many who did it. */
const FEWEST_HITS = 3;
const FEWEST_HITS_OF_ALL = 8;
/**
 * How much actors differ is asked of those with fewer hits lately: one who does nothing else is no
 * measure of it, and a new account is none.
 */
const MOST_ASKED = 4;
/** Kind of a privileged operation that the configuration names: what its operators say needs no more evidence. */
export const DECLARED = 1;
/** Tries an account: fewer are a list of pairs, these are rounds over many accounts, more are one's own. */
const SPRAYING = { accounts: 5, leastTries: 1.5, mostTries: 6, clearly: 1.2 } as const;

export interface Judging {
  /** One observation of a client or user by a test, `kind` of object or operation: counted, and judged when it is a hit. */
  test(s: Subject, t: number, kind: number, hit: boolean): void;
  /** One observation of an actor kept in full, by the measure of a party; not judged yet. */
  observe(actor: FullActor, by: Party, t: number, kind: number, hit: boolean): void;
  /** After a hit. */
  judge(actor: FullActor, peers: number, t: number, kind: number): void;
  /** Over its bound; an alarm that was quiet for long is over. */
  isAlarmed(actor: FullActor, t: number): boolean;
}

export function createJudging(
  config: ActorsCoreConfig,
  scene: Scene,
  tables: Tables,
  deps: {
    readonly subjects: Subjects;
    readonly attribution: Attribution;
    readonly telling: Telling;
    readonly held: HeldAlarms;
  },
): Judging {
  const { client, user, counts } = scene;
  const { rates, full, objects } = tables;
  const { subjects, attribution, telling, held } = deps;
  const losses = new Float64Array(SHAPES.length);
  const against = { rate: 0, shape: 1, habit: 1, halfLifeMs: 1 };

  function test(s: Subject, t: number, kind: number, hit: boolean): void {
    s.habit = habitOfRequest(scene, t);
    if (s.place < 0 && !hit) {
      rates.add(s.peers, t, kind, false, s.habit > OWN_WAYS ? 0 : s.weight);
      return;
    }
    const actor = subjects.fullOf(s);
    observeBy(actor, s, t, kind, hit);
    if (hit) judge(actor, s.peers, t, kind);
  }

  function observeBy(actor: FullActor, by: Party, t: number, kind: number, hit: boolean): void {
    const { cells } = actor;
    const { peers, weight, habit } = by;
    const suspect = isAlarmed(actor, t) || habit > OWN_WAYS || isAtLeast(cells, t, SUSPECT_DECADES);
    against.rate = rates.rate(peers, t, kind);
    // the mean of many that differ differs less: n gammas of a shape add up to one of n times that shape
    against.shape = rates.shape(peers, t) * (actor.kind === 'network' ? clientCountOf(actor) || 1 : 1);
    against.habit = habit;
    against.halfLifeMs = by.halfLifeMs;
    // what each shape predicts is asked of every hit and of one in eight others, which then count for eight
    const asked =
      !suspect &&
      weight > 0 &&
      recentHits(cells, t) < MOST_ASKED &&
      (hit || (counts.events & 7) === 0) &&
      (actor.kind !== 'user' || isEstablished(user));
    const isNew = recentHits(cells, t) < 1;
    const { nowMs, learning } = scene;
    observe(cells, t, hit, against, rates.usual(peers, t, kind), nowMs, !learning, asked ? losses : null);
    if (asked) {
      if (!hit) for (let j = 0; j < losses.length; j++) losses[j] = losses[j]! * 8;
      rates.addShape(peers, t, losses, hit && isNew);
    }
    rates.add(peers, t, kind, hit, suspect ? 0 : weight);
    actor.lastMs = nowMs;
    if (hit) noteEvent(scene, actor);
  }

  function judge(actor: FullActor, peers: number, t: number, kind: number): void {
    if (scene.learning) return;
    const alarm = alarmOf(actor, t);
    const abuse = abuseOf(actor, t, alarm?.abuse);
    if (alarm !== null) goOn(actor, alarm, abuse, peers, t, kind);
    else if (isDue(actor, peers, t, kind, abuse)) raise(actor, peers, t, kind, abuse);
  }

  /** An alarm that stands is told again when there is twice as much of it, as what it turned out to be by then. */
  function goOn(actor: FullActor, alarm: Alarm, abuse: AbuseKind, peers: number, t: number, kind: number): void {
    // what anybody does now and then keeps no alarm going
    if (decades(actor.cells, t) >= rates.bound(peers, t) || t === Test.privileged) alarm.lastMs = scene.nowMs;
    const hits = happenedOf(actor.cells, t);
    if (hits < 2 * alarm.toldHits && clientCountOf(actor) < 2 * alarm.toldClients) return;
    // as much again, and nobody else's alarm tells of it any more: another account, or what was told before is over
    if (alarm.silent && !isToldElsewhere(actor, t)) alarm.speakUp();
    alarm.abuse = abuse;
    mark(actor, abuse, stepOfAbuse(abuse)!, scene.nowMs, 0);
    telling.alarm(actor, peers, t, kind);
  }

  /** Whether it is over its bound, by enough and enough of them; else it may be a weak signal. */
  function isDue(actor: FullActor, peers: number, t: number, kind: number, abuse: AbuseKind): boolean {
    const own = decades(actor.cells, t);
    if (own < WEAK_DECADES) return false;
    const step = stepOfAbuse(abuse)!;
    const stage = stageIndex(step.stage);
    const bound = rates.bound(peers, t);
    const all = own + telling.chainOf(actor, stage, t, bound);
    const fewest = actor.kind === 'everyone' ? FEWEST_HITS_OF_ALL : FEWEST_HITS;
    const isEnough = all >= bound && (t === Test.privileged || happenedOf(actor.cells, t) >= fewest);
    if ((isEnough && isSpread(actor)) || (t === Test.privileged && kind === DECLARED)) return true;
    if (mark(actor, TEST_NAMES[t]!, step, scene.nowMs, own))
      addPoints(actor, Points.weakSignal, stage, `signs of ${abuse}`, scene.nowMs, config);
    return false;
  }

  function raise(actor: FullActor, peers: number, t: number, kind: number, abuse: AbuseKind): void {
    if ((actor.kind === 'client' || actor.kind === 'network') && attribution.isMisattributed()) return;
    const own = decades(actor.cells, t);
    if (held.holds(actor, peers, t, kind)) return;
    const { nowMs } = scene;
    const step = stepOfAbuse(abuse)!;
    const reason = `${abuse}: 10^${own.toFixed(1)} times likelier than with peers`;
    mark(actor, abuse, step, nowMs, own);
    addPoints(actor, Points.alarm, stageIndex(step.stage), reason, nowMs, config);
    raiseAlarm(actor, t, abuse, nowMs, isToldElsewhere(actor, t));
    tables.raised(actor, placeOf(actor, t), t);
    if (t <= Test.missing || t === Test.volume) releaseObjects(actor);
    telling.alarm(actor, peers, t, kind);
  }

  /** By the user who asks, or by another test that speaks for the same. */
  const isToldElsewhere = (actor: FullActor, t: number): boolean =>
    (actor.kind === 'client' && user.place >= 0 && hasAlarm(full.peek(user.place), t)) || isToldOf(actor, t);

  function placeOf({ kind, key }: FullActor, t: number): number {
    if (kind === 'client') return client.place;
    if (kind === 'user') return user.place;
    if (kind === 'network') return tables.networks.get(key)!;
    return kind === 'account' ? tables.accounts.get(key)! : tables.everyonePlaces[t]!;
  }

  /** Whoever went through the objects of others, or through all there are, gives back what it took of them; of a client also those behind it. */
  function releaseObjects(actor: FullActor): void {
    if (actor.kind === 'user') objects.release(user.hash, () => false);
    else if (actor.kind === 'client') objects.release(client.hash, (newcomer) => isBehind(client, newcomer));
  }

  function isAlarmed(actor: FullActor, t: number): boolean {
    const alarm = alarmOf(actor, t);
    if (alarm === null) return false;
    if (scene.nowMs - alarm.lastMs <= config.quietMs) return true;
    telling.end(actor, t);
    return false;
  }

  return { test, observe: observeBy, judge, isAlarmed };
}

const isSpread = (actor: FullActor): boolean => clientCountOf(actor) >= (FEWEST_CLIENTS[actor.kind] ?? 0);

/**
 * Tries an account get: once or hardly more is what a list of pairs makes, rounds over many accounts are spraying. An alarm that stands
 * stays what it is until it is clearly the other.
 */
function abuseOf(actor: FullActor, t: number, standing: AbuseKind | undefined): AbuseKind {
  const abuse = ABUSE[t]!;
  if (abuse !== 'credential-stuffing' || actor.kind === 'account' || actor.accountCount < SPRAYING.accounts)
    return standing ?? abuse;
  const tries = actor.attempts / actor.accountCount;
  const { leastTries, mostTries, clearly } = SPRAYING;
  const margin = standing === undefined ? 1 : standing === abuse ? clearly : 1 / clearly;
  return tries >= leastTries * margin && tries <= mostTries / margin ? 'password-spraying' : abuse;
}

/** By another test that speaks for the same already. */
const isToldOf = (actor: FullActor, t: number): boolean =>
  alarmsOf(actor).some((alarm) => alarm.test !== t && ABUSE[alarm.test] === ABUSE[t] && !alarm.silent);
