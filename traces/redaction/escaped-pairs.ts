/**
 * A name and its value inside a text that is percent-encoded as a whole, once or more often: `?next=https%3A%2F%2Fapp%2F%3Ftoken%3Dabc`,
 * `%22password%22%3A%22abc%22`. Ranges only; nothing is allocated.
 */
import type { Range } from './pairs.ts';

const MAX_NAME = 100;
/** How often a text may be encoded: `%3D`, `%253D`, `%25253D`, … */
const MAX_TIMES = 4;

const hexDigit = (c: number): number =>
  c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 32) >= 0x61 && (c | 32) <= 0x66 ? (c | 32) - 0x57 : -1;

const isNameByte = (c: number): boolean =>
  (c >= 0x30 && c <= 0x39) || ((c | 32) >= 0x61 && (c | 32) <= 0x7a) || c === 0x5f || c === 0x2d || c === 0x2e;

/** Of a value: quotes, blanks, controls, and what separates one from the next, in query strings, JSON and headers. */
const endsValue = (c: number): boolean =>
  c <= 32 ||
  c === 0x22 ||
  c === 0x27 ||
  c === 0x60 ||
  c === 0x26 ||
  c === 0x2c ||
  c === 0x3b ||
  c === 0x7d ||
  c === 0x5d ||
  c === 0x29 ||
  c === 0x23 ||
  c === 0x3c ||
  c === 0x3e ||
  c === 0x7c;

/** What the escape at `at` stands for, −1 when there is none; `past` is where it ends. */
let past = 0;
function decodedAt(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== 0x25) return -1;
  let from = at + 1;
  for (let times = 0; times < MAX_TIMES && bytes[from] === 0x32 && bytes[from + 1] === 0x35; times++) from += 2; // %25
  if (from + 1 >= end) return -1;
  const high = hexDigit(bytes[from]!);
  const low = hexDigit(bytes[from + 1]!);
  if (high < 0 || low < 0) return -1;
  past = from + 2;
  return high * 16 + low;
}

/** The escape that ends at `to`: where it begins, −1 when there is none. */
function escapeBefore(bytes: Uint8Array, to: number, start: number): number {
  if (to - start < 3 || hexDigit(bytes[to - 1]!) < 0 || hexDigit(bytes[to - 2]!) < 0) return -1;
  let at = to - 3;
  for (let times = 0; times < MAX_TIMES && at - 1 > start && bytes[at] === 0x35 && bytes[at - 1] === 0x32; times++)
    at -= 2;
  return bytes[at] === 0x25 ? at : -1;
}

/** The name in front of the encoded `=` or `:` at `at`, and where that sign ends; −1 when there is no sign or no name. */
export function readEscapedName(bytes: Uint8Array, at: number, start: number, end: number, out: Range): number {
  const sign = decodedAt(bytes, at, end);
  if (sign !== 0x3d && sign !== 0x3a) return -1;
  const behind = past;
  out.end = at;
  for (let i = 0; i < MAX_TIMES; i++) {
    const before = escapeBefore(bytes, out.end, start);
    const c = before < 0 ? -1 : decodedAt(bytes, before, end);
    if (c !== 0x22 && c !== 0x27 && c !== 0x20 && c !== 0x5d && c !== 0x5c) break; // quotes, blanks, `]`, a backslash
    out.end = before;
  }
  out.start = out.end;
  const limit = Math.max(start, out.end - MAX_NAME);
  while (out.start > limit && isNameByte(bytes[out.start - 1]!)) {
    const before = escapeBefore(bytes, out.start, start);
    if (before >= 0 && !isNameByte(decodedAt(bytes, before, end))) break;
    out.start = before >= 0 ? before : out.start - 1;
  }
  return out.start < out.end ? behind : -1;
}

/** The value that begins at `from`; an empty range when there is none. */
export function readEscapedValue(bytes: Uint8Array, from: number, end: number, out: Range): void {
  out.start = from;
  for (let i = 0; i < MAX_TIMES; i++) {
    const c = decodedAt(bytes, out.start, end);
    if (c !== 0x20 && c !== 0x22 && c !== 0x27 && c !== 0x5c) break;
    out.start = past;
  }
  out.end = out.start;
  while (out.end < end) {
    const c = decodedAt(bytes, out.end, end);
    if (endsValue(c < 0 ? bytes[out.end]! : c)) break;
    out.end = c < 0 ? out.end + 1 : past;
  }
}
