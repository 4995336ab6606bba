/** A role's HTTP server: `/metrics`, `/healthz`, `/readyz`, and whatever routes the role adds. Loopback by default. */
import Fastify, { type FastifyInstance } from 'fastify';
import { listenError } from '../lifecycle/listen-error.ts';
import type { Service } from '../lifecycle/service.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createReadiness, type Readiness } from './readiness.ts';

export interface HttpServerConfig {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Key of the configuration that sets the port, for the message when it is taken. Default `http.port`. */
  readonly setting?: string;
}

export interface HttpServerDeps {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:8080` */
  readonly url: string;
}

export interface HttpServer extends Service<HttpAddress> {
  /** Routes may be added until start(). Tests use `app.inject`. */
  readonly app: FastifyInstance;
  readonly readiness: Readiness;
}

/** Requests that are slower than this to arrive are cut: a client must not hold a connection open by dribbling. */
const REQUEST_TIMEOUT_MS = 30_000;

export function createHttpServer(config: HttpServerConfig, deps: HttpServerDeps): HttpServer {
  const { logger, metrics } = deps;
  const readiness = createReadiness();
  const app = Fastify({
    logger: false,
    bodyLimit: 1_048_576,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
  });
  let stopped: Promise<void> | undefined;

  app.get('/healthz', async () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const state = await readiness.check();
    reply.code(state.ready ? 200 : 503);
    return state;
  });
  app.get('/metrics', async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return metrics.text();
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    // the caller sees no internals; the log has them
    if (status >= 500) logger.error({ err: error, route: request.routeOptions.url }, 'request failed');
    reply.code(status).send({ error: status >= 500 ? 'internal error' : error.message });
  });

  return {
    name: 'http',
    app,
    readiness,
    async start() {
      try {
        await app.listen({ host: config.host, port: config.port });
      } catch (error) {
        await app.close();
        throw listenError(error, {
          what: 'HTTP server',
          host: config.host,
          port: config.port,
          setting: config.setting ?? 'http.port',
        });
      }
      const bound = app.server.address();
      if (bound === null || typeof bound === 'string') throw new TypeError('an HTTP server listens on a port');
      const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      return { host: bound.address, port: bound.port, url: `http://${host}:${bound.port}` };
    },
    stop(deadlineMs) {
      stopped ??= (async () => {
        // requests in flight may end within the deadline; then their sockets are closed under them
        const cut = setTimeout(() => app.server.closeAllConnections(), deadlineMs);
        try {
          await app.close();
        } finally {
          clearTimeout(cut);
        }
      })();
      return stopped;
    },
  };
}
