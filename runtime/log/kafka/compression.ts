/** Compression of record batches. What is read is bounded: a small batch must not become gigabytes. */
import { gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Library } from './library.ts';

export type CompressionName = 'none' | 'lz4' | 'zstd';

/** Attribute bits of a batch. */
export const COMPRESSION_MASK = 7;
const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

/** More than this out of one batch is taken for an attack or a mistake. */
const MAX_BATCH_BYTES = 256 * 1_048_576;

export interface Compressor {
  /** Attribute bits; 0 = as it is. */
  readonly bits: number;
  compress(bytes: Buffer): Buffer;
}

export function createCompressor(name: CompressionName, library: Library): Compressor {
  if (name === 'lz4') return { bits: LZ4, compress: (bytes) => library.compressionsAlgorithms.lz4.compressSync(bytes) };
  if (name === 'zstd') return { bits: ZSTD, compress: (bytes) => zstdCompressSync(bytes) };
  return { bits: 0, compress: (bytes) => bytes };
}

/** Throws when it is damaged, unknown or too large. */
export function decompress(bits: number, bytes: Buffer, library: Library, maxBytes = MAX_BATCH_BYTES): Buffer {
  const limit = { maxOutputLength: maxBytes };
  if (bits === GZIP) return gunzipSync(bytes, limit);
  if (bits === ZSTD) return zstdDecompressSync(bytes, limit);
  if (bits === SNAPPY) return library.compressionsAlgorithms.snappy.decompressSync(bytes);
  if (bits === LZ4) return library.compressionsAlgorithms.lz4.decompressSync(bytes);
  throw new Error(`unknown compression ${bits}`);
}
