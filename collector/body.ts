/**
 * Collects one request body from its chunks, decompressing as they come. The size limit applies to what comes out, and
 * every byte held is taken from the budget first, so a gzip bomb ends at the limit and not at the machine's memory.
 */
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import type { Lease } from './budget.ts';

export type BodyEncoding = 'identity' | 'gzip' | 'zstd';
/** `too_large`: over the limit after decompression. `corrupt`: not what its encoding says. `overload`: the budget is spent. */
export type BodyProblem = 'too_large' | 'corrupt' | 'overload';

export interface BodyReader {
  write(chunk: Uint8Array): void;
  /** Nothing more will come: the result follows. */
  end(): void;
  /** Nobody waits for the result any more. */
  abort(): void;
}

/** A kept chunk costs this beside its bytes: a sender that dribbles single bytes pays for their objects too. */
const CHUNK_BYTES = 128;
/** A decompressor's own state. */
const DECOMPRESSOR_BYTES = 65_536;
/** Decompressors hand out what they have in pieces of this size: fewer, larger trips through the thread pool. */
const PIECE_BYTES = 131_072;

/** `done` is called once, with the whole body or what is wrong with it; not after `abort`. */
export function createBodyReader(
  encoding: BodyEncoding,
  maxBytes: number,
  lease: Lease,
  done: (result: Buffer | BodyProblem) => void,
): BodyReader {
  return encoding === 'identity'
    ? createPlainReader(maxBytes, lease, done)
    : createDecompressor(encoding, maxBytes, lease, done);
}

function createPlainReader(maxBytes: number, lease: Lease, done: (result: Buffer | BodyProblem) => void): BodyReader {
  let parts: Uint8Array[] = [];
  let length = 0;
  let over = false;
  const finish = (result: Buffer | BodyProblem): void => {
    over = true;
    parts = [];
    done(result);
  };
  return {
    write(chunk) {
      if (over) return;
      length += chunk.length;
      if (length > maxBytes) finish('too_large');
      else if (!lease.grow(chunk.length + CHUNK_BYTES)) finish('overload');
      else parts.push(unpinned(chunk));
    },
    end() {
      if (!over) finish(Buffer.concat(parts, length));
    },
    abort() {
      over = true;
      parts = [];
    },
  };
}

/** A small piece of a large read buffer would keep all of it: such a piece is copied. */
const unpinned = (chunk: Uint8Array): Uint8Array =>
  chunk.length * 8 < chunk.buffer.byteLength ? new Uint8Array(chunk) : chunk;

/** A zstd frame names the window it needs, up to 128 MB by default: none beyond what the limit lets out. */
const zstdWindowLog = (maxBytes: number): number => Math.min(27, Math.max(23, Math.ceil(Math.log2(maxBytes))));

function createDecompressor(
  encoding: 'gzip' | 'zstd',
  maxBytes: number,
  lease: Lease,
  done: (result: Buffer | BodyProblem) => void,
): BodyReader {
  const stream: Gunzip | ZstdDecompress =
    encoding === 'gzip'
      ? createGunzip({ chunkSize: PIECE_BYTES })
      : createZstdDecompress({
          chunkSize: PIECE_BYTES,
          params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog(maxBytes) },
        });
  const output = createPlainReader(maxBytes, lease, (result) => {
    over = true;
    stream.destroy();
    done(result);
  });
  let compressed = 0;
  let over = false;
  const fail = (problem: BodyProblem): void => {
    if (over) return;
    over = true;
    output.abort();
    stream.destroy();
    done(problem);
  };
  stream.on('data', (piece: Buffer) => output.write(piece));
  stream.on('end', () => output.end());
  stream.on('error', () => fail('corrupt'));
  return {
    write(chunk) {
      if (over) return;
      compressed += chunk.length;
      // The limit holds for the compressed form too: empty gzip members could go on for ever without any output.
      if (compressed > maxBytes) fail('too_large');
      else if (!lease.grow(chunk.length + (compressed === chunk.length ? DECOMPRESSOR_BYTES : 0))) fail('overload');
      else stream.write(chunk);
    },
    end() {
      if (over) return;
      if (compressed === 0) fail('corrupt');
      else stream.end();
    },
    abort() {
      if (over) return;
      over = true;
      output.abort();
      stream.destroy();
    },
  };
}
