/** Stops an HTTP server: requests in flight end, kept connections are closed. */
import type { Server } from 'node:http';

export const serverStopper = (server: Server) => (): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
