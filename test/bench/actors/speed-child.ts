/** CPU time of actors by event, and of reading the event from its record before. Prints one JSON line. */
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { decodeActorEvents, encodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import { MIN_SAMPLES, spread } from '../bench.ts';
import type { Speed } from './cost.ts';
import { pop, push } from './heap.ts';
import { act, createWorld, HOUR_MS, newEvent, type Session, START_MS, sessionsOf } from './people.ts';

const ROUND = 20_000;
/** Events of a record under load (detector/service.ts: 512 KB at most). */
const RECORD = 500;
const NOWHERE = { partition: 0, position: 0, step: 0 };

/**
 * Events of ordinary days, read from records as they arrive: an event that the bench made itself has other strings, in other places, than
 * one that was decoded a moment ago. Warm after the first hours.
 */
function speed(samples: number): Speed {
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

process.stdout.write(`${JSON.stringify(speed(Number(process.argv[2])))}\n`);
