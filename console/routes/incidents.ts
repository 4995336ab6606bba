/** `/api/v1/incidents`: list, get, and an operator's word. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { INCIDENT_ACTIONS } from '../../schemas/log/incident-action.ts';
import type { IncidentDesk } from '../incidents.ts';
import { given, who } from './given.ts';

const listing = z.strictObject({
  state: z.enum(['open', 'closed', 'expected', 'merged']).exactOptional(),
  class: z.enum(['security', 'operational', 'telemetry', 'inventory']).exactOptional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
});

const acting = z.strictObject({
  action: z.enum(INCIDENT_ACTIONS),
  by: who,
  comment: z.string().max(4_096).default(''),
  owner: z.string().max(256).default(''),
  expiresMs: z.number().int().min(0).nullable().default(null),
  dryRun: z.boolean().default(false),
  preview: z.boolean().default(true),
});

export function addIncidentRoutes(app: FastifyInstance, desk: IncidentDesk): void {
  app.get('/api/v1/incidents', async (request) => {
    const { state, class: incidentClass, limit } = given(listing, request.query);
    const incidents = await desk.list({
      limit,
      ...(state !== undefined && { state }),
      ...(incidentClass !== undefined && { class: incidentClass }),
    });
    return { incidents };
  });
  app.get<{ Params: { id: string } }>('/api/v1/incidents/:id', async ({ params }) => desk.find(params.id));
  app.post<{ Params: { id: string } }>('/api/v1/incidents/:id/actions', async (request, reply) => {
    const done = await desk.act(request.params.id, given(acting, request.body));
    reply.code(202); // the responder takes it from the log
    return done;
  });
}
