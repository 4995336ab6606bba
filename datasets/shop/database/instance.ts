/** One PostgreSQL (PGlite, WebAssembly) in a worker thread, reached over TCP by ordinary clients. */
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { createFrameReader } from './frames.ts';

export interface InstanceOptions {
  readonly schema: string;
  /** An initialised data directory; without it one is made (three seconds) and handed back when `share` is set. */
  readonly template?: Blob;
  readonly share: boolean;
  /** Nice value of this thread: `pg_sleep` in WebAssembly burns a core, which must not slow the other services. */
  readonly nice: number;
}

export interface InstanceReady {
  readonly port: number;
  readonly template?: Blob;
}

async function main(options: InstanceOptions): Promise<void> {
  const database = await PGlite.create(options.template === undefined ? {} : { loadDataDir: options.template });
  const template = options.share ? await database.dumpDataDir('none') : undefined;
  await database.exec(options.schema);
  if (options.nice !== 0) setPriority(0, options.nice);

  const serve = (socket: Socket): void => {
    const reader = createFrameReader();
    let last = Promise.resolve();
    const run = (bytes: Uint8Array): Promise<void> =>
      database.runExclusive(async () => {
        await database.execProtocolRawStream(bytes, {
          onRawData: (data) => {
            if (socket.writable) socket.write(Buffer.from(data));
          },
        });
      });
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      for (const unit of reader.push(chunk)) {
        if (unit.kind === 'encryption') socket.write('N');
        else if (unit.kind === 'end') socket.end();
        else last = last.then(() => run(unit.bytes)).catch(() => void socket.destroy());
      }
    });
  };

  const server = createServer(serve);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    parentPort?.postMessage({ port, ...(template === undefined ? {} : { template }) } satisfies InstanceReady);
  });
}

await main(workerData as InstanceOptions);
