/**
 * Does a request parameter reach into a statement's syntax? The longest run of a value's tokens that stands, in order and
 * outside literals, in the statement. A value's first half may complete a literal (`x' union select`), so it is read
 * twice: as it is, and from behind its first quote.
 */
import { createLexer, createTokens, isWordToken, LITERAL, MARK, type Tokens } from './tokens.ts';

export interface OutsideLiteral {
  /** Tokens of the value found outside literals, 0 when none worth the name. `statement` has the statement's tokens, uncollapsed. */
  reach(statement: Tokens, value: Uint8Array, start: number, end: number): number;
}

/** A value longer than this is compared by its beginning. */
const MAX_VALUE_BYTES = 2_048;
/** Longer runs are no stronger; the bound keeps hostile repetition linear. */
const MAX_RUN = 32;

export const createOutsideLiteral = (seed: number): OutsideLiteral => {
  const lexer = createLexer(seed);
  const tokens = createTokens();

  const longestRun = (statement: Tokens, from: number): number => {
    let best = 0;
    const { codes, count } = tokens;
    for (let s = 0; s < statement.count; s++) {
      if (statement.codes[s] !== codes[from]) continue;
      let v = from;
      let at = s;
      let words = 0;
      let marks = 0;
      while (v < count && at < statement.count && v - from < MAX_RUN && codes[v] === statement.codes[at]) {
        if (isWordToken(codes[v]!)) words++;
        else if (codes[v]! >= MARK) marks++;
        v++;
        at++;
      }
      // One word is a column or a sort order; syntax starts where words and marks come together.
      if (words >= 2 || (words >= 1 && marks >= 1)) best = Math.max(best, v - from);
    }
    return best;
  };

  const reachFrom = (statement: Tokens, value: Uint8Array, start: number, end: number): number => {
    lexer.read(value, start, end, false, tokens);
    let best = 0;
    const starts = Math.min(tokens.count, 64);
    for (let v = 0; v < starts; v++) {
      if (tokens.codes[v] === LITERAL) continue;
      best = Math.max(best, longestRun(statement, v));
    }
    return best;
  };

  return {
    reach(statement, value, start, end) {
      const stop = Math.min(end, start + MAX_VALUE_BYTES);
      let best = reachFrom(statement, value, start, stop);
      for (let i = start; i < stop; i++) {
        if (value[i] === 0x27 || value[i] === 0x22) {
          best = Math.max(best, reachFrom(statement, value, i + 1, stop));
          break;
        }
      }
      return best;
    },
  };
};
