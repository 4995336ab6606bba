/** A small HTTP framework: routes with parameters, JSON in and out, and the route on the server span as frameworks set it. */
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { trace } from '@opentelemetry/api';
import { ATTR_HTTP_ROUTE } from '@opentelemetry/semantic-conventions';
import { http } from './instrumented.ts';

export interface Incoming {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The JSON body, an empty object without one. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export type Route = readonly [method: string, pattern: string, handler: (request: Incoming) => Promise<Answer>];

/** A failure with a status for the caller. */
export class HttpFailure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const MAX_BODY_BYTES = 1_048_576;
/** What proxies log when the client went away before its answer. */
const CLIENT_CLOSED_REQUEST = 499;

export function createRouter(routes: readonly Route[]): Server {
  const compiled = routes.map(([method, pattern, handler]) => ({
    method,
    pattern,
    handler,
    matcher: new RegExp(`^${pattern.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`),
  }));
  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://shop');
    for (const { method, pattern, handler, matcher } of compiled) {
      if (method !== request.method) continue;
      const match = matcher.exec(url.pathname);
      if (match === null) continue;
      const span = trace.getActiveSpan();
      span?.setAttribute(ATTR_HTTP_ROUTE, pattern);
      span?.updateName(`${method} ${pattern}`);
      const body = await readBody(request);
      return handler({ params: { ...match.groups }, query: url.searchParams, headers: request.headers, body });
    }
    return { status: 404, body: { error: 'no such page' } };
  };
  const server = http.createServer((request, response) => {
    response.prependListener('close', () => {
      if (!response.writableFinished) response.statusCode = CLIENT_CLOSED_REQUEST;
    });
    answerTo(request)
      .catch((error: unknown): Answer => {
        const status = error instanceof HttpFailure ? error.status : 500;
        return { status, body: { error: error instanceof Error ? error.message : 'failed' } };
      })
      .then((answer) => send(response, answer));
  });
  server.keepAliveTimeout = 120_000;
  return server;
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  const headers: Record<string, string | number> = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  // Which trace to look at when something is reported; the demo's ground truth uses it.
  const context = trace.getActiveSpan()?.spanContext();
  if (context !== undefined) {
    headers['x-trace-id'] = context.traceId;
    // As many services do, so that a browser's traces join theirs; who sees an answer may claim to be part of its trace.
    headers['server-timing'] = `traceparent;desc="00-${context.traceId}-${context.spanId}-01"`;
  }
  response.writeHead(status, headers);
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    request.resume();
    return {};
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new HttpFailure(413, 'too large');
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {}
  throw new HttpFailure(400, 'the body is no JSON object');
}

/** Listens on loopback, on a free port. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
