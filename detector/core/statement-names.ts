/**
 * Tables that a statement names, and columns it selects: a tokeniser, no parser. It knows enough to pass over literals and
 * comments, looks at so many bytes and no more, and never goes back: hostile statements cost what others do.
 */

export interface StatementNames {
  readonly tables: readonly string[];
  /** Between SELECT and FROM, or after RETURNING; last parts of their names. */
  readonly selected: readonly string[];
}

const MAX_SCANNED = 8_192;
const MAX_NAMES = 64;
const MAX_NAME = 128;

const BEFORE_TABLE = new Set(['FROM', 'INTO', 'UPDATE', 'JOIN', 'TABLE']);
/** Between such a word and the table. */
const SKIPPED = new Set(['ONLY', 'IF', 'NOT', 'EXISTS', 'IGNORE', 'LOW_PRIORITY', 'OVERWRITE', 'LATERAL', 'TABLE']);
/** FROM inside of these is no table's. */
const TAKES_FROM = new Set(['EXTRACT', 'SUBSTRING', 'TRIM', 'OVERLAY', 'POSITION']);
/** What ends a list of tables. */
const ENDS_TABLES = new Set([
  'WHERE',
  'SET',
  'VALUES',
  'SELECT',
  'ON',
  'USING',
  'GROUP',
  'ORDER',
  'HAVING',
  'LIMIT',
  'UNION',
  'INTERSECT',
  'EXCEPT',
  'RETURNING',
  'DEFAULT',
  'FOR',
  'WINDOW',
  'OFFSET',
  'FETCH',
]);
/** Words that may stand where a table does and are none. */
const NO_TABLE = new Set(['SELECT', 'WHERE', 'SET', 'VALUES', 'DUAL', 'UNNEST', 'GENERATE_SERIES']);

/** `"name"`, `[name]`, and between backticks. */
const QUOTED = String.raw`"[^"]{0,128}"|\x60[^\x60]{0,128}\x60|\[[^\]\d][^\]]{0,127}\]`;
const NAME = String.raw`(?:[\p{L}_][\p{L}\p{N}_$]*|${QUOTED})`;
/** A comment, a literal, a name with its parts, or one mark. What has no end within a name's length is no name. */
const TOKEN = new RegExp(
  String.raw`\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$)|--[^\n]*|'[^']*(?:'|$)|${NAME}(?:\s?\.\s?(?:${NAME}|\*))*|\S`,
  'gu',
);
const IS_NAME = /^[\p{L}_"`[]/u;

export function namesInStatement(statement: string): StatementNames {
  const tables = new Set<string>();
  const selected = new Set<string>();
  let state: 'none' | 'columns' | 'table' | 'tables' = 'none';
  let depth = 0;
  /** Depth of brackets in which FROM belongs to a function. */
  let takesFrom = -1;
  let before = '';
  for (const [token] of statement.slice(0, MAX_SCANNED).matchAll(TOKEN)) {
    if (tables.size >= MAX_NAMES && selected.size >= MAX_NAMES) break;
    if (token.startsWith('/*') || token.startsWith('--')) continue;
    const word = token.toUpperCase();
    if (token === '(') {
      depth++;
      if (TAKES_FROM.has(before)) takesFrom = depth;
      if (state === 'table' || state === 'tables') state = 'none'; // a subquery or a list of columns
    } else if (token === ')') {
      if (takesFrom === depth) takesFrom = -1;
      depth--;
    } else if (word === 'SELECT' || word === 'RETURNING') state = 'columns';
    else if (BEFORE_TABLE.has(word) && takesFrom < 0 && !(word === 'UPDATE' && before === 'FOR')) state = 'table';
    else if (ENDS_TABLES.has(word)) state = 'none';
    else if (token === ',' && state === 'tables') state = 'table';
    else if (token === ';') state = 'none';
    else if (IS_NAME.test(token)) {
      if (state === 'table' && !SKIPPED.has(word)) {
        if (!NO_TABLE.has(word) && tables.size < MAX_NAMES) tables.add(bare(token));
        state = 'tables';
      } else if (state === 'columns' && selected.size < MAX_NAMES) selected.add(lastPart(token));
    }
    before = word;
  }
  return { tables: [...tables], selected: [...selected] };
}

/** With its schema, without quotes. */
const bare = (name: string): string =>
  name
    .replaceAll(/\s?\.\s?/g, '.')
    .replaceAll(/["`[\]]/g, '')
    .slice(0, MAX_NAME);

const lastPart = (name: string): string => {
  const whole = bare(name);
  return whole.slice(whole.lastIndexOf('.') + 1);
};
