/** Records whose spans are held: the bytes by reference, with a count of the spans that need them. */
import { createFreeList, grownFloat64, grownInt32 } from './columns.ts';

/** What a held record costs beside its bytes: the view, its buffer, the row (measured, test/bench/traces.bench.ts). */
const RECORD_OVERHEAD_BYTES = 200;

export interface RecordPool {
  readonly bytes: (Uint8Array | null)[];
  offset: Float64Array;
  appendMs: Float64Array;
  references: Int32Array;
  /** Index in the list being built, valid while its stamp is the builder's. */
  stamp: Int32Array;
  index: Int32Array;
  /** Bytes held by all records. */
  heldBytes: number;
  take(bytes: Uint8Array, offset: number, appendMs: number): number;
  /** One span less; frees the record with the last. */
  release(record: number): void;
}

export function createRecordPool(): RecordPool {
  const rows = createFreeList(1024);
  const pool: RecordPool = {
    bytes: [],
    offset: new Float64Array(1024),
    appendMs: new Float64Array(1024),
    references: new Int32Array(1024),
    stamp: new Int32Array(1024),
    index: new Int32Array(1024),
    heldBytes: 0,
    take(bytes, offset, appendMs) {
      let row = rows.take();
      if (row < 0) {
        const size = rows.capacity * 2;
        pool.offset = grownFloat64(pool.offset, size);
        pool.appendMs = grownFloat64(pool.appendMs, size);
        pool.references = grownInt32(pool.references, size);
        pool.stamp = grownInt32(pool.stamp, size);
        pool.index = grownInt32(pool.index, size);
        rows.grown(size);
        row = rows.take();
      }
      pool.bytes[row] = bytes;
      pool.offset[row] = offset;
      pool.appendMs[row] = appendMs;
      pool.references[row] = 0;
      pool.heldBytes += bytes.length + RECORD_OVERHEAD_BYTES;
      return row;
    },
    release(record) {
      if (--pool.references[record]! > 0) return;
      pool.heldBytes -= pool.bytes[record]!.length + RECORD_OVERHEAD_BYTES;
      pool.bytes[record] = null;
      rows.give(record);
    },
  };
  return pool;
}
