/**
 * The client library: connections, wire formats, authentication. Loaded when the first cluster is reached, as it costs
 * 0.4 s and 60 MB, which a process on the embedded log need not pay.
 */
export type Library = typeof import('@platformatic/kafka');
export type { Connection, Reader } from '@platformatic/kafka';

let loading: Promise<Library> | undefined;

export function loadLibrary(): Promise<Library> {
  loading ??= import('@platformatic/kafka');
  return loading;
}
