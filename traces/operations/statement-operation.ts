/**
 * Operation and first table of a SQL statement (or the command of another query language), read cheaply from its bytes:
 * `SELECT orders`, `INSERT order_items`, `HGET`. Only for the label; statement skeletons are the parameters' matter.
 */
import { appendName } from './name-template.ts';
import { appendByte, ascii, type ByteSink } from './sink.ts';

const BEFORE_TABLE = ['FROM', 'INTO', 'UPDATE', 'TABLE', 'JOIN', 'CALL', 'EXEC', 'EXECUTE'].map(ascii);
const SKIPPED = ['ONLY', 'IF', 'NOT', 'EXISTS', 'IGNORE', 'LOW_PRIORITY'].map(ascii);
/** Only so much of a statement is looked at. */
const MAX_SCANNED = 2048;

const isWordByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) || byte === 0x5f || byte >= 0x80;

function equalsWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  // Upper and lower case differ in one bit; `_` of a word maps to itself either way.
  for (let i = 0; i < word.length; i++) if ((bytes[start + i]! & 0xdf) !== (word[i]! & 0xdf)) return false;
  return true;
}

const isOneOf = (bytes: Uint8Array, start: number, end: number, words: readonly Uint8Array[]): boolean => {
  for (let i = 0; i < words.length; i++) if (equalsWord(bytes, start, end, words[i]!)) return true;
  return false;
};

/** Past spaces, comments and opening brackets. */
function skipBlank(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte <= 0x20 || byte === 0x28 || byte === 0x3b) at++;
    else if (byte === 0x2f && bytes[at + 1] === 0x2a) {
      at += 2;
      while (at < end && !(bytes[at] === 0x2a && bytes[at + 1] === 0x2f)) at++;
      at += 2;
    } else if (byte === 0x2d && bytes[at + 1] === 0x2d) {
      while (at < end && bytes[at] !== 0x0a) at++;
    } else break;
  }
  return Math.min(at, end);
}

function skipLiteral(bytes: Uint8Array, from: number, end: number): number {
  const quote = bytes[from];
  let at = from + 1;
  while (at < end && bytes[at] !== quote) at++;
  return at + 1;
}

/** Appends `OPERATION table`; nothing when the statement starts with no word. */
export function appendStatementOperation(sink: ByteSink, bytes: Uint8Array, start: number, statementEnd: number): void {
  const end = Math.min(statementEnd, start + MAX_SCANNED);
  let at = skipBlank(bytes, start, end);
  const first = at;
  while (at < end && isWordByte(bytes[at]!)) at++;
  if (at === first || at - first > 32) return;
  for (let i = first; i < at; i++) {
    const byte = bytes[i]!;
    appendByte(sink, byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte);
  }
  let expectTable = equalsWord(bytes, first, at, BEFORE_TABLE[2]!) || isOneOf(bytes, first, at, BEFORE_TABLE.slice(5));
  while (at < end) {
    const byte = bytes[at]!;
    if (expectTable && (byte === 0x22 || byte === 0x60 || byte === 0x5b || isWordByte(byte))) {
      const to = tableEnd(bytes, at, end);
      if (!isOneOf(bytes, at, to, SKIPPED)) {
        appendByte(sink, 0x20);
        appendTable(sink, bytes, at, to);
        return;
      }
      at = to;
    } else if (byte === 0x27 || byte === 0x22) at = skipLiteral(bytes, at, end);
    else if (isWordByte(byte)) {
      const word = at;
      while (at < end && isWordByte(bytes[at]!)) at++;
      expectTable = isOneOf(bytes, word, at, BEFORE_TABLE);
    } else {
      // A bracket after FROM opens a subquery: its own FROM names the table.
      if (byte === 0x28) expectTable = false;
      at = byte === 0x2f || byte === 0x2d ? Math.max(at + 1, skipBlank(bytes, at, end)) : at + 1;
    }
  }
}

/** End of a possibly quoted and qualified table name: `public."Order Items"`. */
function tableEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === 0x22 || byte === 0x60) at = Math.min(skipLiteral(bytes, at, end), end);
    else if (byte === 0x5b) {
      while (at < end && bytes[at] !== 0x5d) at++;
      at = Math.min(at + 1, end);
    } else if (isWordByte(byte) || byte === 0x2e || byte === 0x24) at++;
    else break;
    if (at - from > 128) break;
  }
  return at;
}

/** The name without quotes and brackets. */
function appendTable(sink: ByteSink, bytes: Uint8Array, start: number, end: number): void {
  let from = start;
  for (let i = start; i <= end; i++) {
    const byte = i < end ? bytes[i]! : 0x22;
    if (byte !== 0x22 && byte !== 0x60 && byte !== 0x5b && byte !== 0x5d) continue;
    appendName(sink, bytes, from, i);
    from = i + 1;
  }
}
