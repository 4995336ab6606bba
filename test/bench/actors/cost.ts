/** What actors cost: CPU time a segment, and memory of quiet and of full ones. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { decodeActorEvents, encodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import { MIN_SAMPLES, type Spread, spread } from '../bench.ts';
import { pop, push } from './heap.ts';
import { act, createWorld, HOUR_MS, newEvent, type Session, START_MS, sessionsOf } from './people.ts';

export interface Quiet {
  readonly clients: number;
  readonly bytes: number;
  readonly fixed: number;
  readonly resident: number;
}

export interface Full {
  readonly full: number;
  readonly bytes: number;
}

export interface Cost {
  /** CPU time of an event that was read, and of reading it. */
  readonly microseconds: Spread;
  readonly reading: Spread;
  /** Runs, by what they held. */
  readonly quiet: readonly Quiet[];
  /** With everything at its most, and as ordinary days leave them. */
  readonly full: Full;
  readonly usual: Full;
}

const ROUND = 20_000;
/** Events of a record under load (detector/service.ts: 512 KB at most). */
const RECORD = 500;
const NOWHERE = { partition: 0, position: 0, step: 0 };
const QUIET_RUNS = 5;

export function measureCost(samples: number): Cost {
  return {
    ...microseconds(samples),
    quiet: Array.from({ length: QUIET_RUNS }, () => child<Quiet>('quiet', 1_000_000)).sort((a, b) => a.bytes - b.bytes),
    full: child('full', ACTORS_DEFAULTS.maxFull),
    usual: child('usual', 20_000),
  };
}

const child = <T>(what: string, count: number): T =>
  JSON.parse(
    execFileSync(
      process.execPath,
      ['--expose-gc', fileURLToPath(new URL('./memory-child.ts', import.meta.url)), what, `${count}`],
      { maxBuffer: 1e6, stdio: ['ignore', 'pipe', 'inherit'] },
    ).toString(),
  ) as T;

/**
 * Events of ordinary days, read from records as they arrive: an event that the bench made itself has other strings, in other places, than
 * one that was decoded a moment ago. Warm after the first hours.
 */
function microseconds(samples: number): Pick<Cost, 'microseconds' | 'reading'> {
  const world = createWorld(77, { clients: 20_000, support: 14, agents: 45, behindOne: 200 });
  const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: 6 * HOUR_MS }, 3);
  const heap: Session[] = [];
  const event = newEvent();
  const found: number[] = [];
  const read: number[] = [];
  const warmUp = 8;
  let waiting: ActorEvent[] = [];
  for (let hourMs = START_MS; found.length < Math.max(MIN_SAMPLES, samples) + warmUp; hourMs += HOUR_MS) {
    for (const session of sessionsOf(world, hourMs)) push(heap, session);
    while (heap.length > 0 && heap[0]!.atMs < hourMs + HOUR_MS) {
      const session = pop(heap)!;
      act(world, session, event);
      if (session.left > 0) push(heap, session);
      waiting.push({ ...event });
      if (waiting.length < ROUND) continue;
      let reading = 0;
      let taking = 0;
      for (let from = 0; from < ROUND; from += RECORD) {
        const record = encodeActorEvents(NOWHERE, waiting.slice(from, from + RECORD));
        let events: readonly ActorEvent[] = [];
        reading += cpuOf(() => {
          events = decodeActorEvents(record)!;
        });
        taking += cpuOf(() => {
          for (let i = 0; i < events.length; i++) actors.take(events[i]!, events[i]!.atMs);
        });
      }
      read.push(reading / ROUND);
      found.push(taking / ROUND);
      waiting = [];
    }
  }
  return { microseconds: spread(found.slice(warmUp)), reading: spread(read.slice(warmUp)) };
}

function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
