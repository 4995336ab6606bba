/**
 * Sends a request whose large parts go to the socket as they are. The library's `send` joins every request in one new
 * buffer: a second copy of all that is produced, and megabytes a second for the garbage collector
 * (test/bench/kafka-log.bench.ts). So it is given the small parts only, and what it writes is completed on its way out.
 */
import type { Connection, Library, Reader } from './library.ts';

/** A request: small parts, each followed by a large one. */
export interface GatheredRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly small: readonly Buffer[];
  /** `large[i]` comes after `small[i]`. */
  readonly large: readonly Buffer[];
}

const LENGTH_BYTES = 4;

export function sendGathered<T>(
  connection: Connection,
  library: Library,
  { apiKey, apiVersion, small, large }: GatheredRequest,
  parse: (correlation: number, key: number, version: number, reader: Reader) => T,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const settle = (error: Error | null, answer?: T): void => (error ? reject(error) : resolve(answer as T));
  const { socket } = connection;
  const write = socket.write;
  let completed = false;
  // the library writes the frame at once when nothing is under way on the connection
  socket.write = (frame: Uint8Array | string): boolean => {
    socket.write = write;
    completed = true;
    return writeParts(frame as Buffer, write.bind(socket) as (part: Buffer) => boolean);
  };

  function writeParts(frame: Buffer, put: (part: Buffer) => boolean): boolean {
    let smallBytes = 0;
    for (const part of small) smallBytes += part.length;
    let largeBytes = 0;
    for (const part of large) largeBytes += part.length;
    frame.writeInt32BE(frame.length - LENGTH_BYTES + largeBytes, 0);
    let from = 0;
    // the library's own head comes before the first small part
    let until = frame.length - smallBytes;
    let flowing = true;
    socket.cork();
    for (let i = 0; i < small.length; i++) {
      until += small[i]!.length;
      put(frame.subarray(from, until));
      flowing = put(large[i]!);
      from = until;
    }
    socket.uncork();
    return flowing;
  }

  try {
    connection.send(
      apiKey,
      apiVersion,
      () => {
        const writer = library.Writer.create();
        for (const part of small) writer.append(part);
        return writer;
      },
      parse,
      false,
      false,
      settle,
    );
  } finally {
    socket.write = write;
  }
  if (!completed && connection.isConnected()) {
    // it has queued the frame, which is not whole: whatever follows on this connection would be misread
    socket.destroy();
    reject(new Error('the client library did not write the request at once'));
  }
  return promise;
}
