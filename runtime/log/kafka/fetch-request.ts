/**
 * One Fetch request (version 11). Its records stay as they came, in buffers of the pool, to be read when there is time for
 * them; whoever reads them gives the buffers back.
 */
import type { BufferPool } from './buffer-pool.ts';
import type { Connection, Library, Reader } from './library.ts';

export interface FetchPartition {
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

export interface FetchBounds {
  /** How long the broker may wait for something to come. */
  readonly maxWaitMs: number;
  readonly maxBytes: number;
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** Offset the next record will get. */
  readonly end: number;
  readonly records: Buffer;
}

const FETCH = 1;
const VERSION = 11;
const NO_RECORDS = Buffer.alloc(0);

export function sendFetch(
  connection: Connection,
  library: Library,
  topic: string,
  partitions: readonly FetchPartition[],
  bounds: FetchBounds,
  pool: BufferPool,
): Promise<readonly FetchedPartition[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly FetchedPartition[]>();
  connection.send(
    FETCH,
    VERSION,
    () => {
      const writer = library.Writer.create()
        .appendInt32(-1) // we are no replica
        .appendInt32(bounds.maxWaitMs)
        .appendInt32(1) // answer as soon as there is anything
        .appendInt32(bounds.maxBytes)
        .appendInt8(0) // what replicas in sync have, whether a transaction has ended or not
        .appendInt32(0) // no session
        .appendInt32(-1)
        .appendInt32(1)
        .appendString(topic, false)
        .appendInt32(partitions.length);
      for (const { partition, offset, maxBytes } of partitions)
        writer
          .appendInt32(partition)
          .appendInt32(-1)
          .appendInt64(BigInt(offset))
          .appendInt64(-1n)
          .appendInt32(maxBytes);
      return writer.appendInt32(0).appendString('', false);
    },
    (_correlation, _key, _version, reader) => parse(reader, pool),
    false,
    false,
    (error, answer) => (error ? reject(error) : resolve(answer ?? [])),
  );
  return promise;
}

function parse(reader: Reader, pool: BufferPool): readonly FetchedPartition[] {
  const fetched: FetchedPartition[] = [];
  reader.readInt32(); // throttled for so long
  reader.readInt16(); // of a session
  reader.readInt32();
  for (let topics = reader.readInt32(); topics > 0; topics--) {
    reader.readString(false);
    for (let left = reader.readInt32(); left > 0; left--) {
      const partition = reader.readInt32();
      const errorCode = reader.readInt16();
      const end = Number(reader.readInt64());
      reader.skip(16); // last stable offset, log start offset
      const aborted = reader.readInt32();
      if (aborted > 0) reader.skip(16 * aborted);
      reader.skip(4); // preferred replica
      fetched.push({ partition, errorCode, end, records: takeBytes(reader, pool) });
    }
  }
  return fetched;
}

/** The bytes that come next, out of the pieces in which they came from the socket. */
function takeBytes(reader: Reader, pool: BufferPool): Buffer {
  const size = reader.readInt32();
  if (size <= 0) return NO_RECORDS;
  const out = pool.take(size);
  let skip = reader.position;
  let filled = 0;
  for (const piece of reader.buffer.buffers) {
    if (filled === size) break;
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    filled += piece.copy(out, filled, skip, Math.min(piece.length, skip + size - filled));
    skip = 0;
  }
  if (filled < size) throw new Error('the answer is shorter than it says');
  reader.skip(size);
  return out;
}
