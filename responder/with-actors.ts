/** The responder with the owner of the actors beside it: started after it, stopped before it, and ended by the first that fails. */
import type { ActorsService } from './actor-events.ts';
import type { Responder } from './service.ts';

export function withActors(responder: Responder, actors: ActorsService): Responder {
  const ended = Promise.race([
    Promise.all([responder.ended, actors.ended]).then(() => {}),
    responder.ended.then(() => new Promise<never>(() => {})),
    actors.ended.then(() => new Promise<never>(() => {})),
  ]);
  ended.catch(() => {}); // whoever waits for it hears of it
  return {
    ...responder,
    ended,
    async start() {
      await responder.start();
      try {
        await actors.start();
      } catch (error) {
        await responder.stop(1_000);
        throw error;
      }
    },
    async stop(deadlineMs) {
      await actors.stop(deadlineMs / 2);
      await responder.stop(deadlineMs / 2);
    },
    status: () => responder.status(),
  };
}
