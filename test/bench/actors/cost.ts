/** What actors cost: CPU time a segment, and memory of quiet and of full ones. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
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
  readonly microseconds: Spread;
  /** Runs, by what they held. */
  readonly quiet: readonly Quiet[];
  /** With everything at its most, and as ordinary days leave them. */
  readonly full: Full;
  readonly usual: Full;
}

const ROUND = 20_000;
const QUIET_RUNS = 5;

export function measureCost(samples: number): Cost {
  return {
    microseconds: microseconds(samples),
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

/** Events of ordinary days, made before the clock runs; warm after the first hours. */
function microseconds(samples: number): Spread {
  const world = createWorld(77, { clients: 20_000, support: 14, agents: 45, behindOne: 200 });
  const actors = createActors({ ...ACTORS_DEFAULTS, learnMs: 6 * HOUR_MS }, 3);
  const heap: Session[] = [];
  const event = newEvent();
  const found: number[] = [];
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
      const before = process.cpuUsage();
      for (let i = 0; i < waiting.length; i++) actors.take(waiting[i]!, waiting[i]!.atMs);
      const { user, system } = process.cpuUsage(before);
      found.push((user + system) / waiting.length);
      waiting = [];
    }
  }
  return spread(found.slice(warmUp));
}
