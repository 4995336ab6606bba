/** The console role: analysts' and operators' HTTP API. JSON in and out, errors as problem+json, a token on every request. */
import { isIP } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import type { HttpAddress } from '../runtime/http/server.ts';
import { listenError } from '../runtime/lifecycle/listen-error.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { ConsoleConfig } from '../schemas/config/console.ts';
import { createDeadLetterDesk } from './dead-letters.ts';
import { createDecisionDesk } from './decisions.ts';
import { createEditDesk } from './edits.ts';
import { createGuard } from './guard.ts';
import { createIncidentDesk } from './incidents.ts';
import { createPreviewer, type JudgeAgain } from './preview.ts';
import { PROBLEM_TYPE, ProblemError, problemOf } from './problem.ts';
import { addAlertRoutes } from './routes/alerts.ts';
import { addBaselineRoutes } from './routes/baseline.ts';
import { addDecisionRoutes } from './routes/decisions.ts';
import { addEditRoutes } from './routes/edits.ts';
import { addIncidentRoutes } from './routes/incidents.ts';
import type { ConsoleStore } from './store.ts';
import { type ConsoleAccess, removeAccess, tokenFor, writeAccess } from './token.ts';

export interface ConsoleDeps {
  readonly store: ConsoleStore;
  readonly log: Pick<Log, 'produce'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly newId: () => string;
  /** Without it, previews tell what stored verdicts tell. */
  readonly judgeAgain?: JudgeAgain;
  /** A user as decisions name it. */
  readonly redactUser?: (user: string) => string | null;
}

export interface ConsoleStatus {
  readonly url: string;
}

export interface Console extends Service<HttpAddress> {
  /** Tests use `inject`. */
  readonly app: FastifyInstance;
  /** What every request must carry. */
  readonly token: string;
  status(): Promise<ConsoleStatus>;
  /** Resolves after stop(). */
  readonly ended: Promise<void>;
}

/** An import may take its time to arrive. */
const REQUEST_TIMEOUT_MS = 300_000;
const MOST_BODY = 1 << 20;

/** Throws CONFIG_INVALID when it would be open to other machines without a token. */
export function createConsole(config: ConsoleConfig, deps: ConsoleDeps): Console {
  const { store, log, logger, metrics, now, newId } = deps;
  const token = tokenFor(config);
  const guard = createGuard({ token, host: config.host, hosts: config.hosts });
  const requests = metrics.counter('console_requests_total', 'Requests to the console, by route and status');
  const app = Fastify({
    logger: false,
    bodyLimit: MOST_BODY,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 256 },
  });
  app.removeContentTypeParser('text/plain');

  app.addHook('onRequest', async ({ url, method, headers }) => {
    if (url === '/healthz') return;
    guard({
      method,
      host: headers.host,
      origin: headers.origin,
      fetchSite: headers['sec-fetch-site'] as string | undefined,
      authorization: headers.authorization,
    });
  });
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    return payload;
  });
  app.addHook('onResponse', async (request, reply) => {
    requests.add(1, { route: request.routeOptions.url ?? 'unknown', status: reply.statusCode });
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(problemOf(404, `there is no ${request.method} ${request.url.split('?')[0]}`)),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const problem = problemFor(error);
    // the caller sees no internals; the log has them
    if (problem.status >= 500)
      logger.error({ err: error, route: request.routeOptions.url }, 'a console request failed');
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
    reply.code(problem.status).type(PROBLEM_TYPE).send(problem);
  });

  const previewer = createPreviewer({
    store,
    most: config.previewRequests,
    logger,
    now,
    ...(deps.judgeAgain !== undefined && { judgeAgain: deps.judgeAgain }),
  });
  const edits = createEditDesk({ store, previewer, now, newId: () => `edit-${newId().slice(0, 8)}` });
  app.get('/healthz', async () => ({ status: 'alive' }));
  addEditRoutes(app, edits);
  addIncidentRoutes(app, createIncidentDesk({ store, edits, log, now }));
  addAlertRoutes(app, createDeadLetterDesk({ store, log, now }));
  addDecisionRoutes(
    app,
    createDecisionDesk({ store, log, now, ...(deps.redactUser && { redactUser: deps.redactUser }) }),
  );
  addBaselineRoutes(app, { store, now, newId });

  let access: ConsoleAccess | undefined;
  let stopped: Promise<void> | undefined;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();

  return {
    name: 'console',
    app,
    token,
    ended,
    async start() {
      try {
        await app.listen({ host: config.host, port: config.port });
      } catch (error) {
        await app.close();
        throw listenError(error, { what: 'console', host: config.host, port: config.port, setting: 'console.port' });
      }
      const bound = app.server.address();
      if (bound === null || typeof bound === 'string') throw new TypeError('an HTTP server listens on a port');
      const host = reachable(bound.address);
      const address = { host: bound.address, port: bound.port, url: `http://${host}:${bound.port}` };
      access = { url: address.url, token };
      try {
        await writeAccess(config.directory, access);
      } catch (error) {
        // whoever set the token knows it; a random one that nobody can read is of no use
        if (config.token === '') {
          await app.close();
          throw new SpanwardenError('CONFIG_INVALID', `console.directory ${config.directory} cannot be written`, {
            cause: error,
          });
        }
        logger.warn({ err: error, directory: config.directory }, 'address of the console could not be written');
      }
      logger.info({ url: address.url, host: bound.address, directory: config.directory }, 'console listens');
      return address;
    },
    stop(deadlineMs) {
      stopped ??= (async () => {
        const cut = setTimeout(() => app.server.closeAllConnections(), deadlineMs);
        try {
          await app.close();
        } finally {
          clearTimeout(cut);
        }
        if (access !== undefined) await removeAccess(config.directory, access);
        end();
      })();
      return stopped;
    },
    status: async () => ({ url: access?.url ?? '' }),
  };
}

/** Bound to every address, it is reached by loopback; nobody can connect to a wildcard everywhere. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return isIP(address) === 6 ? `[${address}]` : address;
}

function problemFor(error: Error & { statusCode?: number }) {
  if (error instanceof ProblemError) return problemOf(error.status, error.message, error.errors);
  if (error instanceof SpanwardenError) {
    if (isRetryable(error)) return problemOf(503, `try again: ${error.message}`);
    const theirs =
      error.code === 'BASELINE_DAMAGED' || error.code === 'BASELINE_SCHEMA' || error.code === 'INPUT_UNREADABLE';
    return theirs ? problemOf(400, error.message) : problemOf(500, 'internal error');
  }
  const status = error.statusCode ?? 500;
  return problemOf(status, status >= 500 ? 'internal error' : error.message);
}
