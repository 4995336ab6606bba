/**
 * A frame: records of one partition in one piece of bytes, appended and read together. Per record: kind (bit 7 set when
 * the key is not ASCII), key length (2 bytes), value length (4 bytes), key, value; little-endian.
 */
import type { RecordKind } from '../../schemas/log/topics.ts';
import type { LogRecord, NewRecord } from './port.ts';

const HEAD = 7;
const WIDE_KEY = 0x80;
export const MAX_KEY_BYTES = 0xffff;

/** Frames are closed at this size; one record larger than it gets a frame of its own. */
export const FRAME_BYTES = 65_536;

/** Upper bound of the bytes a record takes in a frame. */
export const recordSize = (record: NewRecord): number => HEAD + 3 * record.key.length + record.value.length;

function writeKey(buffer: Buffer, at: number, key: string): { bytes: number; wide: boolean } {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return { bytes: buffer.write(key, at, 'utf8'), wide: true };
    buffer[at + i] = code;
  }
  return { bytes: key.length, wide: false };
}

/** Encodes `records[from…to)` of one partition; the result has an ArrayBuffer of its own, fit to be transferred. */
export function encodeFrame(records: readonly NewRecord[], from: number, to: number): Uint8Array<ArrayBuffer> {
  let bound = 0;
  let narrow = true;
  for (let i = from; i < to; i++) {
    const { key, value } = records[i]!;
    bound += HEAD + key.length + value.length;
    for (let c = 0; narrow && c < key.length; c++) narrow = key.charCodeAt(c) <= 0x7f;
    if (!narrow) bound += 2 * key.length;
  }
  const bytes = new Uint8Array(bound);
  const buffer = Buffer.from(bytes.buffer);
  let at = 0;
  for (let i = from; i < to; i++) {
    const { kind, key, value } = records[i]!;
    const written = writeKey(buffer, at + HEAD, key);
    bytes[at] = written.wide ? kind | WIDE_KEY : kind;
    bytes[at + 1] = written.bytes & 0xff;
    bytes[at + 2] = written.bytes >>> 8;
    bytes[at + 3] = value.length & 0xff;
    bytes[at + 4] = (value.length >>> 8) & 0xff;
    bytes[at + 5] = (value.length >>> 16) & 0xff;
    bytes[at + 6] = value.length >>> 24;
    at += HEAD + written.bytes;
    bytes.set(value, at);
    at += value.length;
  }
  return at === bound ? bytes : bytes.slice(0, at);
}

/** A frame as the store gives it back. */
export interface StoredFrame {
  readonly baseOffset: number;
  readonly count: number;
  readonly appendMs: number;
  readonly bytes: Uint8Array;
}

/** Appends to `out` the records of a frame from `fromOffset` on; values are slices of the frame. */
export function decodeFrame(frame: StoredFrame, partition: number, fromOffset: number, out: LogRecord[]): void {
  const { bytes, baseOffset, count, appendMs } = frame;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const head = bytes[at]!;
    const keyLength = bytes[at + 1]! | (bytes[at + 2]! << 8);
    const valueLength =
      (bytes[at + 3]! | (bytes[at + 4]! << 8) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 24)) >>> 0;
    const keyAt = at + HEAD;
    const valueAt = keyAt + keyLength;
    at = valueAt + valueLength;
    if (baseOffset + i < fromOffset) continue;
    out.push({
      partition,
      offset: baseOffset + i,
      appendMs,
      kind: (head & 0x7f) as RecordKind,
      key: buffer.toString(head & WIDE_KEY ? 'utf8' : 'latin1', keyAt, valueAt),
      value: bytes.subarray(valueAt, at),
    });
  }
}
