/**
 * A growing byte buffer and free functions that append ClickHouse's RowBinary forms to it
 * (clickhouse.com/docs/interfaces/formats/RowBinary): no object and no intermediate buffer a value.
 */

export interface ByteSink {
  bytes: Buffer;
  length: number;
}

export const createByteSink = (capacity = 65_536): ByteSink => ({ bytes: Buffer.allocUnsafeSlow(capacity), length: 0 });

/** Makes room for `count` more bytes. */
export function reserve(sink: ByteSink, count: number): void {
  const needed = sink.length + count;
  if (needed <= sink.bytes.length) return;
  let capacity = sink.bytes.length * 2;
  while (capacity < needed) capacity *= 2;
  const grown = Buffer.allocUnsafeSlow(capacity);
  sink.bytes.copy(grown, 0, 0, sink.length);
  sink.bytes = grown;
}

/** Unsigned LEB128 of an integer below 2^53: lengths of strings, arrays and maps. */
export function writeVarUint(sink: ByteSink, value: number): void {
  reserve(sink, 8);
  const { bytes } = sink;
  let at = sink.length;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  sink.length = at;
}

export function writeUint8(sink: ByteSink, value: number): void {
  reserve(sink, 1);
  sink.bytes[sink.length++] = value;
}

export const writeBool = (sink: ByteSink, value: boolean): void => writeUint8(sink, value ? 1 : 0);

export function writeUint16(sink: ByteSink, value: number): void {
  reserve(sink, 2);
  const { bytes, length } = sink;
  bytes[length] = value;
  bytes[length + 1] = value >>> 8;
  sink.length = length + 2;
}

export function writeUint32(sink: ByteSink, value: number): void {
  reserve(sink, 4);
  const { bytes, length } = sink;
  bytes[length] = value;
  bytes[length + 1] = value >>> 8;
  bytes[length + 2] = value >>> 16;
  bytes[length + 3] = value >>> 24;
  sink.length = length + 4;
}

/** 64 bits given as two unsigned halves. */
export function writePair(sink: ByteSink, high: number, low: number): void {
  writeUint32(sink, low);
  writeUint32(sink, high);
}

/** A non-negative integer below 2^64, exact below 2^53; what is none (NaN, negative) is written as 0. */
export function writeUint64(sink: ByteSink, value: number): void {
  const whole = value > 0 ? Math.min(Math.floor(value), 2 ** 64 - 2_048) : 0;
  writePair(sink, Math.floor(whole / 4294967296), whole % 4294967296);
}

/** A signed integer within ±2^53: DateTime64 ticks. */
export function writeInt64(sink: ByteSink, value: number): void {
  const high = Math.floor(value / 4294967296);
  writePair(sink, high >>> 0, value - high * 4294967296);
}

const float = new Float64Array(1);
const floatHalves = new Uint32Array(float.buffer); // Node runs on little-endian machines only

export function writeFloat64(sink: ByteSink, value: number): void {
  float[0] = value;
  writePair(sink, floatHalves[1]!, floatHalves[0]!);
}

/** Copies a range without making a view of it first; works on any Uint8Array. */
const copyRange = Buffer.prototype.copy as unknown as (
  this: Uint8Array,
  target: Uint8Array,
  at: number,
  start: number,
  end: number,
) => number;

/** Bytes [start, end) as they are, without a length. */
export function writeRaw(sink: ByteSink, from: Uint8Array, start: number, end: number): void {
  const count = end - start;
  if (count <= 0) return;
  reserve(sink, count);
  const { bytes, length } = sink;
  // A call into C++ costs as much as a loop over some 40 bytes.
  if (count < 40) for (let i = 0; i < count; i++) bytes[length + i] = from[start + i]!;
  else copyRange.call(from, bytes, length, start, end);
  sink.length = length + count;
}

/** A String column's value from UTF-8 bytes. */
export function writeBytes(sink: ByteSink, from: Uint8Array, start: number, end: number): void {
  if (end <= start) {
    writeUint8(sink, 0);
    return;
  }
  writeVarUint(sink, end - start);
  writeRaw(sink, from, start, end);
}

/** A String column's value from text. */
export function writeText(sink: ByteSink, text: string): void {
  const { length } = text;
  if (length === 0) {
    writeUint8(sink, 0);
    return;
  }
  if (length < 40) {
    reserve(sink, length + 8);
    const { bytes } = sink;
    const at = sink.length + 1;
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      bytes[at + i] = code;
    }
    if (i === length) {
      bytes[sink.length] = length;
      sink.length = at + length;
      return;
    }
  }
  const count = Buffer.byteLength(text);
  writeVarUint(sink, count);
  reserve(sink, count);
  sink.bytes.write(text, sink.length, count, 'utf8');
  sink.length += count;
}

const HEX = Buffer.from('0123456789abcdef');

/** A String column's value: lowercase hex of `count` bytes. */
export function writeHex(sink: ByteSink, from: Uint8Array, start: number, count: number): void {
  reserve(sink, 2 * count + 1);
  const { bytes } = sink;
  let at = sink.length;
  bytes[at++] = 2 * count;
  for (let i = start; i < start + count; i++) {
    const byte = from[i]!;
    bytes[at++] = HEX[byte >>> 4]!;
    bytes[at++] = HEX[byte & 15]!;
  }
  sink.length = at;
}

/** A String column's value: 16 hex digits of two unsigned halves. */
export function writeHexPair(sink: ByteSink, high: number, low: number): void {
  reserve(sink, 17);
  const { bytes } = sink;
  let at = sink.length;
  bytes[at++] = 16;
  for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = HEX[(high >>> shift) & 15]!;
  for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = HEX[(low >>> shift) & 15]!;
  sink.length = at;
}

/** Array(String). */
export function writeTexts(sink: ByteSink, texts: readonly string[]): void {
  writeVarUint(sink, texts.length);
  for (const text of texts) writeText(sink, text);
}
