/** Attempts to sign in, as an actor kept in full has them: how many, at how many accounts, and one that was right after all. */
import { SIGNED_IN_AFTER_ATTEMPTS, stageIndex } from '../kill-chain.ts';
import { filterAdd } from './bits.ts';
import type { ActorsCoreConfig } from './config.ts';
import { addName, type FullActor, Sets } from './full-actor.ts';
import { mark, noteEvent } from './noting.ts';
import { addPoints, Points } from './risk.ts';
import type { Scene } from './scene.ts';
import type { Telling } from './telling.ts';
import { PeerClass, Test } from './tests.ts';

export interface Attempts {
  /** '' when the request did not say which account. */
  add(actor: FullActor, account: string, hash: number): void;
  /** One of many tries was right. */
  signedIn(actor: FullActor): void;
}

export function createAttempts(config: ActorsCoreConfig, scene: Scene, telling: Telling): Attempts {
  const { client } = scene;
  return {
    add(actor, account, hash) {
      actor.attempts++;
      if (account === '' || !filterAdd(actor.sets, Sets.accounts, hash)) return;
      actor.accountCount++;
      addName(actor.accounts, account);
    },
    signedIn(actor) {
      const { alarms } = actor;
      if (alarms[Test.newAccount] == null && alarms[Test.failedLogin] == null) return;
      const { nowMs } = scene;
      noteEvent(scene, actor);
      if (!mark(actor, 'signed-in', SIGNED_IN_AFTER_ATTEMPTS, nowMs, 0)) return;
      const stage = stageIndex(SIGNED_IN_AFTER_ATTEMPTS.stage);
      addPoints(actor, Points.hardFinding, stage, 'signed in after trying many accounts', nowMs, config);
      const t = alarms[Test.newAccount] != null ? Test.newAccount : Test.failedLogin;
      telling.alarm(actor, actor.kind === 'network' ? PeerClass.network : client.peers, t, 0);
    },
  };
}
