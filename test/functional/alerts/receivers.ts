/** Receivers on loopback that behave as a test says, down to the bytes of their answers. */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface Receiver {
  readonly url: string;
  /** Connections made to it. */
  readonly connections: number;
  stop(): Promise<void>;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function listening(server: Server, scheme: 'http' | 'https' = 'http'): Promise<Receiver> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${scheme}://127.0.0.1:${portOf(server)}/hook`,
    get connections() {
      return connections;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** What arrives is given to `answer` when all of a request is there: bytes of a socket, nothing of HTTP. */
export function startRawReceiver(answer: (socket: Socket, request: string) => void): Promise<Receiver> {
  return listening(
    createServer((socket) => {
      let text = '';
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        const end = text.indexOf('\r\n\r\n');
        const length = Number(/^content-length: (\d+)$/im.exec(text)?.[1] ?? Number.NaN);
        if (end < 0 || Buffer.byteLength(text.slice(end + 4)) < length) return;
        const request = text;
        text = '';
        answer(socket, request);
      });
    }),
  );
}

export interface Taken {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly body: string;
}

/** An HTTP server: `status` of each request, and what came. */
export async function startReceiver(
  status: (taken: Taken, n: number) => number | { status: number; headers?: Record<string, string>; body?: string },
): Promise<Receiver & { readonly taken: readonly Taken[]; came(n: number): Promise<Taken> }> {
  const taken: Taken[] = [];
  const waiters: { readonly n: number; readonly resolve: (one: Taken) => void }[] = [];
  const server = createHttpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const one = { headers: request.headers, url: request.url ?? '', body };
      taken.push(one);
      const answer = status(one, taken.length);
      const { status: code, headers = {}, body: text = '' } = typeof answer === 'number' ? { status: answer } : answer;
      response.writeHead(code, headers).end(text);
      for (const { n, resolve } of waiters) if (taken.length >= n) resolve(taken[n - 1]!);
    });
  });
  const receiver = await listening(server);
  return {
    ...receiver,
    get connections() {
      return receiver.connections;
    },
    taken,
    came: (n) =>
      new Promise((resolve) => {
        if (taken.length >= n) resolve(taken[n - 1]!);
        else waiters.push({ n, resolve });
      }),
  };
}

export { listening };
