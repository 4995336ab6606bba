/**
 * The trusted proxy in front of the gateway: learns the client's address by PROXY protocol and appends it to
 * X-Forwarded-For, whatever the client wrote there itself. Not instrumented, like most proxies.
 */
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { readProxyHeader } from './proxy-protocol.ts';

const HEADER_TIMEOUT_MS = 5_000;

export function createEdgeProxy(gatewayPort: () => number | undefined): Server {
  const clients = new WeakMap<Socket, string>();
  const agent = new Agent({ keepAlive: true, maxSockets: 128, maxFreeSockets: 64 });

  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const port = gatewayPort();
    const client = clients.get(request.socket);
    if (port === undefined || client === undefined) {
      response.writeHead(503).end();
      return;
    }
    const claimed = request.headers['x-forwarded-for'];
    const headers = { ...request.headers, 'x-forwarded-for': claimed === undefined ? client : `${claimed}, ${client}` };
    delete headers.connection;
    const upstream = httpRequest(
      { host: '127.0.0.1', port, method: request.method, path: request.url, headers, agent },
      (answer) => {
        const answerHeaders = { ...answer.headers };
        delete answerHeaders.connection;
        response.writeHead(answer.statusCode ?? 502, answerHeaders);
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      },
    );
    upstream.on('error', () => {
      if (response.headersSent || response.destroyed) response.destroy();
      else response.writeHead(502).end();
    });
    response.on('close', () => {
      if (!response.writableFinished) upstream.destroy(); // the client went away
    });
    request.pipe(upstream);
  };

  const http = createServer(forward);
  http.keepAliveTimeout = 120_000;

  return createTcpServer((socket) => {
    let held = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), HEADER_TIMEOUT_MS);
    const onData = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      const header = readProxyHeader(held);
      if (header.state === 'incomplete') return;
      clearTimeout(timer);
      socket.off('data', onData);
      if (header.state === 'malformed') {
        socket.destroy();
        return;
      }
      clients.set(socket, header.address);
      socket.pause();
      if (held.length > header.length) socket.unshift(held.subarray(header.length));
      http.emit('connection', socket);
      socket.resume();
    };
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearTimeout(timer));
    socket.on('data', onData);
  });
}
