/**
 * Where bouncers, gateways and firewalls ask: CrowdSec's local API, checks for ext_authz, the feed. A key on every request. Checks are
 * answered before any router looks at the path, which is a stranger's: whatever it is, it must not become a refusal.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gunzip } from 'node:zlib';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { HttpAddress } from '../../runtime/http/server.ts';
import { listenError } from '../../runtime/lifecycle/listen-error.ts';
import type { Service } from '../../runtime/lifecycle/service.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';
import type { Metrics } from '../../runtime/telemetry/metrics.ts';
import type { ResponseConfig, ResponseKey } from '../../schemas/config/response.ts';
import type { Attribution } from '../../traces/attribution/client.ts';
import { createCheck } from './checks.ts';
import { createFeed, isNoneMatch } from './feed.ts';
import { createKeys } from './keys.ts';
import { filterKey, type LapiFilter, readFilter, shown, toEnded, toLapi } from './lapi.ts';
import { createPositions } from './positions.ts';
import type { Served } from './served.ts';
import { readUsage } from './usage.ts';

export interface ResponseServerDeps {
  readonly served: Served;
  /** Of the gateway that asks, which is a trusted proxy whatever its address. */
  readonly attribution: Pick<Attribution, 'resolve' | 'singleValueHeaders'>;
  /** A user as records name it. */
  redactUser(user: string): string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface ResponseServer extends Service<HttpAddress> {
  readonly app: FastifyInstance;
}

export const CHECK_PATH = '/check';
export const RISK_HEADER = 'x-spanwarden-risk';
const SERVICE_HEADER = 'x-spanwarden-service';
const KEY_HEADER = 'x-api-key';

/** A gateway may pass headers of 60 KiB and more: what does not fit would be refused before we looked at it. */
const MOST_HEADERS = 256 << 10;
const MOST_BODY = 1 << 20;
const MOST_CONNECTIONS = 4_096;
const REQUEST_TIMEOUT_MS = 30_000;
/** A wrong key is told once in so long: it comes with every request. */
const TELL_EVERY_MS = 60_000;

export function createResponseServer(
  config: Pick<ResponseConfig, 'host' | 'port' | 'keys' | 'userHeader'>,
  deps: ResponseServerDeps,
): ResponseServer {
  const { served, attribution, logger, metrics, now } = deps;
  const keys = createKeys(config.keys);
  const positions = createPositions();
  const feed = createFeed(served);
  const check = createCheck(served, attribution);
  const requests = metrics.counter('response_requests_total', 'Requests for decisions, by route and status');
  const checks = metrics.counter('response_checks_total', 'Requests that a gateway asked about, by what it was told');
  const checkCounters = new Map(
    (['ordinary', 'reduced-rights', 'refused', 'refused-operation', 'no-key', 'failed'] as const).map(
      (result) => [result, checks.with({ result })] as const,
    ),
  );
  const reported = metrics.counter('response_bouncer_reported_total', 'What bouncers report, by name and unit');
  const stopGauge = metrics.gauge(
    'response_decisions_in_force',
    'Decisions that are handed out',
    () => served.all().length,
  );
  let toldMs = Number.NEGATIVE_INFINITY;

  const holderOf = (given: string | undefined, use: ResponseKey['uses'][number]) => {
    const holder = given === undefined ? undefined : keys.holder(given);
    if (holder?.uses.includes(use)) return holder;
    if (now() - toldMs >= TELL_EVERY_MS) {
      toldMs = now();
      logger.warn({ use }, 'somebody asks for decisions without a key that is good for it (response.keys)');
    }
    return undefined;
  };

  /** 200: go on, with the risk as a header. 403: refused. 503: we cannot tell, and the gateway lets it pass. */
  function answerCheck(request: IncomingMessage, response: ServerResponse): void {
    const end = (
      status: number,
      result: 'no-key' | 'failed' | ReturnType<typeof check>['result'],
      risk: number,
    ): void => {
      checkCounters.get(result)!.add(1);
      const body = status === 200 ? '' : status === 403 ? '{"message":"refused"}' : '{"message":"unavailable"}';
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': body.length,
        ...(status === 200 && { [RISK_HEADER]: String(risk) }),
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    request.resume(); // gateways send no body; one that comes is not wanted
    request.on('error', () => {});
    const { headers } = request;
    try {
      if (holderOf(textOf(headers[KEY_HEADER]), 'check') === undefined) {
        end(503, 'no-key', 0);
        return;
      }
      const user = config.userHeader === '' ? '' : (textOf(headers[config.userHeader]) ?? '');
      const { result, risk } = check({
        method: request.method ?? '',
        path: (request.url ?? '').slice(CHECK_PATH.length),
        service: textOf(headers[SERVICE_HEADER]) ?? '',
        peer: request.socket.remoteAddress ?? '',
        forwardedFor: listOf(headers['x-forwarded-for']),
        forwarded: listOf(headers.forwarded),
        singleValues: [...attribution.singleValueHeaders].flatMap((name) => {
          const value = textOf(headers[name]);
          return value === undefined ? [] : [[name, value] as const];
        }),
        user: user === '' ? '' : deps.redactUser(user),
      });
      end(result === 'refused' || result === 'refused-operation' ? 403 : 200, result, risk);
    } catch (error) {
      logger.error({ err: error }, 'a check failed: the gateway lets the request pass');
      end(503, 'failed', 0);
    }
  }

  const app = Fastify({
    logger: false,
    bodyLimit: MOST_BODY,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    serverFactory(handler) {
      const server = createServer(
        { maxHeaderSize: MOST_HEADERS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 75_000 },
        (request, response) => {
          if (request.url?.startsWith(CHECK_PATH)) answerCheck(request, response);
          else handler(request, response);
        },
      );
      server.maxConnections = MOST_CONNECTIONS;
      return server;
    },
  });

  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-content-type-options', 'nosniff');
    return payload;
  });
  app.addHook('onResponse', async (request, reply) => {
    requests.add(1, { route: request.routeOptions.url ?? 'unknown', status: reply.statusCode });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: 'Page or Method not found' }));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) logger.error({ err: error, route: request.routeOptions.url }, 'a request for decisions failed');
    reply.code(status).send({ message: status >= 500 ? 'internal error' : error.message });
  });

  app.get('/healthz', async () => ({ status: 'alive' }));

  const forbidden = (reply: FastifyReply): FastifyReply => reply.code(403).send({ message: 'access forbidden' });
  /** CrowdSec's HandleDBErrors (pkg/apiserver/controllers/v1/errors.go) has a 500 for every filter that it cannot use. */
  const unusable = (reply: FastifyReply, message: string): FastifyReply => reply.code(500).send({ message });
  const queryOf = (request: FastifyRequest): URLSearchParams => {
    const mark = request.url.indexOf('?');
    return new URLSearchParams(mark < 0 ? '' : request.url.slice(mark + 1, mark + 1 + 16_384));
  };
  const bouncer = (request: FastifyRequest) => holderOf(textOf(request.headers[KEY_HEADER]), 'bouncer');

  app.route({
    method: ['GET', 'HEAD'],
    url: '/v1/decisions',
    async handler(request, reply) {
      if (bouncer(request) === undefined) return forbidden(reply);
      const filter = readFilter(queryOf(request));
      if (typeof filter === 'string') return unusable(reply, filter);
      const nowMs = now();
      const found = shown(served.all(), filter).map((decision) => toLapi(decision, nowMs));
      reply.type('application/json; charset=utf-8');
      // CrowdSec writes a nil slice where there is none, and bouncers look for that
      return reply.send(request.method === 'HEAD' ? '' : found.length === 0 ? 'null' : JSON.stringify(found));
    },
  });

  app.route({
    method: ['GET', 'HEAD'],
    url: '/v1/decisions/stream',
    async handler(request, reply) {
      const holder = bouncer(request);
      if (holder === undefined) return forbidden(reply);
      reply.type('application/json; charset=utf-8');
      // a HEAD tells nothing: it must not move the position
      if (request.method === 'HEAD') return reply.send('');
      const query = queryOf(request);
      const filter = readFilter(query, { scopes: ['ip', 'range'] });
      if (typeof filter === 'string') return unusable(reply, filter);
      const nowMs = now();
      const agent = request.headers['user-agent']?.slice(0, 128);
      const key = JSON.stringify([holder.name, request.socket.remoteAddress, agent, filterKey(filter)]);
      const position = positions.next(
        key,
        query.get('startup') === 'true',
        shown(served.all(), filter),
        endedFor(filter),
      );
      // told when the answer is out, not when the socket broke under it
      reply.raw.on('finish', () => position.told());
      return reply.send(
        JSON.stringify({
          new: position.fresh.map((decision) => toLapi(decision, nowMs)),
          deleted: position.gone.map((decision) => toEnded(decision, nowMs)),
        }),
      );
    },
  });
  const endedFor = (filter: LapiFilter) => shown(served.endedLately(), filter);

  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const parse = (bytes: Buffer): void => {
      try {
        done(null, JSON.parse(bytes.toString('utf8')));
      } catch {
        done(Object.assign(new Error('the body is no JSON'), { statusCode: 400 }));
      }
    };
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding === 'identity') return parse(body as Buffer);
    if (encoding !== 'gzip') return done(Object.assign(new Error('gzip or nothing'), { statusCode: 415 }));
    gunzip(body as Buffer, { maxOutputLength: MOST_BODY }, (error, bytes) => {
      if (error) done(Object.assign(new Error('the body is no gzip, or too large'), { statusCode: 400 }));
      else parse(bytes);
    });
  });
  app.post('/v1/usage-metrics', {
    // before the body is read
    onRequest: async (request, reply) => (bouncer(request) === undefined ? forbidden(reply) : undefined),
    async handler(request, reply) {
      const usage = readUsage(request.body);
      if ('status' in usage) return reply.code(usage.status).send({ message: usage.message });
      const holder = bouncer(request)!;
      for (const { name, unit, value } of usage) reported.add(value, { bouncer: holder.name, name, unit });
      return reply.code(201).send();
    },
  });

  app.route({
    method: ['GET', 'HEAD'],
    url: '/feed',
    async handler(request, reply) {
      const given = textOf(request.headers[KEY_HEADER]) ?? keyInQuery(request.url);
      if (holderOf(given, 'feed') === undefined) return forbidden(reply);
      const { text, etag } = feed();
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (isNoneMatch(request.headers['if-none-match'], etag)) return reply.code(304).send();
      reply.type('text/plain; charset=utf-8');
      return reply.send(request.method === 'HEAD' ? '' : text);
    },
  });

  let stopped: Promise<void> | undefined;
  return {
    name: 'response',
    app,
    async start() {
      try {
        await app.listen({ host: config.host, port: config.port });
      } catch (error) {
        await app.close();
        throw listenError(error, { what: 'response', host: config.host, port: config.port, setting: 'response.port' });
      }
      const bound = app.server.address();
      if (bound === null || typeof bound === 'string') throw new TypeError('an HTTP server listens on a port');
      const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      return { host: bound.address, port: bound.port, url: `http://${host}:${bound.port}` };
    },
    stop(deadlineMs) {
      stopped ??= (async () => {
        stopGauge();
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

/** `+` is a character of keys, and forms alone (which nobody fills in here) make it a blank. */
function keyInQuery(url: string): string | undefined {
  const given = /[?&]key=([^&#]*)/.exec(url)?.[1];
  try {
    return given === undefined ? undefined : decodeURIComponent(given);
  } catch {
    return given;
  }
}

const textOf = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header;
const listOf = (header: string | string[] | undefined): readonly string[] =>
  header === undefined ? [] : Array.isArray(header) ? header : [header];
