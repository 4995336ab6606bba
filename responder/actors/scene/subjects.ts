/**
 * The client and the user of an event in the quiet tier: found or added, their days counted, what is usual with them kept from day to day,
 * who is behind an address. The full state of one with signals is made here too.
 */

import { hasBit, linearCount, setBit } from '../bits.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { endDay, habitOf, isAtLeast, pastHitsOf, SUSPECT_DECADES } from '../evidence/evidence.ts';
import { TESTS, Test } from '../evidence/tests.ts';
import { hashInto } from '../hash.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { indexIn, type QuietBlock, USER_WORDS } from '../kept/quiet-tier.ts';
import { riskOf } from '../kept/risk.ts';
import { baseOf, rangeOf } from '../learned/addresses.ts';
import type { Scene, Subject } from './scene.ts';
import type { Tables } from './tables.ts';

/** Bits of a quiet row's flags. */
export const Flag = {
  private: 1,
  cdn: 2,
  /** Was there while it was learned what is usual. */
  learned: 4,
  habitSet: 8,
  /** One of the few who use restricted operations. */
  member: 16,
  usedToday: 32,
  hasUsers: 64,
  minuteHit: 128,
} as const;

/** Established from so many days on: what an actor does is usual with it. */
export const ESTABLISHED_DAYS = 3;
/** So many objects of others while it was learned, beyond what peers name, are somebody's trade. */
const TRADE_HITS = 10;
/** A habit beyond this is no measure for others. */
export const OWN_WAYS = 4;
/** Requests of a day by which one actor moves its class. */
const FREE_INFLUENCE = 64;
/** A risk from which on users who are new behind an address say nothing of how many share it: they may be made up, or broken into. */
const SUSPECT_RISK = 40;

/** Has a history of its own. */
export const isEstablished = ({ block, b }: Subject): boolean =>
  block.days[b]! > ESTABLISHED_DAYS || (block.flags[b]! & Flag.learned) !== 0;

export const usersOfRow = (block: QuietBlock, i: number): number =>
  Math.max(linearCount(block.users, i, USER_WORDS), block.usersPeak[2 * i]!);

export const usersBehind = ({ block, i }: Subject): number => usersOfRow(block, i);

/** Whether a newcomer, by all but the lowest bit of their hash, was seen behind the client. */
export function isBehind({ block, i }: Subject, newcomer: number): boolean {
  const at = i;
  return hasBit(block.users, at, 2, newcomer) || hasBit(block.users, at, 2, (newcomer ^ 1) >>> 0);
}

/** What is usual of this request: with its user or with its address, whichever has it more often. */
export function habitOfRequest({ client, user }: Scene, t: number): number {
  const ofUser = user.present ? user.block.habits[user.b + t]! : 0;
  const ofClient = client.present ? client.block.habits[client.b + t]! : 0;
  const most = Math.max(ofUser, ofClient);
  return most === 0 ? 1 : 2 ** (most / 8);
}

export interface Subjects {
  /** Finds or adds it, and moves its clocks on. */
  enter(s: Subject, key: string): void;
  /** One more request of it. */
  count(s: Subject): void;
  /** The subject's full state, made when there is none. */
  fullOf(s: Subject): FullActor;
  /** True when a user, by hash, is new behind the client. */
  noteUser(hash: number): boolean;
  /** Users behind it as far as enforcement may rely on it: without those who came while it is suspected of something. */
  usersBefore(s: Subject): number;
}

export function createSubjects(config: ActorsCoreConfig, seed: number, scene: Scene, tables: Tables): Subjects {
  const { client } = scene;
  const { clients, users, full } = tables;
  const lanes = new Uint32Array(2);

  function newDay(s: Subject, day: number): void {
    const { block, i, h, b, place } = s;
    const passed = day - block.day[h]!;
    const first = block.day[h] === 0;
    const week = (d: number): number => Math.floor(d / 7);
    if (!first) {
      block.requests[i] = block.requests[i]! * 2 ** -Math.min(60, Math.max(0, passed));
      if (week(day) !== week(block.day[h]!)) {
        const seen = linearCount(block.users, i, USER_WORDS);
        block.usersPeak[h] = Math.max(seen, block.usersPeak[h]! >> 1);
        block.users.fill(0, i, i + USER_WORDS);
      }
    }
    block.day[h] = day;
    block.dayRequests[h] = 0;
    block.flags[b] = block.flags[b]! & ~Flag.usedToday;
    if (block.days[b]! < 255) block.days[b] = block.days[b]! + 1;
    if (place < 0 || first) return;
    const { cells } = full.at(place);
    for (let t = 0; t < TESTS; t++) endDay(cells, t);
    if (!scene.learning && isEstablished(s)) writeHabits(block, b, cells);
  }

  /** Learning is over: what it did meanwhile is usual with it. */
  function setHabits({ block, b, place, hash }: Subject): void {
    block.flags[b] = block.flags[b]! | Flag.habitSet;
    const { cells } = full.at(place);
    for (let t = 0; t < TESTS; t++) endDay(cells, t);
    writeHabits(block, b, cells);
    // who looks at everybody's by trade owns nothing of it
    if (habitOf(cells, Test.foreign) > OWN_WAYS && pastHitsOf(cells, Test.foreign) >= TRADE_HITS)
      tables.objects.release(hash, () => false);
  }

  function writeHabits(block: QuietBlock, b: number, cells: Float64Array): void {
    for (let t = 0; t < TESTS; t++) block.habits[b + t] = Math.min(255, Math.round(8 * Math.log2(habitOf(cells, t))));
  }

  function isSuspected(actor: FullActor): boolean {
    for (let t = 0; t < TESTS; t++) if (isAtLeast(actor.cells, t, SUSPECT_DECADES)) return true;
    return riskOf(actor, scene.nowMs, config) >= SUSPECT_RISK;
  }

  return {
    enter(s, key) {
      hashInto(key, seed, lanes);
      const tier = s.kind === 'client' ? clients : users;
      const row = tier.row(lanes[0]!, lanes[1]!, scene.nowS);
      const block = tier.block(row);
      const i = indexIn(row);
      const h = 2 * i;
      const b = 4 * i;
      s.present = true;
      s.key = key;
      s.block = block;
      s.i = i;
      s.h = h;
      s.b = b;
      s.hash = lanes[0]!;
      if (tier.isNew() && s.kind === 'client') {
        const range = config.isClientRange(baseOf(key)) ? '' : rangeOf(key);
        block.flags[b] = range === 'private' ? Flag.private : range === 'CDN' ? Flag.cdn : 0;
      }
      s.place = block.full[i]! - 1;
      if (scene.learning) block.flags[b] = block.flags[b]! | Flag.learned;
      const day = scene.day & 0xffff;
      if (block.day[h] !== day) newDay(s, day);
      else if (!scene.learning && s.place >= 0 && (block.flags[b]! & (Flag.learned | Flag.habitSet)) === Flag.learned)
        setHabits(s);
    },
    count(s) {
      const { block, i, h } = s;
      const weight = Math.min(1e6, scene.event.sampleWeight);
      block.requests[i] = block.requests[i]! + weight;
      const today = block.dayRequests[h]!;
      if (today < 65_535) block.dayRequests[h] = today + 1;
      // one actor moves its class by its first requests of a day, and by the logarithm of the others
      const counts = today < FREE_INFLUENCE || today % (today >> 6) === 0;
      // and a new account, of which anybody can have many, not at all
      s.weight = counts && (scene.learning || s.kind !== 'user' || isEstablished(s)) ? 1 : 0;
      if (s.place >= 0) full.at(s.place).requests += weight;
    },
    fullOf(s) {
      if (s.place < 0) {
        s.place = full.add(s.kind, s.key, s.block.firstS[s.i]! * 1000, scene.nowMs);
        s.block.full[s.i] = s.place + 1;
      }
      return full.at(s.place);
    },
    noteUser(hash) {
      const { block, i, place } = client;
      const isNew = !hasBit(block.users, i, 2, hash);
      if (place >= 0) {
        const actor = full.at(place);
        if (actor.usersBefore >= 0 && !isSuspected(actor)) actor.usersBefore = -1;
        else if (isNew && actor.usersBefore < 0 && isSuspected(actor)) actor.usersBefore = usersBehind(client);
      }
      return isNew && setBit(block.users, i, 2, hash);
    },
    usersBefore(s) {
      const before = s.place < 0 ? -1 : full.at(s.place).usersBefore;
      return before < 0 ? usersBehind(s) : before;
    },
  };
}
