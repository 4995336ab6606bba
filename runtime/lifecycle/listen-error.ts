/** A port that cannot be listened on, said so that the reader knows which and how to change it. */
import type { Server } from 'node:net';
import { environmentName } from '../../schemas/config/environment-name.ts';
import { SpanwardenError } from '../errors.ts';

export interface ListenTarget {
  /** What listens: `OTLP gRPC receiver`. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
  /** Key of the configuration that sets the port: `collector.grpcPort`. */
  readonly setting: string;
}

const codeOf = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return '';
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return code;
  // grpc-js reports a failed bind as a plain Error that only quotes the code
  const quoted = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/.exec(typeof message === 'string' ? message : '');
  return quoted?.[1] ?? '';
};

/** PORT_TAKEN for a port in use, CONFIG_INVALID for one that is not ours to use; anything else is given back as it is. */
export function listenError(error: unknown, target: ListenTarget): unknown {
  const code = codeOf(error);
  const change = `set ${target.setting} (or ${environmentName(target.setting)}) to another`;
  if (code === 'EADDRINUSE')
    return new SpanwardenError(
      'PORT_TAKEN',
      `${target.what}: port ${target.port} on ${target.host} is taken; stop what listens there, or ${change} (0 = any free port)`,
      { cause: error },
    );
  if (code === 'EACCES')
    return new SpanwardenError(
      'CONFIG_INVALID',
      `${target.what}: no permission to listen on port ${target.port} of ${target.host}; ${change}`,
      { cause: error },
    );
  if (code === 'EADDRNOTAVAIL')
    return new SpanwardenError('CONFIG_INVALID', `${target.what}: this machine has no address ${target.host}`, {
      cause: error,
    });
  return error;
}

/** Listens, or rejects with what `listenError` makes of the failure. */
export function listen(server: Server, target: ListenTarget): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: unknown): void => reject(listenError(error, target));
  server.once('error', failed);
  server.listen(target.port, target.host, () => {
    server.off('error', failed);
    resolve();
  });
  return promise;
}
