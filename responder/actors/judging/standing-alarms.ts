/**
 * Alarms that stand: of whoever never came again it is told too that they are over, once a minute of the log; and of whoever has to give
 * way to others at once.
 */

import type { ActorsCoreConfig } from '../config.ts';
import { alarmOf, alarmsOf, hasAlarm } from '../kept/alarms.ts';
import type { FullActor } from '../kept/full-actor.ts';
import type { Scene } from '../scene/scene.ts';
import type { Tables } from '../scene/tables.ts';
import type { Telling } from './telling.ts';

/** An alarm, by where its actor is, and since when. */
export interface Standing {
  readonly place: number;
  readonly key: string;
  readonly test: number;
  readonly startMs: number;
}

export interface StandingAlarms {
  /** Of those that were quiet for long it is told that they are over. */
  sweep(): void;
  state(): StandingState;
  restore(state: StandingState): void;
}

export interface StandingState {
  readonly alarms: readonly Standing[];
  readonly sweptMs: number;
}

const SWEEP_MS = 60_000;

export function createStandingAlarms(
  config: ActorsCoreConfig,
  scene: Scene,
  tables: Tables,
  telling: Telling,
): StandingAlarms {
  const { full } = tables;
  let alarms: Standing[] = [];
  let sweptMs = 0;

  tables.raised = (actor, place, test) => {
    alarms.push({ place, key: actor.key, test, startMs: scene.nowMs });
  };
  tables.givenUp = (actor) => {
    for (const { test } of alarmsOf(actor)) telling.end(actor, test);
  };

  /** False when it is over, or another stands in its place. */
  function stands({ place, key, test, startMs }: Standing): boolean {
    const seen: Readonly<FullActor> | undefined = full.peek(place);
    if (seen?.key !== key || !hasAlarm(seen, test)) return false;
    const alarm = alarmOf(seen, test)!;
    if (alarm.startMs !== startMs) return false;
    if (scene.nowMs - alarm.lastMs <= config.quietMs) return true;
    telling.end(full.at(place), test);
    return false;
  }

  return {
    sweep() {
      if (alarms.length === 0 || scene.nowMs - sweptMs < SWEEP_MS) return;
      sweptMs = scene.nowMs;
      alarms = alarms.filter(stands);
    },
    state: () => ({ alarms: [...alarms], sweptMs }),
    restore(state) {
      alarms = [...state.alarms];
      sweptMs = state.sweptMs;
    },
  };
}
