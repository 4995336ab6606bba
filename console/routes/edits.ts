/** `/api/v1/edits`: list, get, create, revise, retire, preview. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { StoredEdit } from '../../runtime/clickhouse/store.ts';
import type { EditDesk } from '../edits.ts';
import { given, who } from './given.ts';

const textJson = (text: string): unknown => {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
};

const shown = ({ document, summary, incidentId, preview }: StoredEdit) => ({
  document,
  summary,
  incidentId,
  preview: textJson(preview),
});

const editId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');

const writing = z.strictObject({
  edit: z.record(z.string(), z.unknown()),
  by: who,
  incidentId: z.string().max(64).default(''),
  /** False: written at once, without looking what it would have changed. */
  preview: z.boolean().default(true),
  /** A name of its own; else one is made. */
  id: editId.exactOptional(),
});
const revising = z.strictObject({
  edit: z.record(z.string(), z.unknown()),
  by: who,
  supersedes: z.number().int().min(1),
  preview: z.boolean().default(true),
});
const retiring = z.strictObject({
  by: who,
  comment: z.string().max(4_096).default(''),
  dryRun: z.boolean().default(false),
  preview: z.boolean().default(true),
});
const previewing = z.strictObject({ edit: z.record(z.string(), z.unknown()), id: editId.exactOptional() });

export function addEditRoutes(app: FastifyInstance, desk: EditDesk): void {
  app.get('/api/v1/edits', async (request) => {
    const { all } = given(z.strictObject({ all: z.enum(['0', '1']).default('0') }), request.query);
    const edits = await desk.list();
    return { edits: edits.filter(({ document }) => all === '1' || document.state !== 'retired').map(shown) };
  });
  app.get<{ Params: { id: string } }>('/api/v1/edits/:id', async ({ params }) => {
    const revisions = (await desk.history(params.id)).map(shown);
    return { ...revisions[0]!, revisions };
  });
  app.post('/api/v1/edits', async (request, reply) => {
    const { edit, by, incidentId, preview, id } = given(writing, request.body);
    const written = await desk.write(edit, by, { incidentId, preview, ...(id !== undefined && { id }) });
    reply.code(201).header('location', `/api/v1/edits/${written.document.id}`);
    return written;
  });
  app.put<{ Params: { id: string } }>('/api/v1/edits/:id', async (request) => {
    const { edit, by, supersedes, preview } = given(revising, request.body);
    return desk.write(edit, by, { id: request.params.id, supersedes, preview });
  });
  app.post<{ Params: { id: string } }>('/api/v1/edits/:id/retire', async (request) => {
    const { by, comment, dryRun, preview } = given(retiring, request.body);
    return desk.retire(request.params.id, by, comment, { dryRun, preview });
  });
  app.post('/api/v1/edits/preview', async (request) => {
    const { edit, id } = given(previewing, request.body);
    // one that there is: its next revision; else one of this name
    const present = (await desk.list()).find(({ document }) => document.id === id);
    return desk.write(edit, '', {
      dryRun: true,
      ...(id !== undefined && { id }),
      ...(present !== undefined && { supersedes: present.document.revision }),
    });
  });
  app.get('/api/v1/baseline/draft', async (request) => {
    const { signature } = given(z.strictObject({ signature: z.string().min(1).max(2_048) }), request.query);
    return { edit: await desk.draft(signature) };
  });
  app.get('/api/v1/baseline/names', async () => (await desk.known()) ?? { version: '' });
}
