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
const isQuote = (c: number): boolean => c === 0x22 || c === 0x27 || c === 0x60;

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
  while (end > start && isSpace(bytes[end - 1]!)) end--;
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
  if (from >= end) return;
  const escaped = bytes[from] === 0x5c && from + 1 < end && isQuote(bytes[from + 1]!) ? 1 : 0;
  const quote = bytes[from + escaped]!;
  if (isQuote(quote)) {
    const first = from + escaped + 1;
    let to = first;
    while (to < end && !(bytes[to] === quote && (escaped === 1 || bytes[to - 1] !== 0x5c || to === first))) to++;
    if (escaped === 1 && to > first && bytes[to - 1] === 0x5c) to--;
    out.start = first;
    out.end = to;
    return;
  }
  let to = from;
  if (quote === 0x5b || quote === 0x7b) {
    out.end = endOfNested(bytes, from, end);
    return;
  }
  if (wholeLine) while (to < end && bytes[to] !== 10 && bytes[to] !== 13 && !isQuote(bytes[to]!)) to++;
  else {
    to = endOfWord(bytes, from, end);
    if (isScheme(bytes, from, to) && to < end && isSpace(bytes[to]!)) to = endOfWord(bytes, to + 1, end);
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

/** The name of the element whose tag ends with the `>` at `at`; an empty range when it has attributes, or there is none. */
export function readElementName(bytes: Uint8Array, at: number, start: number, out: Range): void {
  const limit = Math.max(start, at - 100);
  const nameStart = (to: number): number => {
    let from = to;
    while (from > limit && NAME_BYTE[bytes[from - 1]!] === 1) from--;
    return from;
  };
  out.end = at;
  out.start = nameStart(at);
  const isPrefixed = out.start > limit && bytes[out.start - 1] === 0x3a; // ns:name
  const tag = isPrefixed ? nameStart(out.start - 1) : out.start;
  if (tag <= start || bytes[tag - 1] !== 0x3c) out.start = at;
}

/** What stands between the `>` at `at` and the next tag. */
export function readElementValue(bytes: Uint8Array, at: number, end: number, out: Range): void {
  let next = at + 1;
  while (next < end && bytes[next] !== 0x3c) next++;
  out.start = at + 1;
  out.end = next < end ? next : at + 1;
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
  if (c === 0x28 || c === 0x2f) return true; // a subquery; `scheme://`
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
