/** Writes lines to a file, `.gz` and `.zst` compressed, or to standard output as `-`; whole or not at all. */

import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { SpanwardenError } from '../errors.ts';

export interface LineWriter {
  /** Takes text with its line end; resolves when more may come. */
  write(text: string): Promise<void>;
  /** The file is complete under its name. Throws INPUT_UNREADABLE, DISK_FULL. */
  close(): Promise<void>;
  /** Nothing is left of it. */
  discard(): Promise<void>;
}

const BUFFERED = 64 * 1024;

export function createLineWriter(path: string, stdout: Writable = process.stdout): LineWriter {
  const toStdout = path === '-';
  const temporary = `${path}.part`;
  const file: Writable = toStdout ? stdout : createWriteStream(temporary);
  const encoder = path.endsWith('.gz') ? createGzip() : path.endsWith('.zst') ? createZstdCompress() : undefined;
  const target: Writable = encoder ?? file;
  if (encoder !== undefined) encoder.pipe(file);
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
  };
  file.on('error', fail);
  if (encoder !== undefined) {
    encoder.on('error', fail);
    file.on('error', (error: Error) => encoder.destroy(error));
  }
  let buffered = '';

  async function flush(): Promise<void> {
    if (failure !== undefined) throw writable(path, failure);
    const text = buffered;
    buffered = '';
    if (text === '') return;
    if (target.write(text)) return;
    await drained(target);
    if (failure !== undefined) throw writable(path, failure);
  }

  return {
    async write(text) {
      buffered += text;
      if (buffered.length >= BUFFERED) await flush();
    },
    async close() {
      await flush();
      if (toStdout) return;
      target.end();
      await finished(file).catch(fail);
      if (failure !== undefined) throw writable(path, failure);
      await rename(temporary, path);
    },
    async discard() {
      if (toStdout) return;
      target.destroy();
      file.destroy();
      await rm(temporary, { force: true });
    },
  };
}

/** Resolves when the stream takes more, or never will. */
const drained = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    stream.on('drain', done).on('close', done).on('error', done);
  });

function writable(path: string, error: unknown): SpanwardenError {
  const full = (error as { code?: string }).code === 'ENOSPC';
  const why = full ? 'the disk is full' : String((error as Error).message ?? error);
  return new SpanwardenError(full ? 'DISK_FULL' : 'INPUT_UNREADABLE', `cannot write ${path}: ${why}`, { cause: error });
}
