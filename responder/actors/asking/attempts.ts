/** Attempts to sign in, as an actor kept in full has them: how many, at how many accounts, and one that was right after all. */
import { SIGNED_IN_AFTER_ATTEMPTS, stageIndex } from '../../kill-chain.ts';
import { filterAdd } from '../bits.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { PeerClass, Test } from '../evidence/tests.ts';
import { mark, noteEvent } from '../judging/noting.ts';
import type { Telling } from '../judging/telling.ts';
import { addAccount } from '../kept/adding.ts';
import { hasAlarm } from '../kept/alarms.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { Sets } from '../kept/full-row.ts';
import { addPoints, Points } from '../kept/risk.ts';
import { SIGNED_IN } from '../kept/stage-marks.ts';
import type { Scene } from '../scene/scene.ts';

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
      addAccount(actor, account);
    },
    signedIn(actor) {
      const t = [Test.newAccount, Test.failedLogin].find((one) => hasAlarm(actor, one));
      if (t === undefined) return;
      const { nowMs } = scene;
      noteEvent(scene, actor);
      if (!mark(actor, SIGNED_IN, SIGNED_IN_AFTER_ATTEMPTS, nowMs, 0)) return;
      const stage = stageIndex(SIGNED_IN_AFTER_ATTEMPTS.stage);
      addPoints(actor, Points.hardFinding, stage, 'signed in after trying many accounts', nowMs, config);
      telling.alarm(actor, actor.kind === 'network' ? PeerClass.network : client.peers, t, 0);
    },
  };
}
