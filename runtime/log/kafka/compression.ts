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
  if (bits !== SNAPPY && bits !== LZ4) throw new Error(`unknown compression ${bits}`);
  // these decoders take no bound, so that what they are given must tell beforehand
  const size = bits === SNAPPY ? snappySize(bytes) : lz4Size(bytes);
  if (size > maxBytes) throw new Error(`a batch would unpack to ${size} bytes, more than ${maxBytes}`);
  const { snappy, lz4 } = library.compressionsAlgorithms;
  return (bits === SNAPPY ? snappy : lz4).decompressSync(bytes);
}

/** In front of what Java's clients compress: blocks, each with its length. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD = 16;

/** What snappy blocks say that they hold (github.com/google/snappy, format_description.txt). */
function snappySize(bytes: Buffer): number {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return snappyBlockSize(bytes, 0);
  let size = 0;
  for (let at = XERIAL_HEAD; at + 4 < bytes.length; at += 4 + bytes.readUInt32BE(at))
    size += snappyBlockSize(bytes, at + 4);
  return size;
}

function snappyBlockSize(bytes: Buffer, start: number): number {
  let size = 0;
  for (let i = 0; i < 5 && start + i < bytes.length; i++) {
    const byte = bytes[start + i]!;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return size;
}

const LZ4_MAGIC = 0x184d2204;
/** No lz4 block holds more than this by byte: a run costs one byte for each 255. */
const LZ4_RATIO = 255;

/** At most as much as lz4 frames hold: exact but for the last block of each (github.com/lz4/lz4, lz4_Frame_format.md). */
function lz4Size(bytes: Buffer): number {
  let size = 0;
  let at = 0;
  while (at + 7 <= bytes.length && bytes.readUInt32LE(at) === LZ4_MAGIC) {
    const flags = bytes[at + 4]!;
    const blockBytes = 2 ** (8 + 2 * ((bytes[at + 5]! >> 4) & 7));
    at += 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
    for (;;) {
      if (at + 4 > bytes.length) return size;
      const word = bytes.readUInt32LE(at);
      at += 4;
      if (word === 0) break;
      const length = word & 0x7fffffff;
      size += word >= 0x80000000 ? length : Math.min(blockBytes, LZ4_RATIO * length);
      at += length + ((flags & 0x10) !== 0 ? 4 : 0);
    }
    if ((flags & 0x04) !== 0) at += 4;
  }
  return size;
}
