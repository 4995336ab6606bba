/**
 * Ten ordinary days, one with sign-ins that fail for everybody for half an hour and one with parts of pages that are lost, then a day
 * and a half with attacks and one more outage: what was told, of whom, and after how many requests.
 */

import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { type Attack, attacksOf } from './attacks.ts';
import { pop, push } from './heap.ts';
import {
  act,
  createWorld,
  DAY_MS,
  HOUR_MS,
  isOrdinary,
  type Kind,
  newEvent,
  type Session,
  START_MS,
  sessionsOf,
} from './people.ts';

export interface FalseAlarm {
  readonly day: number;
  readonly subject: string;
  readonly abuse: string;
  readonly who: Kind | 'nobody';
  readonly seen: string;
}

export interface Simulation {
  readonly seed: number;
  readonly clients: number;
  readonly ordinaryEvents: number;
  readonly days: number;
  /** Alarms in the days without attacks, each counted once. */
  readonly falseAlarms: readonly FalseAlarm[];
  /** Of ordinary people, their addresses and networks, while there are attacks. */
  readonly accusedAmongAttacks: readonly FalseAlarm[];
  /** Of the support staff or the address of many users, over all days. */
  readonly staffAlarms: number;
  readonly sharedAddressAlarms: number;
  readonly attacks: readonly Attack[];
  readonly fullActors: number;
  readonly evicted: number;
}

export interface Plan {
  readonly seed: number;
  readonly days: number;
  readonly seedsAnAttack: number;
  readonly budgetPerDay: number;
  readonly progress: (text: string) => void;
}

export const CLIENTS = 20_000;
export const ATTACK_DAYS = 1.6;
export const SHARED_ADDRESS = '198.51.100.77';
const STAFF_NETWORK = '192.0.2.';
const PATTERNS = ['GET /backoffice/*'];

export function simulate({ seed, days, seedsAnAttack, budgetPerDay, progress }: Plan): Simulation {
  const world = createWorld(seed, { clients: CLIENTS, support: 14, agents: 45, behindOne: 200 });
  const actors = createActors({ ...ACTORS_DEFAULTS, budgetPerDay, privilegedRoutes: PATTERNS }, 1_000 + seed);
  const staff = new Set(world.people.filter(({ kind }) => kind === 'support').map(({ user }) => user));
  const behind = new Set(world.people.filter(({ address }) => address === SHARED_ADDRESS).map(({ user }) => user));
  const endMs = START_MS + days * DAY_MS;
  world.scenes.push(
    { kind: 'sign-ins fail', fromMs: START_MS + DAY_MS + 14 * HOUR_MS, toMs: START_MS + DAY_MS + 14.5 * HOUR_MS },
    { kind: 'sign-ins fail', fromMs: endMs + 36 * HOUR_MS, toMs: endMs + 36.5 * HOUR_MS },
    {
      kind: 'parts of pages are lost',
      fromMs: START_MS + 2 * DAY_MS + 11 * HOUR_MS,
      toMs: START_MS + 2 * DAY_MS + 12 * HOUR_MS,
    },
  );
  const heap: (Session | Attack)[] = [];
  const event = newEvent();
  const falseAlarms: FalseAlarm[] = [];
  const accusedAmongAttacks: FalseAlarm[] = [];
  let attacks: Attack[] = [];
  let events = 0;
  let ordinaryEvents = 0;
  let staffAlarms = 0;
  let sharedAddressAlarms = 0;

  function told(record: ActorRecord, atMs: number, who: Kind | null): void {
    if (record.abuse === '' || record.revision > 1) {
      find(record);
      return;
    }
    const { kind, key } = record.subject;
    if ((kind === 'user' && staff.has(key)) || key.startsWith(STAFF_NETWORK)) staffAlarms++;
    if (key === SHARED_ADDRESS || (kind === 'user' && behind.has(key))) sharedAddressAlarms++;
    const alarm = {
      day: Math.floor((atMs - START_MS) / DAY_MS) + 1,
      subject: `${kind} ${key}`.trim(),
      abuse: record.abuse,
      who: who ?? 'nobody',
      seen: record.seen,
    } as const;
    if (atMs < endMs) falseAlarms.push(alarm);
    else if (kind !== 'account' && isOrdinary(key)) accusedAmongAttacks.push(alarm);
    find(record);
  }

  function find(record: ActorRecord): void {
    if (record.abuse === '') return;
    for (const attack of attacks) {
      if (attack.found > 0 || attack.requests === 0 || !attack.isIt(record)) continue;
      attack.found = attack.requests;
      attack.by = record;
    }
  }

  for (let hourMs = START_MS; hourMs < endMs + (seedsAnAttack === 0 ? 0 : ATTACK_DAYS * DAY_MS); hourMs += HOUR_MS) {
    if (hourMs === endMs && seedsAnAttack > 0) {
      ordinaryEvents = events;
      attacks = attacksOf(world, endMs, seedsAnAttack);
      for (const attack of attacks) push(heap, attack);
    }
    if (hourMs % DAY_MS === 0)
      progress(`seed ${seed}, day ${Math.floor((hourMs - START_MS) / DAY_MS) + 1}, ${events} requests`);
    for (const session of sessionsOf(world, hourMs)) push(heap, session);
    while (heap.length > 0 && heap[0]!.atMs < hourMs + HOUR_MS) {
      const next = pop(heap)!;
      let who: Kind | null = null;
      let more: boolean;
      if ('person' in next) {
        act(world, next, event);
        who = next.person.kind;
        more = next.left > 0;
      } else {
        more = next.step(event);
        next.requests++;
      }
      if (more) push(heap, next);
      events++;
      for (const record of actors.take(event, event.atMs)) told(record, event.atMs, who);
    }
  }
  const { full, fullEvicted } = actors.status();
  return {
    seed,
    clients: world.people.length,
    ordinaryEvents: ordinaryEvents || events,
    days,
    falseAlarms,
    accusedAmongAttacks,
    staffAlarms,
    sharedAddressAlarms,
    attacks,
    fullActors: full,
    evicted: fullEvicted,
  };
}
