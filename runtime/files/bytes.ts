/**
 * Bytes of files, one file after another, decompressed: plain, gzip or Zstandard, told apart by their first bytes, or standard
 * input as `-`. Progress counts bytes as they lie on disk.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SpanwardenError } from '../errors.ts';
import { isZstd, unzstd } from './zstd-frames.ts';

export interface ReadProgress {
  readonly input: string;
  /** Bytes read of all inputs so far, and in all; 0 in all when standard input is among them. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Lines so far; in formats without lines, elements. */
  readonly lines: number;
}

export interface ReadOptions {
  readonly onProgress?: (progress: ReadProgress) => void;
  readonly signal?: AbortSignal;
  /** A longer line, document or message is an error: it would have to be held in memory whole. */
  readonly maxLineBytes?: number;
  /** Standard input, for tests. */
  readonly stdin?: Readable;
}

/** Just under the longest string V8 makes (2²⁹ − 24 characters). */
export const MAX_LINE_BYTES = 512 * 1024 * 1024 - 64;

export interface InputBytes {
  /** Decompressed bytes in chunks. Throws INPUT_UNREADABLE, STOPPED. */
  chunks(input: string): AsyncGenerator<Buffer>;
  /** One more line or element of `input` was read and used. */
  told(input: string): void;
}

/** Throws INPUT_UNREADABLE for an input that is not there or a directory, before anything is read. */
export async function openInputs(inputs: readonly string[], options: ReadOptions = {}): Promise<InputBytes> {
  const totalBytes = await totalOf(inputs);
  let bytes = 0;
  let lines = 0;
  return {
    async *chunks(input) {
      const source: Readable =
        input === '-' ? (options.stdin ?? process.stdin) : createReadStream(input, { highWaterMark: 1 << 20 });
      try {
        const raw = counted(source, (count) => {
          bytes += count;
        });
        const { head, rest } = await peek(raw, MAGIC_BYTES);
        for await (const chunk of decompressed(input, head, rest)) {
          if (options.signal?.aborted === true) throw new SpanwardenError('STOPPED', 'stopped while reading');
          yield chunk;
        }
      } catch (error) {
        throw readable(input, error);
      } finally {
        source.destroy();
      }
    },
    told(input) {
      lines++;
      options.onProgress?.({ input, bytes, totalBytes, lines });
    },
  };
}

/** The first bytes, and all chunks with these again in front. `head` is shorter only when there is no more. */
export async function peek(
  chunks: AsyncIterable<Buffer>,
  count: number,
): Promise<{ readonly head: Buffer; readonly rest: AsyncGenerator<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  for (let held = 0; held < count; ) {
    const next = await iterator.next();
    if (next.done === true) break;
    seen.push(next.value);
    held += next.value.length;
  }
  const all = seen.length === 1 ? seen[0]! : Buffer.concat(seen);
  async function* again(): AsyncGenerator<Buffer> {
    try {
      if (all.length > 0) yield all;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: all.subarray(0, count), rest: again() };
}

async function* counted(source: Readable, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}

const MAGIC_BYTES = 4;

/** An empty file that calls itself compressed is one that was cut short. */
function decompressed(input: string, head: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const empty = head.length === 0;
  if ((head[0] === 0x1f && head[1] === 0x8b) || (empty && input.endsWith('.gz'))) return gunzip(chunks);
  if (isZstd(head)) return unzstd(chunks);
  if (empty && input.endsWith('.zst')) {
    throw new SpanwardenError('INPUT_UNREADABLE', `${nameOf(input)}: it is damaged or cut short`);
  }
  return chunks;
}

async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = createGunzip();
  const source = Readable.from(chunks);
  source.on('error', (error) => decoder.destroy(error));
  try {
    yield* source.pipe(decoder) as AsyncIterable<Buffer>;
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

async function totalOf(inputs: readonly string[]): Promise<number> {
  let total = 0;
  for (const input of inputs) {
    if (input === '-') return 0;
    try {
      const facts = await stat(input);
      if (facts.isDirectory()) throw new SpanwardenError('INPUT_UNREADABLE', `${input} is a directory`);
      total += facts.size;
    } catch (error) {
      throw readable(input, error);
    }
  }
  return total;
}

export const nameOf = (input: string): string => (input === '-' ? 'standard input' : input);

function readable(input: string, error: unknown): unknown {
  if (error instanceof SpanwardenError) return error;
  const code = (error as { code?: string }).code ?? '';
  const why =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EACCES'
        ? 'it may not be read'
        : code.startsWith('Z_') || code.startsWith('ZSTD') || code.includes('zstd')
          ? 'it is damaged or cut short'
          : String((error as Error).message ?? error);
  return new SpanwardenError('INPUT_UNREADABLE', `${nameOf(input)}: ${why}`, { cause: error });
}
