/** `/api/v1/decisions`: what is decided about actors, and undoing it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { DecisionDesk } from '../decisions.ts';
import { given, who } from './given.ts';

const listing = z.strictObject({
  state: z.enum(['simulated', 'enforced', 'refused', 'undone', 'expired']).exactOptional(),
  about: z.string().min(1).max(256).exactOptional(),
  sinceMs: z.coerce.number().int().min(0).exactOptional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
});

const undoing = z.strictObject({
  about: z.string().trim().min(1).max(256),
  by: who,
  comment: z.string().max(4_096).default(''),
  dryRun: z.boolean().default(false),
});

export function addDecisionRoutes(app: FastifyInstance, desk: DecisionDesk): void {
  app.get('/api/v1/decisions', async (request) => {
    const { state, about, sinceMs, limit } = given(listing, request.query);
    const decisions = await desk.list({
      limit,
      ...(state !== undefined && { states: [state] }),
      ...(about !== undefined && { about }),
      ...(sinceMs !== undefined && { sinceMs }),
    });
    return { decisions };
  });
  app.post('/api/v1/decisions/undo', async (request, reply) => {
    const { about, by, comment, dryRun } = given(undoing, request.body);
    const done = await desk.undo(about, by, comment, dryRun);
    reply.code(202); // the responder takes it from the log
    return done;
  });
}
