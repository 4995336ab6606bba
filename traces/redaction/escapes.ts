/**
 * A text with its percent-escapes undone, one layer after the other (`%253D`, `%3D`, `=`), and where each byte of it stood:
 * the rules for plain texts see what is meant, and what they find is replaced in the text as it came. Strict: `%` without
 * two hexadecimal digits behind it stays (RFC 3986 §2.1).
 */

/** How often a text may be encoded: `%3D`, `%253D`, … `%252525253D`. */
export const MAX_LAYERS = 5;
/** Room kept from one text to the next. */
const KEPT_BYTES = 64 * 1024;

const hexDigit = (c: number): number =>
  c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 32) >= 0x61 && (c | 32) <= 0x66 ? (c | 32) - 0x57 : -1;

export const isEscape = (bytes: Uint8Array, at: number, end: number): boolean =>
  at + 2 < end && hexDigit(bytes[at + 1]!) >= 0 && hexDigit(bytes[at + 2]!) >= 0;

export interface Unescaper {
  /** Undoes the first layer of [start, end): the length of what comes out, −1 when there is no escape. */
  first(bytes: Uint8Array, start: number, end: number): number;
  /** Undoes one more layer of what came out. */
  next(): number;
  /** What came out last. */
  bytes(): Uint8Array;
  /** Where the byte at `at` of it begins in the text as it came. */
  origin(at: number): number;
}

export function createUnescaper(): Unescaper {
  let room: Uint8Array = Buffer.allocUnsafeSlow(0);
  let origins = new Int32Array(1);
  let length = 0;

  /** Moves to the front what is at [from, to) of `source`, which may be the room itself: it only gets shorter. */
  const undo = (source: Uint8Array, from: number, to: number): number => {
    const own = source === room;
    let out = 0;
    let at = from;
    while (at < to) {
      const c = source[at]!;
      origins[out] = own ? origins[at]! : at;
      if (c === 0x25 && isEscape(source, at, to)) {
        room[out++] = hexDigit(source[at + 1]!) * 16 + hexDigit(source[at + 2]!);
        at += 3;
      } else {
        room[out++] = c;
        at++;
      }
    }
    origins[out] = own ? origins[to]! : to;
    length = out;
    return out < to - from ? out : -1;
  };

  return {
    first(bytes, start, end) {
      const size = end - start;
      if (room.length < size || room.length > KEPT_BYTES) {
        room = Buffer.allocUnsafeSlow(Math.max(size, KEPT_BYTES));
        origins = new Int32Array(room.length + 1);
      }
      return undo(bytes, start, end);
    },
    next: () => undo(room, 0, length),
    bytes: () => room,
    origin: (at) => origins[at]!,
  };
}
