/**
 * vitest's global set-up, in its main process: one plain broker for the whole run, started when the first test file asks.
 * Test files run in processes of their own, so they ask over HTTP on loopback. It ends with the run, killed or not.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { type Broker, startBroker } from './broker.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Answers with the address of the shared broker. */
    sharedBrokerUrl: string;
  }
}

/** Called by vitest; what it returns is called at the end. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let starting: Promise<Broker> | undefined;
  const server = createServer((_request, response) => {
    starting ??= startBroker();
    starting.then(
      (broker) => response.end(broker.address),
      (error: unknown) => {
        response.statusCode = 500;
        response.end(error instanceof Error ? error.message : String(error));
      },
    );
  });
  server.timeout = 0; // fetching the jars may take minutes
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  project.provide('sharedBrokerUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return async () => {
    server.close();
    server.closeAllConnections();
    const broker = await starting?.catch(() => undefined);
    await broker?.stop();
  };
}
