/** What an attempt to sign in is asked: of its client, of many clients together, and of the account. */

import { filterHas } from '../bits.ts';
import { PeerClass, Test } from '../evidence/tests.ts';
import { hash32 } from '../hash.ts';
import type { Judging } from '../judging/judging.ts';
import { Sets } from '../kept/full-row.ts';
import { keyOf } from '../scene/keys.ts';
import type { Scene } from '../scene/scene.ts';
import { isEstablished, usersBehind } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import type { Attempts } from './attempts.ts';
import type { Spread } from './spread.ts';

/** Users behind an address from which on it is many people's. */
const MANY_USERS = 10;

/** `said`: the account, as far as the request says; '' = it does not. */
export type SignInTests = (said: string, succeeded: boolean) => void;

export function createSignInTests(
  seed: number,
  scene: Scene,
  { full, everybody }: Tables,
  { judging, spread, attempts }: { readonly judging: Judging; readonly spread: Spread; readonly attempts: Attempts },
): SignInTests {
  const { client } = scene;

  function ask(said: string, succeeded: boolean): void {
    const account = keyOf(said);
    const hash = account === '' ? 0 : hash32(account, seed);
    const isKnown = isEstablished(client) && usersBehind(client) > 0;
    if (isKnown) everybody.signIn(client.hash, succeeded, scene.nowMs);
    if (!succeeded && everybody.isDown(scene.nowMs)) return;
    if (account !== '') {
      const fresh = client.place < 0 || !filterHas(full.at(client.place).sets, Sets.accounts, hash);
      judging.test(client, Test.newAccount, 0, !succeeded && fresh);
      spread.test(Test.newAccount, 0, !succeeded && fresh, hash, isKnown);
      spread.account(account, hash, succeeded);
    }
    // behind an address of many somebody always tries again and again: their accounts tell more
    if (client.block.usersPeak[client.h]! < MANY_USERS && usersBehind(client) < MANY_USERS)
      judging.test(client, Test.failedLogin, 0, !succeeded);
    if (client.place < 0) return;
    const actor = full.at(client.place);
    attempts.add(actor, account, hash);
    if (succeeded) attempts.signedIn(actor);
  }

  return (said, succeeded) => {
    // who tries to sign in is measured by those who do: a class of people who never did knows no rate of it
    const { peers } = client;
    client.peers = PeerClass.client;
    ask(said, succeeded);
    client.peers = peers;
  };
}
