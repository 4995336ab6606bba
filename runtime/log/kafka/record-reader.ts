/**
 * Reads records out of what a fetch brought, a batch at a time, and only as many as are asked for. Values are copied
 * into slabs of 64 KB: who keeps a value must not keep the megabyte that came with it.
 */
import { COMPRESSION_MASK, decompress } from './compression.ts';
import type { Library } from './library.ts';

/** One record in place: valid until the next is read. Negative starts stand for null. */
export interface RawRecord {
  offset: number;
  timestampMs: number;
  bytes: Buffer;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
  headersStart: number;
  headers: number;
}

export interface RecordReader {
  /**
   * What one partition's fetch brought, to be read after what is there already. Returns the offset to fetch from next;
   * undefined when no whole batch is in it.
   */
  add(bytes: Buffer): number | undefined;
  /** Bytes not read yet, as they came. */
  readonly pendingBytes: number;
  /** Puts the next record at or after `position` into `record`; false when there is none. */
  next(): boolean;
  /** The record that next() found is read again by the next call of next(). */
  putBack(): void;
  readonly record: RawRecord;
  /** Offset after everything read or skipped so far. */
  readonly position: number;
  clear(position: number): void;
}

const HEAD = 61;
/** Of the formats before Kafka 0.11, which are one record, or one with others compressed in it. */
const OLD_HEAD = 26;
const MAGIC_AT = 16;
const CRC_AT = 17;
/** Where the part begins that the checksum covers. */
const ATTRIBUTES_AT = 21;
const LOG_APPEND_TIME = 8;
const CONTROL_BATCH = 32;
const NOTHING = Buffer.alloc(0);

const readOffset = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4);

/** Offset after the batch that begins at `from`. */
const nextOffset = (bytes: Buffer, from: number): number =>
  // the older formats bear the offset of the last record in them
  readOffset(bytes, from) + (bytes[from + MAGIC_AT]! < 2 ? 1 : bytes.readInt32BE(from + 23) + 1);

export function createRecordReader(
  library: Library,
  startAt: number,
  unreadable: (offset: number, next: number, reason: string) => void,
  /** What add() was given is not needed any more. */
  release: (bytes: Buffer) => void = () => {},
): RecordReader {
  let chunks: Buffer[] = [];
  let pendingBytes = 0;
  /** Position in chunks[0] of the next batch. */
  let chunkAt = 0;
  let position = startAt;
  // the batch being read
  let bytes: Buffer = NOTHING;
  let at = 0;
  let left = 0;
  let baseOffset = 0;
  let nextBatchOffset = startAt;
  let baseTimestamp = 0;
  let appendTime = false;
  let recordStart = 0;
  let positionBefore = startAt;
  const record: RawRecord = {
    offset: 0,
    timestampMs: 0,
    bytes: NOTHING,
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
    valueEnd: 0,
    headersStart: 0,
    headers: 0,
  };

  function readVarint(): number {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      if (at >= bytes.length || shift > 28) throw new Error('a record is cut off');
      byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f);
    return (value >>> 1) ^ -(value & 1);
  }

  /** Zigzag of up to 64 bits; exact up to 2^53. */
  function readVarlong(): number {
    let value = 0;
    let factor = 1;
    let byte: number;
    do {
      if (at >= bytes.length) throw new Error('a record is cut off');
      byte = bytes[at++]!;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte > 0x7f);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Begins the next batch; false when nothing whole is left. */
  function nextBatch(): boolean {
    for (;;) {
      if (nextBatchOffset > position) position = nextBatchOffset;
      const chunk = chunks[0];
      if (!chunk) return false;
      if (chunkAt === chunk.length) {
        chunks.shift();
        chunkAt = 0;
        bytes = NOTHING;
        release(chunk);
        continue;
      }
      const length = 12 + chunk.readInt32BE(chunkAt + 8);
      const from = chunkAt;
      chunkAt += length;
      pendingBytes -= length;
      baseOffset = readOffset(chunk, from);
      nextBatchOffset = nextOffset(chunk, from);
      if (nextBatchOffset <= position) continue;
      try {
        const magic = chunk[from + MAGIC_AT]!;
        if (magic !== 2) throw new Error(`batch format ${magic} is not that of Kafka 0.11 and later`);
        if (library.crc32c(chunk.subarray(from + ATTRIBUTES_AT, from + length)) !== chunk.readUInt32BE(from + CRC_AT))
          throw new Error('the checksum of a batch does not fit');
        const attributes = chunk.readInt16BE(from + ATTRIBUTES_AT);
        if ((attributes & CONTROL_BATCH) !== 0) continue;
        const compression = attributes & COMPRESSION_MASK;
        appendTime = (attributes & LOG_APPEND_TIME) !== 0;
        baseTimestamp = readOffset(chunk, from + (appendTime ? 35 : 27));
        const count = chunk.readInt32BE(from + 57);
        if (count < 0) throw new Error('a batch has fewer records than none');
        if (count === 0) continue; // compaction took them all
        const body = chunk.subarray(from + HEAD, from + length);
        bytes = compression === 0 ? body : decompress(compression, body, library);
        at = 0;
        left = count;
        return true;
      } catch (error) {
        lose(error);
      }
    }
  }

  /** What cannot be read is left out, and told. */
  function lose(error: unknown): void {
    unreadable(position, nextBatchOffset, error instanceof Error ? error.message : String(error));
    left = 0;
    position = nextBatchOffset;
  }

  function readRecord(): void {
    recordStart = at;
    const length = readVarint();
    const end = at + length;
    if (length < 0 || end > bytes.length) throw new Error('a record is cut off');
    at++; // attributes
    const timestampDelta = readVarlong();
    record.offset = baseOffset + readVarint();
    record.timestampMs = appendTime ? baseTimestamp : baseTimestamp + timestampDelta;
    record.bytes = bytes;
    const keyLength = readVarint();
    record.keyStart = keyLength < 0 ? -1 : at;
    if (keyLength > 0) at += keyLength;
    record.keyEnd = at;
    const valueLength = readVarint();
    record.valueStart = valueLength < 0 ? -1 : at;
    if (valueLength > 0) at += valueLength;
    record.valueEnd = at;
    record.headers = readVarint();
    record.headersStart = at;
    if (at > end) throw new Error('a record is longer than it says');
    at = end;
  }

  return {
    record,
    add(chunk) {
      let from = 0;
      let next: number | undefined;
      // the end of what a fetch brings may be part of a batch
      while (chunk.length - from >= OLD_HEAD) {
        const length = 12 + chunk.readInt32BE(from + 8);
        const head = chunk[from + MAGIC_AT]! < 2 ? OLD_HEAD : HEAD;
        if (length < head || from + length > chunk.length) break;
        next = nextOffset(chunk, from);
        from += length;
      }
      if (from > 0) {
        chunks.push(chunk.subarray(0, from));
        pendingBytes += from;
      } else if (chunk.length > 0) release(chunk);
      return next;
    },
    get pendingBytes() {
      return pendingBytes + (left > 0 ? bytes.length - at : 0);
    },
    next() {
      for (;;) {
        if (left === 0) {
          bytes = NOTHING;
          if (!nextBatch()) return false;
        }
        try {
          left--;
          readRecord();
        } catch (error) {
          lose(error);
          continue;
        }
        if (record.offset < position) continue;
        positionBefore = position;
        position = record.offset + 1;
        return true;
      }
    },
    putBack() {
      left++;
      at = recordStart;
      position = positionBefore;
    },
    get position() {
      return position;
    },
    clear(offset) {
      for (const chunk of chunks) release(chunk);
      chunks = [];
      pendingBytes = 0;
      chunkAt = 0;
      left = 0;
      bytes = NOTHING;
      position = offset;
      nextBatchOffset = offset;
    },
  };
}

export interface Slab {
  /** A copy that is safe to keep. */
  copy(bytes: Buffer, start: number, end: number): Uint8Array;
}

const SLAB_BYTES = 65_536;
/** Larger values get memory of their own. */
const SLAB_VALUE_BYTES = 16_384;
const EMPTY = new Uint8Array(0);

export function createSlab(): Slab {
  let slab: ArrayBuffer = new ArrayBuffer(0);
  let used = 0;
  return {
    copy(bytes, start, end) {
      const size = end - start;
      if (size <= 0) return EMPTY;
      if (size > SLAB_VALUE_BYTES) {
        const own = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
        own.set(bytes.subarray(start, end));
        return own;
      }
      if (used + size > slab.byteLength) {
        slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer as ArrayBuffer;
        used = 0;
      }
      const view = new Uint8Array(slab, used, size);
      view.set(bytes.subarray(start, end));
      used += size;
      return view;
    },
  };
}
