/**
 * Zstandard input of any number of frames (RFC 8878 §3), as `cat a.zst b.zst`, parallel compressors and writers that were
 * restarted make it. Node's decoder takes the first frame and says nothing of what follows (seen with 24.21), so frames are
 * found here, by their block headers, and each gets a decoder.
 */
import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';

const MAGIC = 0xfd2fb528;
/** The 16 magic numbers of frames to skip differ in their lowest four bits (§3.1.2). */
const SKIPPABLE = 0x184d2a50;

export const isZstd = (head: Uint8Array): boolean => head.length >= 4 && uint32(head) === MAGIC;

const uint32 = (bytes: Uint8Array): number =>
  (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;

/** All frames decompressed, one after another. Throws what Node's decoder throws for damaged and cut frames. */
export async function* unzstd(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const bytes = createByteReader(chunks);
  try {
    for (;;) {
      const magic = await bytes.peek(4);
      if (magic.length === 0) return;
      if (magic.length === 4 && (uint32(magic) & 0xfffffff0) >>> 0 === SKIPPABLE) {
        const header = await bytes.peek(8);
        for await (const _ of bytes.take(8 + (header.length < 8 ? 0 : uint32(header.subarray(4)))));
        continue;
      }
      const decoder = createZstdDecompress();
      const source = Readable.from(frame(bytes));
      source.on('error', (error) => decoder.destroy(error));
      try {
        yield* source.pipe(decoder) as AsyncIterable<Buffer>;
      } finally {
        source.destroy();
        decoder.destroy();
      }
    }
  } finally {
    await bytes.close();
  }
}

/** The bytes of the frame that begins here. What is no frame is given as it is: the decoder refuses it. */
async function* frame(bytes: ByteReader): AsyncGenerator<Buffer> {
  const start = await bytes.peek(5);
  if (!isZstd(start)) {
    yield* bytes.take(Number.POSITIVE_INFINITY);
    return;
  }
  const descriptor = start[4] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  const window = singleSegment ? 0 : 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const size = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  yield* bytes.take(5 + window + dictionary + size);
  for (let last = false; !last; ) {
    const header = await bytes.peek(3);
    if (header.length < 3) {
      yield* bytes.take(3);
      return;
    }
    const block = header[0]! | (header[1]! << 8) | (header[2]! << 16);
    last = (block & 1) !== 0;
    const isRun = ((block >>> 1) & 3) === 1; // one byte, repeated
    yield* bytes.take(3 + (isRun ? 1 : block >>> 3));
  }
  if ((descriptor & 4) !== 0) yield* bytes.take(4); // checksum
}

interface ByteReader {
  /** The next bytes, fewer at the end; they stay. */
  peek(count: number): Promise<Buffer>;
  /** The next bytes in pieces, fewer at the end. */
  take(count: number): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

function createByteReader(chunks: AsyncIterable<Buffer>): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    const next = await iterator.next();
    if (next.done === true) return false;
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return true;
  }

  return {
    async peek(count) {
      while (held.length < count && (await more()));
      return held.subarray(0, count);
    },
    async *take(count) {
      for (let left = count; left > 0 && (held.length > 0 || (await more())); ) {
        const piece = held.subarray(0, left);
        held = held.subarray(piece.length);
        left -= piece.length;
        yield piece;
      }
    },
    async close() {
      await iterator.return?.();
    },
  };
}
