/** What a request is asked of the objects it names, and of a path that is not there: whose they are, how they go on, whether they are missing. */

import { filterAdd, filterHas } from '../bits.ts';
import { isAtLeast, SUSPECT_DECADES } from '../evidence/evidence.ts';
import { PeerClass, Test } from '../evidence/tests.ts';
import { hash32, hashNumber, mix } from '../hash.ts';
import type { Judging } from '../judging/judging.ts';
import { Sets } from '../kept/full-row.ts';
import { networkOf } from '../learned/addresses.ts';
import { Claim, Ownership } from '../learned/object-owners.ts';
import { type Scene, type Subject, succeeded } from '../scene/scene.ts';
import { habitOfRequest, isEstablished, OWN_WAYS } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import type { Spread } from './spread.ts';

/** Objects of a kind that are foreign more often than this are public. */
const PUBLIC_RATE = 0.3;
/** Numbers that go on by more than so much are no run. */
const MOST_STEP = 8;
/** What somebody does who goes through the objects of others, or through all there are. */
const TESTS_OF_OBJECTS = [Test.foreign, Test.run, Test.missing, Test.volume] as const;

export interface ObjectTests {
  /** Of a request that names objects. */
  objects(): void;
  /** Of one that names none. */
  path(operation: number): void;
}

export function createObjectTests(
  seed: number,
  scene: Scene,
  tables: Tables,
  { judging, spread }: { readonly judging: Judging; readonly spread: Spread },
): ObjectTests {
  const { client, user, subjects } = scene;
  const { full, rates, kinds, everybody, operations } = tables;

  const kindOf = (text: string): number =>
    kinds.of(text, user.present ? user.hash : client.hash, succeeded(scene.event), scene.nowS);

  /** By this request's user or address. */
  function isSuspect(): boolean {
    for (const s of subjects) {
      if (!s.present || s.place < 0) continue;
      const { cells } = full.at(s.place);
      for (const t of TESTS_OF_OBJECTS) if (isAtLeast(cells, t, SUSPECT_DECADES)) return true;
    }
    return false;
  }

  /**
   * The user first, who is to be named rather than an address. Whoever has a history of their own is judged by that alone; of others the
   * address, and those it may be spread over, are judged too: accounts are cheap. `thing`: hash of what was named; 0 = not known.
   */
  function both(t: number, kind: number, hit: boolean, thing: number): void {
    if (user.present) judging.test(user, t, kind, hit);
    if (!client.present) return;
    if (user.present && isEstablished(user)) {
      learnUsual(t, kind, hit);
      return;
    }
    judging.test(client, t, kind, hit);
    spread.test(t, kind, hit, thing);
  }

  /** Who has a history shows what is usual with addresses and networks, and is nothing against theirs. */
  function learnUsual(t: number, kind: number, hit: boolean): void {
    if (user.weight === 0 || habitOfRequest(scene, t) > OWN_WAYS) return;
    if (user.place >= 0 && isAtLeast(full.peek(user.place).cells, t, SUSPECT_DECADES)) return;
    rates.learn(client.peers, t, kind, hit, 1);
    rates.learn(PeerClass.network, t, kind, hit, 1);
    if (t === Test.foreign) rates.learn(PeerClass.everyone, t, kind, hit, 1);
  }

  /** Whether the one who acts was told of it before. */
  const knows = (primary: Subject, set: number, hash: number): boolean =>
    primary.place >= 0 && filterHas(full.at(primary.place).sets, set, hash);

  function remember(set: number, hash: number): void {
    if (user.place >= 0) filterAdd(full.at(user.place).sets, set, hash);
    if (client.place >= 0) filterAdd(full.at(client.place).sets, set, hash);
  }

  function noteMissed(thing: number): void {
    for (const s of subjects) if (s.present) everybody.missed(thing, s.hash, isEstablished(s), scene.nowS);
    if (!client.present || tables.networks.size() === 0) return;
    if (tables.networks.find(client.key) < 0) return;
    everybody.missed(thing, hash32(networkOf(client.key), seed), false, scene.nowS);
  }

  /** What most name that others named first is no evidence, but it may turn out to be somebody's. */
  function learnPublic(kind: number, hit: boolean): void {
    if (user.present) rates.add(user.peers, Test.foreign, kind, hit, user.weight);
    if (!client.present) return;
    rates.add(client.peers, Test.foreign, kind, hit, client.weight);
    rates.add(PeerClass.network, Test.foreign, kind, hit, client.weight);
    rates.add(PeerClass.everyone, Test.foreign, kind, hit, client.weight);
  }

  /** Whose they are; of several the first foreign one counts. */
  function ownershipTest(primary: Subject): void {
    const { objects } = scene.event;
    const userHash = user.present ? user.hash : client.hash;
    const clientHash = client.present ? client.hash : userHash;
    const { day } = scene;
    // whoever looks at everybody's, by trade or by guessing, makes nothing shared and owns nothing; nor does who is refused
    const isTrade = habitOfRequest(scene, Test.foreign) > OWN_WAYS;
    const honest = succeeded(scene.event) && !isTrade && !isSuspect();
    const claim = !honest ? Claim.none : isEstablished(primary) ? Claim.lasting : Claim.newcomers;
    let foreignKind = -1;
    let foreignHash = 0;
    let plainKind = -1;
    let numberKind = -1;
    let number = 0;
    /** The number that may go on is of the actor's own object, or of somebody's whose objects they know. */
    let isFamiliar = false;
    for (let n = 0; n < objects.length; n++) {
      const object = objects[n]!;
      const kind = kindOf(object.kind);
      if (object.number !== null && numberKind < 0) {
        numberKind = kind;
        number = object.number;
      }
      const ownership = tables.objects.look(object.hash, userHash, clientHash, day, claim);
      if (ownership === Ownership.shared) continue;
      // what most name that others named first, a product or a page, is nobody's
      if (rates.rate(primary.peers, Test.foreign, kind) > PUBLIC_RATE) {
        learnPublic(kind, ownership === Ownership.foreign);
        continue;
      }
      const isNumbered = numberKind === kind && number === object.number;
      if (ownership !== Ownership.foreign) {
        if (plainKind < 0) plainKind = kind;
        if (isNumbered) isFamiliar = ownership === Ownership.own;
        continue;
      }
      const hash = hashNumber(object.hash, 0);
      if (knows(primary, Sets.objects, hash)) continue;
      if (honest && !scene.learning) tables.objects.shareLast();
      if (!tables.met.isNews(userHash, tables.objects.ownerOfLast())) {
        // it speaks neither for nor against
        if (isNumbered) isFamiliar = true;
        continue;
      }
      if (foreignKind < 0) {
        foreignKind = kind;
        foreignHash = hash;
      }
    }
    if (foreignKind >= 0) {
      both(Test.foreign, foreignKind, true, foreignHash);
      remember(Sets.objects, foreignHash);
    } else if (plainKind >= 0) both(Test.foreign, plainKind, false, 0);
    // numbers of several people go nowhere together
    if (numberKind >= 0) runTest(user.present ? user : client, numberKind, number, isFamiliar);
  }

  /** Whether numbers go on by equal small steps; those of objects that are one's own, or of somebody known, may. */
  function runTest(s: Subject, kind: number, number: number, isFamiliar: boolean): void {
    const { block, i, h } = s;
    const low = number >>> 0;
    const same = block.lastKind[h] === kind + 1;
    const step = same ? (low - block.lastNumber[i]!) | 0 : 0;
    if (same && step === 0) return;
    block.lastKind[h] = kind + 1;
    block.lastNumber[i] = low;
    if (!same) {
      block.lastStep[i] = 0;
      return;
    }
    const hit = !isFamiliar && step === block.lastStep[i] && step >= -MOST_STEP && step <= MOST_STEP;
    block.lastStep[i] = step;
    judging.test(s, Test.run, kind, hit);
  }

  /** Whether the first of them is not there, or refused. */
  function missingTest(primary: Subject): void {
    const { objects, httpStatus, outcome } = scene.event;
    if (httpStatus <= 0 && outcome <= 0) return;
    const first = objects[0]!;
    const missing =
      httpStatus === 403 || httpStatus === 404 || httpStatus === 410 || (httpStatus === 0 && outcome === 2);
    const hash = hashNumber(first.hash, 1);
    const known = missing && knows(primary, Sets.objects, hash);
    if (missing) noteMissed(hash);
    if (known) return;
    both(Test.missing, kindOf(first.kind), missing, hash);
    if (missing) remember(Sets.objects, hash);
  }

  return {
    objects() {
      const primary = user.present ? user : client;
      ownershipTest(primary);
      missingTest(primary);
    },
    path(operation) {
      const { httpStatus, service, operation: said } = scene.event;
      const missing = httpStatus === 404 || httpStatus === 405 || httpStatus === 501;
      if (!missing) {
        both(Test.scan, 0, false, 0);
        return;
      }
      const hash = mix(operation ^ 0x3c6ef372);
      const named = operations.namesPath(operation);
      if (named) {
        if (knows(user.present ? user : client, Sets.steps, hash)) return;
        noteMissed(hash32(`${service} ${said}`, seed));
      }
      both(Test.scan, 0, true, named ? hash : 0);
      remember(Sets.steps, hash);
    },
  };
}
