/** A growing byte buffer and a checked reader: varints, little-endian doubles, UTF-8 texts. */
import { SpanwardenError } from '../../runtime/errors.ts';

export interface ByteWriter {
  bytes: Uint8Array;
  length: number;
}

export const createByteWriter = (): ByteWriter => ({ bytes: new Uint8Array(4096), length: 0 });

function room(writer: ByteWriter, count: number): void {
  if (writer.length + count <= writer.bytes.length) return;
  const larger = new Uint8Array(Math.max(writer.bytes.length * 2, writer.length + count));
  larger.set(writer.bytes.subarray(0, writer.length));
  writer.bytes = larger;
}

/** A non-negative integer up to 2^53. */
export function writeVarint(writer: ByteWriter, value: number): void {
  room(writer, 8);
  let rest = value;
  while (rest >= 128) {
    writer.bytes[writer.length++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  writer.bytes[writer.length++] = rest;
}

const floats = new Float64Array(1);
const floatBytes = new Uint8Array(floats.buffer);

export function writeFloat(writer: ByteWriter, value: number): void {
  room(writer, 8);
  floats[0] = value;
  writer.bytes.set(floatBytes, writer.length);
  writer.length += 8;
}

export function writeText(writer: ByteWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  writeVarint(writer, bytes.length);
  room(writer, bytes.length);
  writer.bytes.set(bytes, writer.length);
  writer.length += bytes.length;
}

export const writtenBytes = (writer: ByteWriter): Uint8Array => writer.bytes.slice(0, writer.length);

export interface ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  fail(): never;
}

export const createByteReader = (bytes: Uint8Array): ByteReader => ({
  bytes,
  position: 0,
  fail() {
    throw new SpanwardenError('BASELINE_DAMAGED', 'structure partial cannot be read');
  },
});

export function readVarint(reader: ByteReader): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = reader.bytes[reader.position++];
    if (byte === undefined) break;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
    scale *= 128;
  }
  return reader.fail();
}

export function readFloat(reader: ByteReader): number {
  if (reader.position + 8 > reader.bytes.length) reader.fail();
  floatBytes.set(reader.bytes.subarray(reader.position, reader.position + 8));
  reader.position += 8;
  return floats[0]!;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export function readText(reader: ByteReader): string {
  const length = readVarint(reader);
  if (reader.position + length > reader.bytes.length) reader.fail();
  const bytes = reader.bytes.subarray(reader.position, reader.position + length);
  reader.position += length;
  try {
    return decoder.decode(bytes);
  } catch {
    return reader.fail();
  }
}
