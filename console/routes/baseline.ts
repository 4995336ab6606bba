/** `/api/v1/baseline`: versions, export, and what operators ask of the trainer: roll-back, resume, import. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { VersionFacts } from '../../runtime/clickhouse/store.ts';
import { SpanwardenError } from '../../runtime/errors.ts';
import { checkManifest } from '../../schemas/baselines/manifest.ts';
import type { BaselineRequest, BaselineRequestKind } from '../../schemas/baselines/request.ts';
import { createVersionReader, type VersionEntry, writeVersion } from '../../schemas/baselines/version.ts';
import { ProblemError } from '../problem.ts';
import type { ConsoleStore } from '../store.ts';
import { given, who } from './given.ts';

/** A baseline as lines; some hundred bytes an entry. */
const MOST_IMPORT_BYTES = 256 << 20;
const MOST_LINE = 64 << 20;
const MOST_VERSIONS = 1_000;
export const LINES_TYPE = 'application/x-ndjson';

export interface BaselineRoutesDeps {
  readonly store: ConsoleStore;
  readonly now: () => number;
  readonly newId: () => string;
}

const comment = z.string().max(4_096).default('');
const asking = z.strictObject({ version: z.string().min(1).max(64), by: who, comment });
const resuming = z.strictObject({ by: who, comment, forget: z.boolean().default(false) });
const importing = z.strictObject({ by: who, comment, force: z.enum(['0', '1']).default('0') });
const listing = z.strictObject({ limit: z.coerce.number().int().min(1).max(1_000).default(50) });

export function addBaselineRoutes(app: FastifyInstance, { store, now, newId }: BaselineRoutesDeps): void {
  // a whole baseline comes line by line, never as one text
  app.addContentTypeParser(LINES_TYPE, (_request, payload, done) => done(null, payload));

  async function ask(
    kind: BaselineRequestKind,
    more: Partial<BaselineRequest> & Pick<BaselineRequest, 'by' | 'comment'>,
  ): Promise<{ request: BaselineRequest }> {
    const request = { version: '', manifest: '', force: false, forget: false, ...more, id: newId(), kind, atMs: now() };
    await store.requestBaseline(request);
    return { request };
  }

  async function versionOf(name: string): Promise<string> {
    const versions = await store.listVersions<VersionFacts>(MOST_VERSIONS);
    const current = currentOf(versions);
    if (name === 'current' && current !== undefined) return current.version;
    const found = versions.filter(({ version }) => version.startsWith(name));
    if (found.length === 1) return found[0]!.version;
    throw new ProblemError(
      404,
      found.length === 0 ? `no baseline version '${name}'` : `'${name}' is the start of several versions' ids`,
    );
  }

  app.get('/api/v1/baseline/versions', async (request) => {
    const { limit } = given(listing, request.query);
    const versions = await store.listVersions<VersionFacts>(limit);
    return { current: currentOf(versions)?.version ?? '', versions };
  });
  app.get<{ Params: { version: string } }>('/api/v1/baseline/versions/:version/export', async (request, reply) => {
    const version = await versionOf(request.params.version);
    const { entries } = await store.loadVersion(version);
    reply.type(LINES_TYPE).header('x-baseline-version', version);
    return Readable.from(writeVersion(entries));
  });
  app.post('/api/v1/baseline/rollback', async (request, reply) => {
    const { version, by, comment } = given(asking, request.body);
    const asked = await ask('roll-back', { version: await versionOf(version), by, comment });
    reply.code(202); // the trainer takes it from its rows
    return asked;
  });
  app.post('/api/v1/baseline/resume', async (request, reply) => {
    const asked = await ask('resume', given(resuming, request.body));
    reply.code(202);
    return asked;
  });
  app.get('/api/v1/baseline/requests', async (request) => {
    const { limit } = given(listing, request.query);
    const requests = await store.baselineRequests({ limit });
    return { requests: requests.map(({ manifest: _manifest, ...rest }) => rest) };
  });
  app.post('/api/v1/baseline/import', { bodyLimit: MOST_IMPORT_BYTES }, async (request, reply) => {
    const { by, comment, force } = given(importing, request.query);
    if (!(request.body instanceof Readable)) throw new ProblemError(415, `a baseline comes as ${LINES_TYPE}`);
    const entries = await readLines(request.body);
    const { version } = checkManifest(entries);
    const manifest = entries.find(({ group }) => group === 'manifest')!.value;
    const stored = await store.listVersions(MOST_VERSIONS);
    if (stored.some((one) => one.version === version))
      throw new ProblemError(409, `version ${version} is stored already: roll back to it`);
    await store.insertImported(version, entries);
    const asked = await ask('import', { version, manifest, force: force === '1', by, comment });
    reply.code(202);
    return { request: { ...asked.request, manifest: '' }, entries: entries.length };
  });
}

/** The newest that judges. */
const currentOf = (versions: readonly VersionFacts[]): VersionFacts | undefined =>
  versions.find(({ alerting }) => alerting);

function textOf(decode: () => string): string {
  try {
    return decode();
  } catch (error) {
    throw new SpanwardenError('BASELINE_DAMAGED', 'the baseline is damaged: it is no UTF-8', { cause: error });
  }
}

async function readLines(body: Readable): Promise<VersionEntry[]> {
  const reader = createVersionReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_IMPORT_BYTES) throw new ProblemError(413, `a baseline has at most ${MOST_IMPORT_BYTES} bytes`);
    const lines = (rest + textOf(() => decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop()!;
    if (rest.length > MOST_LINE) throw new ProblemError(413, 'a line of the baseline is too long');
    for (const line of lines) reader.line(line);
  }
  rest += textOf(() => decoder.decode());
  if (rest !== '') reader.line(rest);
  return reader.finish();
}
