/** One Fetch request (version 11): its records stay as they came, to be read when there is time for them. */
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
    parse,
    false,
    false,
    (error, answer) => (error ? reject(error) : resolve(answer ?? [])),
  );
  return promise;
}

function parse(_correlation: number, _key: number, _version: number, reader: Reader): readonly FetchedPartition[] {
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
      fetched.push({ partition, errorCode, end, records: reader.readNullableBytes(false) ?? NO_RECORDS });
    }
  }
  return fetched;
}
