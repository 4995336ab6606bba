/**
 * Lines of files, one after another: plain, `.gz`, `.zst`, or standard input as `-`. Streaming: memory is bounded by the
 * longest line. Progress counts bytes as they lie on disk.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { SpanwardenError } from '../errors.ts';

export interface ReadProgress {
  readonly input: string;
  /** Bytes read of all inputs so far, and in all; 0 in all when standard input is among them. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly lines: number;
}

export interface LineOptions {
  readonly onProgress?: (progress: ReadProgress) => void;
  readonly signal?: AbortSignal;
  /** A longer line is an error: it would have to be held in memory whole. */
  readonly maxLineBytes?: number;
  /** Standard input, for tests. */
  readonly stdin?: Readable;
}

const MAX_LINE_BYTES = 512 * 1024 * 1024;
const NEWLINE = 10;

/** Every line with its input and number from 1, without line end; empty ones too. Throws INPUT_UNREADABLE, STOPPED. */
export async function* readLines(
  inputs: readonly string[],
  options: LineOptions = {},
): AsyncGenerator<{ readonly input: string; readonly number: number; readonly text: string }> {
  const totalBytes = await totalOf(inputs);
  const counted = { bytes: 0, lines: 0 };
  for (const input of inputs) {
    let number = 0;
    for await (const text of linesOf(input, options, (bytes) => {
      counted.bytes += bytes;
    })) {
      number++;
      counted.lines++;
      yield { input, number, text };
      options.onProgress?.({ input, bytes: counted.bytes, totalBytes, lines: counted.lines });
    }
  }
}

async function* linesOf(input: string, options: LineOptions, read: (bytes: number) => void): AsyncGenerator<string> {
  const { signal, maxLineBytes = MAX_LINE_BYTES } = options;
  const source: Readable =
    input === '-' ? (options.stdin ?? process.stdin) : createReadStream(input, { highWaterMark: 1 << 20 });
  source.on('data', (chunk: Buffer) => read(chunk.length));
  source.pause();
  const stream = decompressed(input, source);
  let pieces: Buffer[] = [];
  let held = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (signal?.aborted === true) throw new SpanwardenError('STOPPED', 'stopped while reading');
      let from = 0;
      for (;;) {
        const end = chunk.indexOf(NEWLINE, from);
        if (end < 0) break;
        pieces.push(chunk.subarray(from, end));
        yield lineOf(pieces);
        pieces = [];
        held = 0;
        from = end + 1;
      }
      pieces.push(chunk.subarray(from));
      held += chunk.length - from;
      if (held > maxLineBytes) {
        throw new SpanwardenError('INPUT_UNREADABLE', `${nameOf(input)}: a line is longer than ${maxLineBytes} bytes`);
      }
    }
    if (held > 0) yield lineOf(pieces);
  } catch (error) {
    throw readable(input, error);
  } finally {
    source.destroy();
    stream.destroy();
  }
}

function decompressed(input: string, source: Readable): Readable {
  const decoder = input.endsWith('.gz') ? createGunzip() : input.endsWith('.zst') ? createZstdDecompress() : undefined;
  if (decoder === undefined) return source;
  source.on('error', (error) => decoder.destroy(error));
  return source.pipe(decoder);
}

const lineOf = (pieces: readonly Buffer[]): string => {
  const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  const end = bytes.length > 0 && bytes[bytes.length - 1] === 13 ? bytes.length - 1 : bytes.length;
  return bytes.toString('utf8', 0, end);
};

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

const nameOf = (input: string): string => (input === '-' ? 'standard input' : input);

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
