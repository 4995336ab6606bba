/** OTLP/HTTP: `POST /v1/traces`, protobuf or JSON, plain, gzip or zstd. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { listen } from '../runtime/lifecycle/listen-error.ts';
import type { CollectorConfig } from '../schemas/config/collector.ts';
import { type Answer, encodeResponse, encodeStatus, GrpcCode, type Refusal, WORDING } from './answer.ts';
import { type BodyEncoding, type BodyReader, createBodyReader } from './body.ts';
import type { Lease } from './budget.ts';
import { type Receiver, type ReceiverDeps, receiverAddress } from './grpc.ts';
import type { Intake } from './intake.ts';

type MediaType = 'application/x-protobuf' | 'application/json';

const ENCODINGS: ReadonlyMap<string, BodyEncoding> = new Map([
  ['', 'identity'],
  ['identity', 'identity'],
  ['none', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['zstd', 'zstd'],
]);

/** How much of a refused body is still read and thrown away, so that its sender reads the answer and not a reset. */
const DISCARDED_BYTES = 67_108_864;

export function createHttpReceiver(config: CollectorConfig, deps: ReceiverDeps): Receiver {
  let server: Server | undefined;
  let stopped: Promise<void> | undefined;
  let connections = 0;

  return {
    name: 'otlp-http',
    get connections() {
      return connections;
    },
    async start() {
      const created = createServer(
        {
          requestTimeout: config.receiveTimeoutMs,
          headersTimeout: Math.min(10_000, config.receiveTimeoutMs),
          keepAliveTimeout: config.idleTimeoutMs,
          connectionsCheckingInterval: Math.max(10, Math.min(1_000, config.receiveTimeoutMs / 2)),
        },
        (request, response) => takeRequest(request, response, config, deps),
      );
      created.maxConnections = config.maxConnections;
      created.on('connection', (socket) => {
        connections++;
        socket.on('close', () => connections--);
      });
      await listen(created, {
        what: 'OTLP HTTP receiver',
        host: config.host,
        port: config.httpPort,
        setting: 'collector.httpPort',
      });
      created.on('error', (error) => deps.logger.error({ err: error }, 'OTLP HTTP receiver failed'));
      server = created;
      return receiverAddress(created.address() as AddressInfo);
    },
    stop(deadlineMs) {
      stopped ??= new Promise((resolve) => {
        if (server === undefined) {
          resolve();
          return;
        }
        const closing = server;
        const cut = setTimeout(() => closing.closeAllConnections(), deadlineMs);
        closing.close(() => {
          clearTimeout(cut);
          resolve();
        });
        closing.closeIdleConnections();
      });
      return stopped;
    },
  };
}

function takeRequest(
  request: IncomingMessage,
  response: ServerResponse,
  config: CollectorConfig,
  deps: ReceiverDeps,
): void {
  const { intake, budget } = deps;
  const path = request.url?.split('?', 1)[0];
  if (path !== '/v1/traces') {
    plainAnswer(request, response, 404, 'only POST /v1/traces is served here');
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    plainAnswer(request, response, 405, 'only POST is taken');
    return;
  }
  const mediaType = mediaTypeOf(request.headers['content-type']);
  const encoding = ENCODINGS.get((request.headers['content-encoding'] ?? '').trim().toLowerCase());
  const lease = budget.lease();
  let answered = false;
  let reader: BodyReader | undefined;
  const answer = (given: Answer): void => {
    answered = true;
    answerRequest(request, response, given, mediaType ?? 'application/json', config);
  };
  const refuse = (refusal: Refusal): void => {
    reader?.abort();
    answer(intake.refuse(refusal, lease));
  };
  if (mediaType === undefined) refuse('content_type');
  else if (encoding === undefined) {
    response.setHeader('accept-encoding', 'gzip, zstd, identity');
    refuse('encoding');
  } else if (Number(request.headers['content-length'] ?? 0) > config.maxRequestBytes) refuse('too_large');
  else if (!budget.admits()) refuse('overload');
  if (answered || mediaType === undefined || encoding === undefined) return;

  reader = createBodyReader(encoding, config.maxRequestBytes, lease, (result) => {
    if (typeof result === 'string') refuse(result);
    else giveTo(intake, mediaType, result, lease, answer);
  });
  request.on('data', (chunk: Buffer) => {
    if (!answered) reader.write(chunk);
  });
  request.on('end', () => {
    if (!answered) reader.end();
  });
  request.on('close', () => {
    if (answered || request.complete) return;
    answered = true; // the sender gave up before its request was whole
    reader.abort();
    lease.release();
  });
}

/** Of its own, so that no frame keeps the body once its records are cut. */
function giveTo(
  intake: Intake,
  mediaType: MediaType,
  body: Buffer,
  lease: Lease,
  answer: (given: Answer) => void,
): void {
  void (mediaType === 'application/json' ? intake.json(body, lease) : intake.protobuf(body, lease)).then(answer);
}

function mediaTypeOf(header: string | undefined): MediaType | undefined {
  const type = (header ?? '').split(';', 1)[0]!.trim().toLowerCase();
  return type === 'application/x-protobuf' || type === 'application/json' ? type : undefined;
}

function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  mediaType: MediaType,
  config: CollectorConfig,
): void {
  const json = mediaType === 'application/json';
  if (answer.accepted) {
    const { rejectedSpans, problem } = answer;
    const body = json
      ? JSON.stringify(
          rejectedSpans === 0
            ? {}
            : { partialSuccess: { rejectedSpans: String(rejectedSpans), errorMessage: problem } },
        )
      : encodeResponse(rejectedSpans, problem);
    send(request, response, 200, mediaType, body);
    return;
  }
  const { http, grpc, retry } = WORDING[answer.refusal];
  if (retry) response.setHeader('retry-after', Math.max(1, Math.ceil(config.retryAfterMs / 1_000)));
  const body = json
    ? JSON.stringify({ code: grpc, message: answer.problem })
    : encodeStatus(grpc, answer.problem, retry ? config.retryAfterMs : undefined);
  send(request, response, http, mediaType, body);
}

function plainAnswer(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
  send(request, response, status, 'application/json', JSON.stringify({ code: GrpcCode.unimplemented, message }));
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  mediaType: MediaType,
  body: string | Buffer,
): void {
  if (response.destroyed || response.writableEnded) return;
  if (isClosing(request)) response.shouldKeepAlive = false; // else server.close() waits for the idle timeout
  response.writeHead(status, { 'content-type': mediaType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
  if (!request.complete) discard(request);
}

const isClosing = (request: IncomingMessage): boolean =>
  !((request.socket as Socket & { server?: Server }).server?.listening ?? true);

/** Reads on without keeping anything; bounded in bytes here, and in time by the server's request timeout. */
function discard(request: IncomingMessage): void {
  let left = DISCARDED_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.resume();
}
