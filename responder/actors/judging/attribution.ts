/** Whether the client of an event is somebody's own: what the watch for our own misconfiguration asks, and what it found. */
import { ENTRY_MISSING } from '../../../schemas/log/verdict.ts';
import type { ActorsCoreConfig } from '../config.ts';
import { hashInto } from '../hash.ts';
import { alarmsOf } from '../kept/alarms.ts';
import { indexIn } from '../kept/quiet-tier.ts';
import type { NobodysRange } from '../learned/addresses.ts';
import type { Ask } from '../learned/notice.ts';
import { type Scene, tell } from '../scene/scene.ts';
import { Flag, isEstablished, usersOfRow } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';
import { noticeRecord } from './words.ts';

export interface Attribution {
  /** A request, whoever made it: a notice is told when our configuration names the wrong clients. */
  request(): void;
  /** The client is named, but not by who it is: nobody is blamed. */
  isMisattributed(): boolean;
}

const rangeOfFlags = (flags: number): NobodysRange =>
  (flags & Flag.private) !== 0 ? 'private' : (flags & Flag.cdn) !== 0 ? 'CDN' : '';

export function createAttribution(config: ActorsCoreConfig, seed: number, scene: Scene, tables: Tables): Attribution {
  const { client, user } = scene;
  const { clients, full } = tables;
  const lanes = new Uint32Array(2);

  function rowOf(key: string): number {
    hashInto(key, seed, lanes);
    return clients.find(lanes[0]!, lanes[1]!);
  }

  const ask: Ask = {
    users(key) {
      const row = rowOf(key);
      return row < 0 ? 0 : usersOfRow(clients.block(row), indexIn(row));
    },
    isAccused(key) {
      const row = rowOf(key);
      const place = row < 0 ? -1 : clients.block(row).full[indexIn(row)]! - 1;
      return place >= 0 && alarmsOf(full.peek(place)).some(({ lastMs }) => scene.nowMs - lastMs <= config.quietMs);
    },
    get isLearning() {
      return scene.learning;
    },
    get usersNamed() {
      return tables.usersNamed.isNamed(scene.event.service);
    },
  };

  return {
    request() {
      if (scene.event.client.reason === ENTRY_MISSING) return; // a part of a request: who made it, its entry says
      const notice = tables.notices.request(
        client.present ? client.key : null,
        client.present ? rangeOfFlags(client.block.flags[client.b]!) : '',
        scene.nowMs,
        user.present && isEstablished(user) ? user.hash : 0,
        ask,
      );
      if (notice !== null) tell(scene, noticeRecord(notice));
    },
    isMisattributed: () =>
      client.present && tables.notices.isMisattributed(client.key, rangeOfFlags(client.block.flags[client.b]!)),
  };
}
