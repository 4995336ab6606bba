/** `/api/v1/alerts`: what was given up, and sending it once more. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { DeadLetterDesk } from '../dead-letters.ts';
import { given, who } from './given.ts';

const which = {
  id: z
    .string()
    .regex(/^[\w-]{1,128}$/)
    .exactOptional(),
  destination: z.string().min(1).max(63).exactOptional(),
  sinceMs: z.coerce.number().int().min(0).exactOptional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(1_000),
};

const listing = z.strictObject(which);
const replaying = z
  .strictObject({ ...which, by: who, dryRun: z.boolean().default(false) })
  .refine(({ id, destination, sinceMs }) => id !== undefined || destination !== undefined || sinceMs !== undefined, {
    message: 'say which: id, destination or sinceMs',
  });

export function addAlertRoutes(app: FastifyInstance, desk: DeadLetterDesk): void {
  app.get('/api/v1/alerts/dead', async (request) => ({ deadLetters: await desk.list(given(listing, request.query)) }));
  app.post('/api/v1/alerts/replays', async (request, reply) => {
    const { by, dryRun, ...filter } = given(replaying, request.body);
    const replayed = await desk.replay(filter, by, dryRun);
    reply.code(202); // the responder takes it from the log
    return { replayed, dryRun };
  });
}
