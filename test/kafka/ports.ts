/**
 * Ports for brokers: below those that the system gives to outgoing connections (32768 and up on Linux), as a client that
 * tries a dead broker's port would else be given that very port and connect to itself.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { HOST } from './settings.ts';

const FIRST = 20_000;
const LAST = 32_000;

/** Whether nobody listens on it now. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });

/** `count` different ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(FIRST, LAST);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}
