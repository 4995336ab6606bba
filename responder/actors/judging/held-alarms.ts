/**
 * Alarms that wait: who has a history is not accused of what may turn out to happen to everybody, and is told of when it did not. Bounded.
 */
import { restart, sinceMsOf } from '../evidence/evidence.ts';
import { Test } from '../evidence/tests.ts';
import { hash32 } from '../hash.ts';
import type { FullActor } from '../kept/full-actor.ts';
import { clearSubjects, type Scene } from '../scene/scene.ts';
import { isEstablished, type Subjects } from '../scene/subjects.ts';
import type { Tables } from '../scene/tables.ts';

/** An alarm that waits. */
export interface Held {
  readonly place: number;
  readonly kind: 'client' | 'user';
  readonly key: string;
  readonly test: number;
  readonly objectKind: number;
  readonly peers: number;
  readonly dueMs: number;
}

/** Tests of what may happen to everybody, and for how long their alarms wait. */
const HOLD_MS: Readonly<Partial<Record<number, number>>> = {
  [Test.missing]: 120_000,
  [Test.scan]: 120_000,
  [Test.newAccount]: 120_000,
  [Test.failedLogin]: 120_000,
};
const MOST_HELD = 4_096;

export interface HeldAlarms {
  /** Whether an alarm that is due has to wait, or is none; its weak signal stands meanwhile. */
  holds(actor: FullActor, peers: number, t: number, objectKind: number): boolean;
  /** Alarms that waited long enough are judged again, unless it happened to everybody. */
  release(judge: (actor: FullActor, peers: number, t: number, objectKind: number) => void): void;
  state(): readonly Held[];
  restore(state: readonly Held[]): void;
}

export function createHeldAlarms(seed: number, scene: Scene, tables: Tables, subjects: Subjects): HeldAlarms {
  const { client, user, counts } = scene;
  const { everybody, full } = tables;
  let waiting: Held[] = [];
  let releasing = false;

  /** Whether it happens to those with a history too; then what was held against this one is forgotten. */
  function isOfAll(actor: FullActor, t: number, hash: number): boolean {
    const since = Math.floor(sinceMsOf(actor.cells, t) / 1000);
    const all =
      t === Test.newAccount || t === Test.failedLogin
        ? everybody.isDown(scene.nowMs)
        : everybody.isCommon(hash, since, scene.nowS);
    if (all) {
      restart(actor.cells, t);
      counts.spared++;
    }
    return all;
  }

  return {
    holds(actor, peers, t, objectKind) {
      const holdMs = HOLD_MS[t];
      const { kind, key } = actor;
      if (releasing || holdMs === undefined) return false;
      if (kind === 'network' && (t === Test.missing || t === Test.scan)) return isOfAll(actor, t, hash32(key, seed));
      if (kind !== 'client' && kind !== 'user') return false;
      const s = kind === 'client' ? client : user;
      if (isOfAll(actor, t, s.hash)) return true;
      if (!isEstablished(s) || waiting.length >= MOST_HELD) return false;
      if (!waiting.some((one) => one.place === s.place && one.key === key && one.test === t))
        waiting.push({ place: s.place, kind, key, test: t, objectKind, peers, dueMs: scene.nowMs + holdMs });
      return true;
    },
    release(judge) {
      if (waiting.length === 0) return;
      const { nowMs } = scene;
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs);
      if (due.length === 0) return;
      waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
      releasing = true;
      for (const { kind, key, test: t, objectKind, peers } of due) {
        clearSubjects(scene);
        const s = kind === 'client' ? client : user;
        subjects.enter(s, key);
        if (s.place < 0) continue; // given up meanwhile
        s.peers = peers;
        const actor = full.at(s.place);
        if (!isOfAll(actor, t, s.hash)) judge(actor, peers, t, objectKind);
      }
      releasing = false;
    },
    state: () => [...waiting],
    restore(state) {
      waiting = [...state];
    },
  };
}
