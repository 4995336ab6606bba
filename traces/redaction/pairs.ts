/**
 * A value after a name inside a text: `token=abc` in a query string, `"password":"abc"` in a body, `password = 'abc'` in a
 * statement, `Authorization: Bearer abc` in a message. Ranges only; nothing is allocated.
 */

/** Result of the two readers below, reused: [start, end). */
export interface Range {
  start: number;
  end: number;
}

const isSpace = (c: number): boolean => c === 32 || c === 9;
/** A `+` is a blank of an encoded form. */
const isBlank = (c: number): boolean => isSpace(c) || c === 0x2b;
const isQuote = (c: number): boolean => c === 0x22 || c === 0x27 || c === 0x60;
const isLineEnd = (c: number): boolean => c === 10 || c === 13;
const isXmlSpace = (c: number): boolean => isBlank(c) || isLineEnd(c);
/** The longest start tag that is looked at. */
const MAX_TAG = 400;

/** Letters, digits, `_ - . %` and brackets (`user[password]`). */
const NAME_BYTE = table('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.%');
/** What ends a value without quotes. */
const VALUE_END = table(' \t\r\n&;,"\'`)]}#<>|');

function table(characters: string): Uint8Array {
  const marks = new Uint8Array(256);
  for (const character of characters) marks[character.charCodeAt(0)] = 1;
  return marks;
}

/** The name in front of the `=` or `:` at `at`; an empty range when there is none. */
export function readNameBefore(bytes: Uint8Array, at: number, start: number, out: Range): void {
  let end = at;
  while (end > start && isBlank(bytes[end - 1]!)) end--;
  if (end > start && isQuote(bytes[end - 1]!)) end--;
  if (end > start && bytes[end - 1] === 0x5c) end--; // \" of JSON inside JSON
  while (end > start && bytes[end - 1] === 0x5d) end--; // user[password]
  let from = end;
  const limit = Math.max(start, end - 100);
  while (from > limit && NAME_BYTE[bytes[from - 1]!] === 1) from--;
  out.start = from;
  out.end = end;
}

/** The value behind the `=` or `:` at `at`; an empty range when there is none, or a placeholder (`?`, `$1`, `:name`, `%s`). */
export function readValueAfter(bytes: Uint8Array, at: number, end: number, wholeLine: boolean, out: Range): void {
  let from = at + 1;
  while (from < end && isSpace(bytes[from]!)) from++;
  out.start = out.end = from;
  let first = from;
  while (first < end && isBlank(bytes[first]!)) first++;
  if (first >= end) first = from;
  if (first >= end) return;
  const escaped = bytes[first] === 0x5c && first + 1 < end && isQuote(bytes[first + 1]!) ? 1 : 0;
  const quote = bytes[first + escaped]!;
  if (isQuote(quote)) {
    first += escaped + 1;
    let to = first;
    while (to < end && !(bytes[to] === quote && (escaped === 1 || bytes[to - 1] !== 0x5c || to === first))) to++;
    if (escaped === 1 && to > first && bytes[to - 1] === 0x5c) to--;
    out.start = first;
    out.end = to;
    return;
  }
  if (quote === 0x5b || quote === 0x7b) {
    out.end = endOfNested(bytes, first, end);
    return;
  }
  let to = from;
  if (wholeLine) to = endOfLine(bytes, from, end);
  else {
    to = endOfWord(bytes, from, end);
    if (isScheme(bytes, from, to) && to < end && isSpace(bytes[to]!)) {
      while (to < end && isSpace(bytes[to]!)) to++;
      to = endOfWord(bytes, to, end);
    }
  }
  if (!isPlaceholder(bytes, from, to)) out.end = to;
}

/** Past the bracket that closes the one at `from`: a secret list or object goes as a whole. Brackets in strings do not count. */
function endOfNested(bytes: Uint8Array, from: number, end: number): number {
  let depth = 0;
  let inString = false;
  for (let i = from; i < end; i++) {
    const c = bytes[i]!;
    if (c === 0x22 && bytes[i - 1] !== 0x5c) inString = !inString;
    else if (inString) continue;
    else if (c === 0x5b || c === 0x7b) depth++;
    else if ((c === 0x5d || c === 0x7d) && --depth === 0) return i + 1;
  }
  return end;
}

/** A quote ends the line that stands in a text, except around a part of it: `Digest username="ann", response="…"`. */
function endOfLine(bytes: Uint8Array, from: number, end: number): number {
  let to = from;
  while (to < end && !isLineEnd(bytes[to]!)) {
    const c = bytes[to]!;
    if (isQuote(c)) {
      const close = bytes[bytes[to - 1] === 0x5c ? to - 2 : to - 1] === 0x3d ? endOfPart(bytes, to, end) : -1;
      if (close < 0) break;
      to = close;
    }
    to++;
  }
  return to;
}

/** The quote that closes the one at `open`, −1 when it closes no part: the `="` at the end of `"Basic YWI="` opens none. */
function endOfPart(bytes: Uint8Array, open: number, end: number): number {
  let to = open + 1;
  while (to < end && bytes[to] !== bytes[open] && !isLineEnd(bytes[to]!)) to++;
  if (to >= end || bytes[to] !== bytes[open]) return -1;
  const next = to + 1 < end ? bytes[to + 1]! : 10;
  return next === 0x2c || next === 0x3b || isSpace(next) || isLineEnd(next) || isQuote(next) ? to : -1;
}

/**
 * The name of the element whose start tag ends with the `>` at `at`, without its prefix; an empty range when there is none.
 * Looks back no further than the `>` before it.
 */
export function readElementName(bytes: Uint8Array, at: number, start: number, out: Range): void {
  out.start = out.end = at;
  const limit = Math.max(start, at - MAX_TAG);
  let tag = at - 1;
  while (tag >= limit && bytes[tag] !== 0x3c && bytes[tag] !== 0x3e) tag--;
  if (tag < limit || bytes[tag] !== 0x3c) return;
  let from = tag + 1;
  let to = endOfName(bytes, from, at);
  if (to < at && bytes[to] === 0x3a) {
    from = to + 1; // ns:name
    to = endOfName(bytes, from, at);
  }
  let last = at;
  while (last > to && isXmlSpace(bytes[last - 1]!)) last--;
  const hasAttributes = last > to && isXmlSpace(bytes[to]!) && isQuote(bytes[last - 1]!);
  if (last > to && !hasAttributes) return;
  out.start = from;
  out.end = to;
}

/** What stands between the `>` at `at` and the next tag; a CDATA section (XML 1.0 §2.7) is text, to the end when cut off. */
export function readElementValue(bytes: Uint8Array, at: number, end: number, out: Range): void {
  out.start = out.end = at + 1;
  let next = endOfText(bytes, at + 1, end);
  while (startsWith(bytes, next, end, CDATA)) {
    next += CDATA.length;
    while (next < end && !startsWith(bytes, next, end, CDATA_END)) next++;
    out.end = next = endOfText(bytes, next, end);
  }
  if (next < end) out.end = next;
}

const CDATA = Buffer.from('<![CDATA[');
const CDATA_END = Buffer.from(']]>');

function startsWith(bytes: Uint8Array, at: number, end: number, expected: Uint8Array): boolean {
  if (at + expected.length > end) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

function endOfText(bytes: Uint8Array, from: number, end: number): number {
  while (from < end && bytes[from] !== 0x3c) from++;
  return from;
}

function endOfName(bytes: Uint8Array, from: number, end: number): number {
  while (from < end && NAME_BYTE[bytes[from]!] === 1) from++;
  return from;
}

function endOfWord(bytes: Uint8Array, from: number, end: number): number {
  while (from < end && VALUE_END[bytes[from]!] === 0) from++;
  return from;
}

/** `Bearer` and `Basic` belong to the credential that follows (RFC 9110 §11.4). */
function isScheme(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length !== 5 && length !== 6) return false;
  const word = String.fromCharCode(...bytes.subarray(start, end)).toLowerCase();
  return word === 'basic' || word === 'bearer' || word === 'token' || word === 'digest';
}

function isPlaceholder(bytes: Uint8Array, start: number, end: number): boolean {
  const c = bytes[start];
  if (end <= start || c === 0x3f || c === 0x3a || c === 0x40) return true; // ? :name @name
  if (c === 0x24) return end - start <= 4; // $1
  if (c === 0x25) return end - start === 2; // %s
  if (c === 0x28) return true; // a subquery
  if (c === 0x2f && end - start > 1) return bytes[start + 1] === 0x2f || bytes[start + 1] === 0x2a; // `scheme://`, a comment
  const length = end - start;
  if (length > 9) return false;
  const word = String.fromCharCode(...bytes.subarray(start, end)).toLowerCase();
  return (
    word === 'null' || word === 'true' || word === 'false' || word === 'undefined' || word === 'none' || word === '***'
  );
}

/** The password of `scheme://user:password@host`, given where `://` ends; an empty range when there is none. */
export function readUserInfo(bytes: Uint8Array, from: number, end: number, out: Range): void {
  out.start = out.end = from;
  let colon = -1;
  for (let i = from; i < end && i < from + 256; i++) {
    const c = bytes[i]!;
    if (c === 0x3a && colon < 0) colon = i;
    else if (c === 0x40) {
      if (colon < 0) return;
      out.start = colon + 1;
      out.end = i;
      return;
    } else if (c === 0x2f || c === 0x3f || c === 0x23 || VALUE_END[c] === 1) return;
  }
}
