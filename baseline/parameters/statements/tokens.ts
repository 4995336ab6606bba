/**
 * Database statements as tokens, in one pass over bytes: literals become one token, words are hashed in lower case, marks
 * stand for themselves. Made for SQL of all dialects; other query languages come out as words, marks and literals too.
 */
import { avalanche } from '../hash.ts';

/** A literal or placeholder, whatever it was. */
export const LITERAL = 1;
/** `-- …` to the end of line. Block comments vanish: tracing adds its own (sqlcommenter). */
export const LINE_COMMENT = 2;
/** Text went on beyond the limits. */
export const CUT = 3;
/** Marks are 16 + byte; words have the top bit set. */
export const MARK = 16;

/** A bound on the cost of one statement. */
export const MAX_STATEMENT_BYTES = 32_768;
export const MAX_TOKENS = 4_096;

export interface Tokens {
  readonly codes: Int32Array;
  /** Byte range of each token. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  count: number;
}

export const createTokens = (): Tokens => ({
  codes: new Int32Array(MAX_TOKENS + 1),
  starts: new Int32Array(MAX_TOKENS + 1),
  ends: new Int32Array(MAX_TOKENS + 1),
  count: 0,
});

export const isWordToken = (code: number): boolean => code < 0;

const WORD = 1;
const DIGIT = 2;
const BLANK = 3;

const lexicalClasses = (): Uint8Array => {
  const out = new Uint8Array(256);
  for (let b = 0x80; b < 256; b++) out[b] = WORD;
  for (let b = 0x41; b <= 0x5a; b++) out[b] = WORD;
  for (let b = 0x61; b <= 0x7a; b++) out[b] = WORD;
  out[0x5f] = WORD;
  for (let b = 0x30; b <= 0x39; b++) out[b] = DIGIT;
  for (let b = 0; b <= 0x20; b++) out[b] = BLANK;
  return out;
};
const LEXICAL = lexicalClasses();

/** Hash of a word in lower case; always negative, so that it can't be a mark. */
export const wordCode = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  let h = seed | 0;
  for (let i = start; i < end; i++) {
    const b = bytes[i]!;
    h = Math.imul(h ^ (b >= 0x41 && b <= 0x5a ? b | 0x20 : b), 0x01000193);
  }
  return avalanche(h) | 0x80000000;
};

export const textCode = (word: string, seed: number): number => {
  const bytes = new TextEncoder().encode(word);
  return wordCode(bytes, 0, bytes.length, seed);
};

/** End of a quoted run that starts at `at`; a doubled quote stays inside, so does a backslashed one if `escapes`. */
const quotedEnd = (bytes: Uint8Array, at: number, end: number, escapes: boolean): number => {
  const quote = bytes[at]!;
  let i = at + 1;
  while (i < end) {
    const b = bytes[i]!;
    if (escapes && b === 0x5c) {
      i += 2;
      continue;
    }
    if (b === quote) {
      if (bytes[i + 1] !== quote || i + 1 >= end) return i + 1;
      i++;
    }
    i++;
  }
  return end;
};

/** Postgres `$tag$ … $tag$`; −1 when no such literal starts here. */
const dollarEnd = (bytes: Uint8Array, at: number, end: number): number => {
  let tag = at + 1;
  while (tag < end && LEXICAL[bytes[tag]!] === WORD && tag - at < 32) tag++;
  if (bytes[tag] !== 0x24 || tag >= end) return -1;
  const size = tag + 1 - at;
  for (let i = tag + 1; i + size <= end; i++) {
    if (bytes[i] !== 0x24) continue;
    let same = true;
    for (let k = 1; same && k < size; k++) same = bytes[i + k] === bytes[at + k];
    if (same) return i + size;
  }
  return end;
};

export interface Lexer {
  /** Fills `tokens` from a statement. `doubleQuoted` literal: MySQL, and JSON-like query languages. */
  read(bytes: Uint8Array, start: number, end: number, doubleQuotedLiteral: boolean, tokens: Tokens): void;
}

export const createLexer = (seed: number): Lexer => ({
  read(bytes, start, end, doubleQuotedLiteral, tokens) {
    const { codes, starts, ends } = tokens;
    const stop = Math.min(end, start + MAX_STATEMENT_BYTES);
    let count = 0;
    let i = start;
    let previous = 0;
    while (i < stop && count < MAX_TOKENS) {
      const b = bytes[i]!;
      const cls = LEXICAL[b]!;
      if (cls === BLANK) {
        i++;
        continue;
      }
      const from = i;
      let code: number;
      if (cls === WORD) {
        i++;
        while (i < stop && (LEXICAL[bytes[i]!] === WORD || LEXICAL[bytes[i]!] === DIGIT || bytes[i] === 0x24)) i++;
        const prefix = i - from === 1 && bytes[i] === 0x27 && i < stop ? b | 0x20 : 0;
        if (prefix === 0x65 || prefix === 0x6e || prefix === 0x78 || prefix === 0x62) {
          // E'…', N'…', X'…', B'…': only E takes backslashes.
          i = quotedEnd(bytes, i, stop, prefix === 0x65);
          code = LITERAL;
        } else {
          code = wordCode(bytes, from, i, seed);
        }
      } else if (cls === DIGIT) {
        i++;
        while (i < stop) {
          const c = bytes[i]!;
          const l = LEXICAL[c]!;
          const exponentSign =
            (c === 0x2b || c === 0x2d) && (bytes[i - 1]! | 0x20) === 0x65 && LEXICAL[bytes[i + 1]!] === DIGIT;
          if (l !== DIGIT && l !== WORD && c !== 0x2e && !exponentSign) break;
          i++;
        }
        code = LITERAL;
      } else if (b === 0x27) {
        i = quotedEnd(bytes, i, stop, doubleQuotedLiteral);
        code = LITERAL;
      } else if (b === 0x22) {
        i = quotedEnd(bytes, i, stop, doubleQuotedLiteral);
        let after = i;
        while (after < stop && LEXICAL[bytes[after]!] === BLANK) after++;
        // In JSON a quoted run before a colon is a key.
        const key = doubleQuotedLiteral && bytes[after] === 0x3a;
        code = doubleQuotedLiteral && !key ? LITERAL : wordCode(bytes, from + 1, Math.max(from + 1, i - 1), seed);
      } else if (b === 0x60) {
        i = quotedEnd(bytes, i, stop, false);
        code = wordCode(bytes, from + 1, Math.max(from + 1, i - 1), seed);
      } else if (b === 0x2d && bytes[i + 1] === 0x2d && i + 1 < stop) {
        while (i < stop && bytes[i] !== 0x0a) i++;
        code = LINE_COMMENT;
      } else if (b === 0x2f && bytes[i + 1] === 0x2a && i + 1 < stop) {
        const close = bytes.indexOf(0x2f, i + 3);
        let at = close;
        while (at >= 0 && at < stop && bytes[at - 1] !== 0x2a) at = bytes.indexOf(0x2f, at + 1);
        i = at < 0 || at >= stop ? stop : at + 1;
        continue;
      } else if (b === 0x3f) {
        i++;
        code = LITERAL;
      } else if (b === 0x24 && i + 1 < stop) {
        const quoted = LEXICAL[bytes[i + 1]!] === DIGIT ? -1 : dollarEnd(bytes, i, stop);
        if (quoted >= 0) {
          i = quoted;
          code = LITERAL;
        } else {
          i++;
          while (i < stop && (LEXICAL[bytes[i]!] === DIGIT || LEXICAL[bytes[i]!] === WORD)) i++;
          code = LEXICAL[bytes[from + 1]!] === DIGIT ? LITERAL : wordCode(bytes, from, i, seed);
        }
      } else if (
        (b === 0x3a || b === 0x40) &&
        LEXICAL[bytes[i + 1]!] === WORD &&
        previous !== MARK + 0x3a &&
        i + 1 < stop &&
        !doubleQuotedLiteral
      ) {
        // :name and @name placeholders; `::type` is a cast.
        i++;
        while (i < stop && (LEXICAL[bytes[i]!] === WORD || LEXICAL[bytes[i]!] === DIGIT)) i++;
        code = LITERAL;
      } else if (
        b === 0x25 &&
        (bytes[i + 1]! | 0x20) === 0x73 &&
        i + 1 < stop &&
        LEXICAL[bytes[i + 2] ?? 0x20] !== WORD
      ) {
        i += 2;
        code = LITERAL;
      } else if (
        (b === 0x2d || b === 0x2b) &&
        LEXICAL[bytes[i + 1]!] === DIGIT &&
        i + 1 < stop &&
        previous !== LITERAL &&
        // `a-1` subtracts; `LIMIT -1` has a sign.
        (!isWordToken(previous) || LEXICAL[bytes[i - 1]!] === BLANK) &&
        previous !== MARK + 0x29
      ) {
        // A sign, not a subtraction: the number that follows swallows it.
        i++;
        continue;
      } else {
        i++;
        code = MARK + b;
      }
      codes[count] = code;
      starts[count] = from;
      ends[count] = i;
      count++;
      previous = code;
    }
    if (i < stop || end > stop) {
      codes[count] = CUT;
      starts[count] = i;
      ends[count] = end;
      count++;
    }
    tokens.count = count;
  },
});
