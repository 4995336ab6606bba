/**
 * Skeleton of a statement (DETECTION §3.5): the hash of its tokens with literals stripped and lists collapsed, so that
 * `IN (1, 2, 3)` and `IN (?)`, one row of VALUES and a thousand, are the same statement; and the tables it names.
 */
import { avalanche, mix } from '../hash.ts';
import { createLexer, isWordToken, LITERAL, MARK, type Tokens, textCode } from './tokens.ts';

const OPEN = MARK + 0x28;
const CLOSE = MARK + 0x29;
const COMMA = MARK + 0x2c;
const SEMICOLON = MARK + 0x3b;
const DOT = MARK + 0x2e;
const OPEN_BRACKET = MARK + 0x5b;
const OPEN_BRACE = MARK + 0x7b;

/** Tables kept of one statement. */
const MAX_TABLES = 4;
const MAX_TABLE_LENGTH = 64;

export interface SkeletonReader {
  /** Keyed 32-bit hash. `tokens` holds the tokens, collapsed, until the next read. */
  read(bytes: Uint8Array, start: number, end: number, mysql: boolean): number;
  /** Tables of the statement read last, lower case, sorted, comma-separated: names only where they look like names. */
  tables(bytes: Uint8Array): string;
  readonly tokens: Tokens;
}

export const createSkeletonReader = (seed: number, tokens: Tokens): SkeletonReader => {
  const lexer = createLexer(seed);
  const word = (text: string): number => textCode(text, seed);
  const VALUES = word('values');
  const constants = new Set(['null', 'true', 'false', 'default'].map(word));
  const tableWords = new Set(['from', 'join', 'into', 'update', 'table'].map(word));
  const notTables = new Set(['select', 'only', 'set', 'if', 'lateral', 'unnest'].map(word));

  const isTableName = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (end - start > MAX_TABLE_LENGTH) return false;
    for (let i = start; i < end; i++) {
      const b = bytes[i]! | 0x20;
      const c = bytes[i]!;
      if (!((b >= 0x61 && b <= 0x7a) || (c >= 0x30 && c <= 0x39) || c === 0x5f)) return false;
    }
    return end > start;
  };

  /** Writes over the tokens in place; output never passes input. */
  const collapse = (): void => {
    const { codes, starts, ends } = tokens;
    const count = tokens.count;
    let to = 0;
    let inValues = false;
    /** Where the last complete parenthesised group of a VALUES list lies in the output. */
    let groupStart = -1;
    let groupEnd = -1;
    let depth = 0;
    let open = -1;
    for (let i = 0; i < count; i++) {
      let code = codes[i]!;
      const before = to > 0 ? codes[to - 1]! : 0;
      // NULL, TRUE, DEFAULT beside literals are values; after IS or NOT they are words.
      if (isWordToken(code) && constants.has(code) && (before === COMMA || before === OPEN || before === MARK + 0x3d)) {
        code = LITERAL;
      }
      if (code === LITERAL && before === COMMA && to > 1 && codes[to - 2] === LITERAL) {
        to--;
        continue;
      }
      if (code === VALUES) {
        inValues = true;
        groupStart = groupEnd = -1;
        depth = 0;
      }
      codes[to] = code;
      starts[to] = starts[i]!;
      ends[to] = ends[i]!;
      to++;
      if (!inValues) continue;
      if (code === OPEN) {
        if (depth === 0) open = to - 1;
        depth++;
      } else if (code === CLOSE) {
        depth--;
        if (depth === 0) {
          const size = to - open;
          let same = groupStart >= 0 && groupEnd - groupStart === size && open === groupEnd + 1;
          for (let k = 0; same && k < size; k++) same = codes[groupStart + k] === codes[open + k];
          if (same) {
            to = groupEnd;
          } else {
            groupStart = open;
            groupEnd = to;
          }
        }
      } else if (depth === 0 && code !== VALUES && code !== COMMA) {
        inValues = false;
      }
    }
    while (to > 0 && codes[to - 1] === SEMICOLON) to--;
    tokens.count = to;
  };

  return {
    tokens,
    read(bytes, start, end, mysql) {
      let first = start;
      while (first < end && bytes[first]! <= 0x20) first++;
      const json = first < end && (MARK + bytes[first]! === OPEN_BRACE || MARK + bytes[first]! === OPEN_BRACKET);
      lexer.read(bytes, start, end, mysql || json, tokens);
      collapse();
      let hash = seed | 0;
      const { codes, count } = tokens;
      for (let i = 0; i < count; i++) hash = mix(hash, codes[i]!);
      return avalanche(hash ^ count);
    },
    tables(bytes) {
      const names: string[] = [];
      const { codes, starts, ends, count } = tokens;
      const name = (at: number): string => {
        const quoted = bytes[starts[at]!] === 0x22 || bytes[starts[at]!] === 0x60 ? 1 : 0;
        const from = starts[at]! + quoted;
        const until = ends[at]! - quoted;
        return isTableName(bytes, from, until)
          ? Buffer.from(bytes.subarray(from, until)).toString('latin1').toLowerCase()
          : '';
      };
      for (let i = 0; i + 1 < count && names.length < MAX_TABLES; i++) {
        if (!tableWords.has(codes[i]!) || !isWordToken(codes[i + 1]!) || notTables.has(codes[i + 1]!)) continue;
        let text = name(i + 1);
        if (i + 3 < count && codes[i + 2] === DOT && isWordToken(codes[i + 3]!)) text = name(i + 3);
        if (text !== '' && !names.includes(text)) names.push(text);
      }
      return names.sort().join(',');
    },
  };
};
