/**
 * What is spread over many clients: the same observations of the client's network and of all clients together, and failed sign-ins of the
 * account they were aimed at. The second client that fails makes a network or an account an actor.
 */

import { filterAdd, filterHas } from '../bits.ts';
import { isAtLeast, observedOf, SUSPECT_DECADES } from '../evidence/evidence.ts';
import { PeerClass, Test } from '../evidence/tests.ts';
import { hash32 } from '../hash.ts';
import type { Judging } from '../judging/judging.ts';
import { addAccount } from '../kept/adding.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { Sets } from '../kept/full-row.ts';
import { networkOf } from '../learned/addresses.ts';
import { ACTOR_HALF_LIFE_MS, newParty, type Scene } from '../scene/scene.ts';
import { habitOfRequest } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import type { Attempts } from './attempts.ts';

const EVERYONE_HALF_LIFE_MS = 1_800_000;
/** Where a network remembers what it was told of. */
const SETS: Readonly<Partial<Record<number, number>>> = { [Test.newAccount]: Sets.accounts, [Test.scan]: Sets.steps };

export interface Spread {
  /** An observation of the client, by its network and by everybody. `thing`: hash of the account, object or path; 0 = not known. One known for it is no part of a crowd. */
  test(t: number, kind: number, hit: boolean, thing: number, isKnown?: boolean): void;
  /** A sign-in, by its account. */
  account(account: string, hash: number, succeeded: boolean): void;
}

export function createSpread(
  seed: number,
  scene: Scene,
  tables: Tables,
  { judging, attempts }: { readonly judging: Judging; readonly attempts: Attempts },
): Spread {
  const { client, user } = scene;
  const { rates, full, networks, accounts, failures } = tables;
  const ofNetwork = newParty(PeerClass.network, ACTOR_HALF_LIFE_MS);
  const ofAccount = newParty(PeerClass.account, ACTOR_HALF_LIFE_MS);
  const ofEveryone = newParty(PeerClass.everyone, EVERYONE_HALF_LIFE_MS);

  function network(t: number, kind: number, hit: boolean, thing: number): FullActor | null {
    if (!hit && networks.size() === 0) {
      rates.add(PeerClass.network, t, kind, false, client.weight);
      return null;
    }
    const place = networks.find(client.key);
    if (place >= 0) {
      const actor = full.at(place);
      observeNetwork(actor, t, kind, hit, thing);
      return actor;
    }
    rates.add(PeerClass.network, t, kind, hit, client.weight);
    if (!hit) return null;
    const key = networkOf(client.key);
    if (key === '' || !failures.isSecondInNetwork(hash32(key, seed), client.hash, scene.nowS)) return null;
    networks.set(key, full.add('network', key, scene.nowMs, scene.nowMs));
    return null; // what made it an actor is no evidence against it
  }

  function observeNetwork(actor: FullActor, t: number, kind: number, hit: boolean, thing: number): void {
    const { event } = scene;
    const set = SETS[t] ?? Sets.objects;
    const happened = hit && (thing === 0 || !filterHas(actor.sets, set, thing));
    ofNetwork.weight = client.weight;
    ofNetwork.habit = habitOfRequest(scene, t);
    judging.observe(actor, ofNetwork, t, kind, happened);
    actor.requests += event.sampleWeight;
    if (t === Test.newAccount) {
      attempts.add(actor, event.login!.account, thing);
      if (event.login!.succeeded) attempts.signedIn(actor);
    } else if (happened && thing !== 0) filterAdd(actor.sets, set, thing);
    if (happened) judging.judge(actor, PeerClass.network, t, kind);
  }

  /** What a client, user or network with evidence of its own explains is not spread over everybody. */
  function everyone(t: number, kind: number, hit: boolean, ofIts: FullActor | null, thing: number): void {
    if (ofIts !== null && isExplained(ofIts, t)) return;
    if (client.place >= 0 && isExplained(full.at(client.place), t)) return;
    if (user.place >= 0 && isExplained(full.at(user.place), t)) return;
    if (tables.everyonePlaces[t]! < 0) tables.everyonePlaces[t] = full.add('everyone', '', scene.nowMs, scene.nowMs);
    const actor = full.at(tables.everyonePlaces[t]!);
    // whoever took part before has no part in what comes
    if (observedOf(actor.cells, t) === 0) actor.forgetWho();
    ofEveryone.habit = habitOfRequest(scene, t);
    judging.observe(actor, ofEveryone, t, kind, hit);
    actor.requests += scene.event.sampleWeight;
    if (t === Test.newAccount) attempts.add(actor, scene.event.login!.account, thing);
    if (hit) judging.judge(actor, PeerClass.everyone, t, kind);
  }

  const isExplained = (actor: FullActor, t: number): boolean =>
    judging.isAlarmed(actor, t) || isAtLeast(actor.cells, t, 2 * SUSPECT_DECADES);

  return {
    test(t, kind, hit, thing, isKnown = false) {
      const ofIts = network(t, kind, hit, thing);
      if (isKnown) rates.learn(PeerClass.everyone, t, kind, hit, client.weight);
      else if (t === Test.newAccount || t === Test.foreign) everyone(t, kind, hit, ofIts, thing);
    },
    account(account, hash, succeeded) {
      const place = accounts.get(account) ?? -1;
      if (place < 0) {
        rates.add(PeerClass.account, Test.newAccount, 0, !succeeded, client.weight);
        if (succeeded || !failures.isSecondAtAccount(hash, client.hash, scene.nowS)) return;
        accounts.set(account, full.add('account', account, scene.nowMs, scene.nowMs));
        return; // what made it an actor is no evidence against it
      }
      const actor = full.at(place);
      const hit = !succeeded && !filterHas(actor.sets, Sets.accounts, client.hash);
      ofAccount.weight = client.weight;
      judging.observe(actor, ofAccount, Test.newAccount, 0, hit);
      actor.requests += scene.event.sampleWeight;
      filterAdd(actor.sets, Sets.accounts, client.hash);
      actor.attempts++;
      addAccount(actor, account);
      if (hit) judging.judge(actor, PeerClass.account, Test.newAccount, 0);
    },
  };
}
