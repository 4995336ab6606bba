/** A webhook receiver that keeps every body it was sent under each id. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BodyReceiver {
  readonly url: string;
  /** Bodies by `webhook-id`, each distinct one once. */
  readonly bodies: ReadonlyMap<string, ReadonlySet<string>>;
  /** Titles of incidents opened. */
  titles(): string[];
  stop(): Promise<void>;
}

/** `status` answers the n-th delivery. */
export async function startBodyReceiver(status: (n: number) => number = () => 204): Promise<BodyReceiver> {
  const bodies = new Map<string, Set<string>>();
  let deliveries = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const id = String(request.headers['webhook-id']);
      bodies.set(id, (bodies.get(id) ?? new Set()).add(body));
      response.writeHead(status(++deliveries)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    bodies,
    titles() {
      const all = [...bodies.values()].map(
        (set) => JSON.parse([...set][0]!) as { type: string; data: { title: string } },
      );
      return all.filter(({ type }) => type === 'incident.opened').map(({ data }) => data.title);
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export const SECRET = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
