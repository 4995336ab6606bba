/** The process at the edge: the trusted proxy, and what stands in for the internet outside. */
import type { Server } from 'node:net';
import { attach } from '../../../runtime/lifecycle/attached.ts';
import { createInternet } from './internet.ts';
import { createEdgeProxy } from './proxy.ts';

const listen = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });

let gatewayPort: number | undefined;
const proxy = createEdgeProxy(() => gatewayPort);
const internet = createInternet();
const attachment = attach({ stop: async () => undefined });
attachment.ready({ edge: await listen(proxy), internet: await listen(internet) });
gatewayPort = (await attachment.others).gateway;
