/**
 * OTLP/gRPC: TraceService/Export over node:http2 (gRPC over HTTP/2, PROTOCOL-HTTP2.md). Only unary calls of one method
 * with bytes in and bytes out are needed; why not through grpc-js: docs/adr/003-own-grpc-receiver.md.
 */
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { listen } from '../runtime/lifecycle/listen-error.ts';
import type { Service } from '../runtime/lifecycle/service.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { CollectorConfig } from '../schemas/config/collector.ts';
import { type Answer, encodeResponse, encodeStatus, GrpcCode, WORDING } from './answer.ts';
import { type BodyEncoding, type BodyReader, createBodyReader } from './body.ts';
import type { ByteBudget, Lease } from './budget.ts';
import type { Intake } from './intake.ts';

const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const ACCEPTED_ENCODINGS = 'identity,gzip';
/** Compressed flag and 32-bit length before each message. */
const PREFIX_BYTES = 5;
/** Flow-control windows: with the default 64 KB a request of 500 KB needs eight round trips (15 % more CPU). */
const STREAM_WINDOW = 1_048_576;
const SESSION_WINDOW = 4_194_304;

export interface ReceiverDeps {
  readonly logger: Logger;
  readonly intake: Intake;
  readonly budget: ByteBudget;
}

export interface ReceiverAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:4317`: what OTEL_EXPORTER_OTLP_ENDPOINT takes. */
  readonly url: string;
}

export function receiverAddress({ address, family, port }: AddressInfo): ReceiverAddress {
  return { host: address, port, url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` };
}

export interface Receiver extends Service<ReceiverAddress> {
  readonly connections: number;
}

export function createGrpcReceiver(config: CollectorConfig, deps: ReceiverDeps): Receiver {
  const sessions = new Set<http2.ServerHttp2Session>();
  let server: http2.Http2Server | undefined;
  let stopped: Promise<void> | undefined;

  return {
    name: 'otlp-grpc',
    get connections() {
      return sessions.size;
    },
    async start() {
      const created = http2.createServer({
        settings: { maxConcurrentStreams: config.maxStreams, initialWindowSize: STREAM_WINDOW },
      });
      created.maxConnections = config.maxConnections;
      created.on('session', (session) => {
        sessions.add(session);
        session.setLocalWindowSize(SESSION_WINDOW);
        session.setTimeout(config.idleTimeoutMs, () => session.close());
        session.on('error', () => {}); // the sender's doing; its streams are closed with it
        session.on('close', () => sessions.delete(session));
      });
      created.on('sessionError', () => {});
      created.on('stream', (stream, headers) => takeCall(stream, headers, config, deps));
      await listen(created, {
        what: 'OTLP gRPC receiver',
        host: config.host,
        port: config.grpcPort,
        setting: 'collector.grpcPort',
      });
      created.on('error', (error) => deps.logger.error({ err: error }, 'OTLP gRPC receiver failed'));
      server = created;
      return receiverAddress(created.address() as AddressInfo);
    },
    stop(deadlineMs) {
      stopped ??= new Promise((resolve) => {
        if (server === undefined) {
          resolve();
          return;
        }
        const cut = setTimeout(() => {
          for (const session of sessions) session.destroy();
        }, deadlineMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        for (const session of sessions) session.close(); // GOAWAY; calls under way end
      });
      return stopped;
    },
  };
}

/** One call from its headers to its trailers. */
function takeCall(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  config: CollectorConfig,
  deps: ReceiverDeps,
): void {
  const { intake, budget } = deps;
  stream.on('error', () => {}); // reset by the sender
  const contentType = headers['content-type'];
  if (headers[':method'] !== 'POST' || contentType === undefined || !contentType.startsWith('application/grpc')) {
    stream.respond({ ':status': 415 }, { endStream: true });
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
    return;
  }
  if (headers[':path'] !== EXPORT_PATH) {
    refuseCall(stream, GrpcCode.unimplemented, `unknown method ${String(headers[':path']).slice(0, 200)}`);
    return;
  }

  const lease = budget.lease();
  let answered = false;
  /** The intake has the body: the lease is its to release. */
  let handedOver = false;
  let reader: BodyReader | undefined;
  const answer = (given: Answer): void => {
    answered = true;
    clearTimeout(late);
    answerCall(stream, given, config);
  };
  const refuse = (refusal: Parameters<Intake['refuse']>[0]): void => {
    reader?.abort();
    answer(intake.refuse(refusal, lease));
  };
  const late = setTimeout(() => refuse('timeout'), config.receiveTimeoutMs);
  if (!budget.admits()) {
    refuse('overload');
    return;
  }
  stream.on('close', () => {
    if (answered || handedOver) return;
    answered = true; // the sender gave up before its request was whole
    clearTimeout(late);
    reader?.abort();
    lease.release();
  });

  const prefix = Buffer.alloc(PREFIX_BYTES);
  let prefixLength = 0;
  let missing = 0;
  stream.on('data', (chunk: Buffer) => {
    if (answered) return;
    let from = 0;
    if (prefixLength < PREFIX_BYTES) {
      from = chunk.copy(prefix, prefixLength, 0, PREFIX_BYTES - prefixLength);
      prefixLength += from;
      if (prefixLength < PREFIX_BYTES) return;
      missing = prefix.readUInt32BE(1);
      const encoding = encodingOf(prefix[0]!, headers['grpc-encoding']);
      if (encoding === undefined) refuse('encoding');
      else if (missing > config.maxRequestBytes) refuse('too_large');
      else
        reader = createBodyReader(encoding, config.maxRequestBytes, lease, (result) => {
          clearTimeout(late);
          if (typeof result === 'string') refuse(result);
          else {
            handedOver = true;
            giveTo(intake, result, lease, answer);
          }
        });
      if (answered) return;
    }
    missing -= chunk.length - from;
    if (missing < 0)
      refuse('malformed'); // a second message in a unary call
    else if (from < chunk.length) reader!.write(from === 0 ? chunk : chunk.subarray(from));
  });
  stream.on('end', () => {
    if (answered) return;
    if (reader === undefined || missing > 0) refuse('malformed');
    else reader.end();
  });
}

/** Of its own, so that no frame keeps the body once its records are cut. */
function giveTo(intake: Intake, body: Buffer, lease: Lease, answer: (given: Answer) => void): void {
  void intake.protobuf(body, lease).then(answer);
}

function encodingOf(flag: number, header: string | string[] | undefined): BodyEncoding | undefined {
  if (flag === 0) return 'identity';
  return flag === 1 && header === 'gzip' ? 'gzip' : undefined;
}

function answerCall(stream: http2.ServerHttp2Stream, answer: Answer, config: CollectorConfig): void {
  if (!answer.accepted) {
    const { grpc, retry } = WORDING[answer.refusal];
    refuseCall(stream, grpc, answer.problem, retry ? config.retryAfterMs : undefined);
    return;
  }
  if (stream.destroyed || stream.closed) return;
  const message = encodeResponse(answer.rejectedSpans, answer.problem);
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  message.copy(framed, PREFIX_BYTES);
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': ACCEPTED_ENCODINGS },
    { waitForTrailers: true },
  );
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(framed);
}

/** Trailers only; then the sender is told to stop sending what it still may have (RST_STREAM NO_ERROR). */
function refuseCall(stream: http2.ServerHttp2Stream, code: number, problem: string, retryMs?: number): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-accept-encoding': ACCEPTED_ENCODINGS,
      'grpc-status': String(code),
      'grpc-message': percentEncoded(problem),
      ...(retryMs === undefined
        ? {}
        : { 'grpc-status-details-bin': encodeStatus(code, problem, retryMs).toString('base64') }),
    },
    { endStream: true },
  );
  if (!stream.readableEnded) stream.close(http2.constants.NGHTTP2_NO_ERROR);
}

/** As PROTOCOL-HTTP2.md asks: printable ASCII stands for itself, except `%`. */
const percentEncoded = (text: string): string =>
  encodeURIComponent(text).replace(/%(2[0-46-9A-F]|[3-6][0-9A-F]|7[0-9A-E])/g, (escaped) =>
    decodeURIComponent(escaped),
  );
