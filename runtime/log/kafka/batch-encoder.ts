/** Makes batches of records, compressed as configured, in buffers that are used again. */
import type { NewRecord } from '../port.ts';
import { createBufferPool } from './buffer-pool.ts';
import { type CompressionName, createCompressor } from './compression.ts';
import type { Library } from './library.ts';
import type { ProducerId } from './producer-id.ts';
import { BATCH_HEAD_BYTES, writeBatchHead, writeProducer, writeRecords } from './record-batch.ts';

export interface BatchEncoder {
  /** `bound`: bytes that the batch takes uncompressed, at most. */
  encode(records: readonly NewRecord[], bound: number, producer: ProducerId, sequence: number): Buffer;
  /** Puts another producer in. */
  renumber(batch: Buffer, producer: ProducerId, sequence: number): void;
  /** The batch has arrived: its buffer is free. */
  release(batch: Buffer): void;
}

const POOL_BYTES = 32 * 1_048_576;
/** Encoding happens in one buffer when the result is compressed, that is, copied; a larger one is not kept. */
const SCRATCH_BYTES = 4 * 1_048_576;

export function createBatchEncoder(compression: CompressionName, library: Library): BatchEncoder {
  const compressor = createCompressor(compression, library);
  const pool = createBufferPool(POOL_BYTES);
  let scratch = Buffer.allocUnsafe(0);

  function bodied(records: readonly NewRecord[], bound: number): Buffer {
    if (compressor.bits === 0) {
      const bytes = pool.take(bound);
      return bytes.subarray(0, writeRecords(bytes, BATCH_HEAD_BYTES, records, 0, records.length));
    }
    let plain = scratch;
    if (plain.length < bound) {
      plain = Buffer.allocUnsafe(Math.max(bound, SCRATCH_BYTES / 2));
      if (plain.length <= SCRATCH_BYTES) scratch = plain;
    }
    const compressed = compressor.compress(plain.subarray(0, writeRecords(plain, 0, records, 0, records.length)));
    const bytes = pool.take(BATCH_HEAD_BYTES + compressed.length);
    bytes.set(compressed, BATCH_HEAD_BYTES);
    return bytes;
  }

  return {
    encode(records, bound, { id, epoch }, sequence) {
      const bytes = bodied(records, bound);
      writeBatchHead(
        bytes,
        {
          count: records.length,
          timestampMs: Date.now(),
          compression: compressor.bits,
          producerId: id,
          producerEpoch: epoch,
          sequence,
        },
        library.crc32c,
      );
      return bytes;
    },
    renumber(batch, { id, epoch }, sequence) {
      writeProducer(batch, { producerId: id, producerEpoch: epoch, sequence }, library.crc32c);
    },
    release: pool.give,
  };
}
