/** HTTP as one client: kept connections to the edge that begin with a PROXY protocol header carrying the client's address. */
import { Agent, type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { writeProxyHeader } from '../shop/edge/proxy-protocol.ts';

export interface ClientRequestOptions {
  readonly method: string;
  readonly path: string;
  /** Of several values each is a line of its own. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
  /** Go away this long after sending, without waiting for the answer. */
  readonly abortAfterMs?: number;
}

export interface ClientAnswer {
  /** 0: no answer (aborted, refused, timed out). */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface ClientConnection {
  readonly address: string;
  send(options: ClientRequestOptions): Promise<ClientAnswer>;
  close(): void;
}

const TIMEOUT_MS = 20_000;
const NO_ANSWER: ClientAnswer = { status: 0, headers: {}, body: null };

export function createClientConnection(options: {
  readonly edgePort: number;
  readonly address: string;
  readonly sockets?: number;
}): ClientConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: options.sockets ?? 4 });
  let port = 20_000;
  agent.createConnection = () => {
    const socket = connect({ host: '127.0.0.1', port: options.edgePort, noDelay: true });
    port = port === 60_000 ? 20_000 : port + 1;
    socket.write(writeProxyHeader(options.address, port, options.edgePort));
    return socket;
  };
  return {
    address: options.address,
    send: ({ method, path, headers, body, abortAfterMs }) =>
      new Promise((resolve) => {
        const text = body === undefined ? undefined : JSON.stringify(body);
        const request: ClientRequest = httpRequest(
          {
            host: '127.0.0.1',
            port: options.edgePort,
            agent,
            method,
            path,
            timeout: TIMEOUT_MS,
            headers: {
              host: 'shop.example',
              ...headers,
              ...(text === undefined
                ? {}
                : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            },
          },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', () => resolve(NO_ANSWER));
            response.on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: parse(Buffer.concat(chunks).toString('utf8')),
              }),
            );
          },
        );
        request.on('timeout', () => request.destroy());
        request.on('error', () => resolve(NO_ANSWER));
        request.on('close', () => resolve(NO_ANSWER));
        if (abortAfterMs !== undefined) {
          const timer = setTimeout(() => request.destroy(), abortAfterMs);
          request.on('close', () => clearTimeout(timer));
        }
        request.end(text);
      }),
    close: () => agent.destroy(),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
