/** A webhook receiver as an on-call team would write it: verifies the signature, notes the time, keeps each alert once. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { type ReceivedAlert, readAlert } from './alert.ts';

export interface Receiver {
  readonly url: string;
  /** Alerts received so far, in order, each id once. */
  readonly alerts: readonly ReceivedAlert[];
  /** Deliveries refused: a wrong signature, or a body that is no alert. */
  readonly rejected: readonly string[];
  /** Deliveries of an id that had come before. */
  readonly repeated: number;
  stop(): Promise<void>;
}

export interface ReceiverOptions {
  /** `whsec_…`. */
  readonly secret: string;
  nowMs(): number;
  onAlert?(alert: ReceivedAlert): void;
}

const MAX_BODY_BYTES = 1_048_576;

export function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const webhook = new Webhook(options.secret);
  const alerts: ReceivedAlert[] = [];
  const rejected: string[] = [];
  const seen = new Set<string>();
  let repeated = 0;

  const receive = async (request: IncomingMessage): Promise<number> => {
    const receivedMs = options.nowMs();
    const body = await readBody(request);
    if (body === undefined) return 413;
    const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
    try {
      webhook.verify(body, headers);
    } catch (error) {
      rejected.push(error instanceof Error ? error.message : 'unverified');
      return 401;
    }
    const id = headers['webhook-id'] ?? '';
    if (seen.has(id)) {
      repeated++;
      return 204;
    }
    const alert = readAlert(id, receivedMs, body);
    if (alert === null) {
      rejected.push('no alert about an incident');
      return 422;
    }
    seen.add(id);
    alerts.push(alert);
    options.onAlert?.(alert);
    return 204;
  };

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    receive(request).then(
      (status) => response.writeHead(status).end(),
      () => response.destroy(),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({
        url: `http://127.0.0.1:${port}/alerts`,
        alerts,
        rejected,
        get repeated() {
          return repeated;
        },
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
