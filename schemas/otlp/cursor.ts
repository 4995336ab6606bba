/**
 * A state-only cursor over protobuf wire bytes and free functions that read from it (protobuf encoding guide,
 * "Message Structure"). No objects are made while reading; malformed bytes set `failed` instead of throwing.
 */

export interface Cursor {
  bytes: Uint8Array;
  position: number;
  end: number;
  /** Set by any read that ran over `end` or met an impossible encoding; never cleared by a read. */
  failed: boolean;
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

export const createCursor = (bytes: Uint8Array, position = 0, end = bytes.length): Cursor => ({
  bytes,
  position,
  end,
  failed: false,
});

/** Points the cursor at another range and forgets an earlier failure. */
export function resetCursor(cursor: Cursor, bytes: Uint8Array, position: number, end: number): void {
  cursor.bytes = bytes;
  cursor.position = position;
  cursor.end = end;
  cursor.failed = false;
}

/** Unsigned varint up to 2^53; a larger one keeps only its low 53 bits' worth as a float (only lengths and tags need exactness). */
export function readVarint(cursor: Cursor): number {
  const { bytes, end } = cursor;
  let position = cursor.position;
  if (position < end && bytes[position]! < 0x80) {
    cursor.position = position + 1; // tags and most lengths are one byte
    return bytes[position]!;
  }
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    if (position >= end) break;
    const byte = bytes[position++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor.position = position;
      return value;
    }
    scale *= 128;
  }
  cursor.failed = true;
  cursor.position = end;
  return 0;
}

/** Length of a length-delimited field; fails when it reaches beyond the cursor's end. */
export function readLength(cursor: Cursor): number {
  const length = readVarint(cursor);
  if (length > cursor.end - cursor.position) {
    cursor.failed = true;
    cursor.position = cursor.end;
    return 0;
  }
  return length;
}

/** Skips the value of a field whose tag was just read. */
export function skipField(cursor: Cursor, wireType: number): void {
  if (wireType === WireType.varint) readVarint(cursor);
  else if (wireType === WireType.bytes) {
    const length = readLength(cursor);
    cursor.position += length;
  } else if (wireType === WireType.fixed64) advance(cursor, 8);
  else if (wireType === WireType.fixed32) advance(cursor, 4);
  else {
    cursor.failed = true; // groups do not occur in OTLP
    cursor.position = cursor.end;
  }
}

function advance(cursor: Cursor, count: number): void {
  if (cursor.end - cursor.position < count) {
    cursor.failed = true;
    cursor.position = cursor.end;
  } else cursor.position += count;
}

/** Little-endian 32 bits at `position`, unsigned; the caller has checked the bounds. */
export const uint32At = (bytes: Uint8Array, position: number): number =>
  (bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16) | (bytes[position + 3]! << 24)) >>> 0;

/**
 * Goes to the next length-delimited field with this number: returns where its value starts and leaves the cursor at the
 * value's end; −1 at the end of the message, or on malformed bytes (then `failed` is set). Other fields are skipped, so
 *
 *     resetCursor(cursor, bytes, head.firstAttribute, head.end);
 *     for (let at = nextField(cursor, 9); at >= 0; at = nextField(cursor, 9)) readKeyValue(bytes, at, cursor.position, view);
 */
export function nextField(cursor: Cursor, fieldNumber: number): number {
  const wanted = (fieldNumber << 3) | WireType.bytes;
  while (cursor.position < cursor.end) {
    const tag = readVarint(cursor);
    if (tag === wanted) {
      const length = readLength(cursor);
      if (cursor.failed) return -1;
      const start = cursor.position;
      cursor.position = start + length;
      return start;
    }
    if (tag < 8)
      cursor.failed = true; // field number 0 does not exist
    else skipField(cursor, tag & 7);
    if (cursor.failed) return -1;
  }
  return -1;
}
