import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOutsideLiteral } from '../../../baseline/parameters/statements/outside-literal.ts';
import { createSkeletonReader } from '../../../baseline/parameters/statements/skeleton.ts';
import { createLexer, createTokens } from '../../../baseline/parameters/statements/tokens.ts';

const SEED = 11;
const reader = createSkeletonReader(SEED, createTokens());
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const skeleton = (sql: string, mysql = false): number => {
  const bytes = bytesOf(sql);
  return reader.read(bytes, 0, bytes.length, mysql);
};

describe('statement skeletons', () => {
  test.each([
    ['SELECT * FROM t WHERE a = 1', 'select *  from T where a=42'],
    ["SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a = 'it''s ; DROP'"],
    ['SELECT * FROM t WHERE a = $1', 'SELECT * FROM t WHERE a = ?'],
    ['SELECT * FROM t WHERE a = :id', 'SELECT * FROM t WHERE a = 7'],
    ['SELECT * FROM t WHERE a IN (1)', 'SELECT * FROM t WHERE a IN (1, 2,3 , 4)'],
    ['SELECT * FROM t WHERE a IN (?)', "SELECT * FROM t WHERE a IN ('a','b')"],
    ['INSERT INTO t (a, b) VALUES (1, 2)', "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4), ('x', NULL)"],
    ['INSERT INTO t VALUES (1, now(), 2)', 'INSERT INTO t VALUES (1, now(), 2), (3, now(), 4), (5, now(), 6)'],
    ['SELECT 1 WHERE a > 5', 'SELECT 1 WHERE a > -5.5e-3'],
    ['SELECT a FROM t', "SELECT a FROM t /*traceparent='00-abc'*/;"],
    ['SELECT $$a$$', "SELECT 'b'"],
    ['UPDATE t SET a = NULL', 'UPDATE t SET a = 3'],
  ])('%s  ≡  %s', (a, b) => {
    expect(skeleton(a)).toBe(skeleton(b));
  });

  test.each([
    ["SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a = 'x' OR 1=1"],
    ["SELECT * FROM t WHERE a LIKE '%x%'", "SELECT * FROM t WHERE a LIKE '%x' UNION SELECT b FROM u --%'"],
    ['SELECT a FROM t', 'SELECT a FROM u'],
    ["SELECT a FROM t WHERE n = 'x'", "SELECT a FROM t WHERE n = 'x'--'"],
    ['SELECT a FROM t WHERE n = 1', 'SELECT a FROM t WHERE n = 1; DELETE FROM t'],
    ['SELECT a FROM t WHERE b IS NULL', 'SELECT a FROM t WHERE b IS NOT NULL'],
    ['SELECT a::int FROM t', 'SELECT a FROM t'],
  ])('%s  ≠  %s', (a, b) => {
    expect(skeleton(a)).not.toBe(skeleton(b));
  });

  test('double quotes are names in SQL and literals in MySQL and JSON', () => {
    expect(skeleton('SELECT "a" FROM t')).not.toBe(skeleton('SELECT "b" FROM t'));
    expect(skeleton('SELECT * FROM t WHERE n = "a"', true)).toBe(skeleton('SELECT * FROM t WHERE n = "b"', true));
    expect(skeleton('{"find":"orders","filter":{"id":"a"}}')).toBe(skeleton('{"find":"users","filter":{"id":"b"}}'));
    expect(skeleton('{"find":"orders","filter":{"id":"a"}}')).not.toBe(
      skeleton('{"find":"orders","filter":{"$where":"a"}}'),
    );
  });

  test('any literal in place of another: the same skeleton', () => {
    const literal = fc.oneof(
      fc.integer().map(String),
      fc.string({ maxLength: 30 }).map((text) => `'${text.replaceAll("'", "''")}'`),
      fc.constantFrom('?', '$1', ':name'),
    );
    const expected = skeleton('SELECT a FROM t WHERE b = 1 AND c IN (1) LIMIT 1');
    fc.assert(
      fc.property(literal, fc.array(literal, { minLength: 1, maxLength: 6 }), literal, (a, list, c) => {
        expect(skeleton(`SELECT a FROM t WHERE b = ${a} AND c IN (${list.join(', ')}) LIMIT ${c}`)).toBe(expected);
      }),
    );
  });

  test('any bytes, any length: no exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, mysql) => {
        reader.read(bytes, 0, bytes.length, mysql);
      }),
    );
    for (const part of ["'", '/*', '$a', '(', '"', 'x,', '$$']) skeleton(part.repeat(40_000));
  });

  test('tables', () => {
    const sql = bytesOf(
      'SELECT * FROM shop.Users u JOIN "orders" o ON o.u = u.id WHERE x IN (SELECT y FROM (SELECT 1) z)',
    );
    reader.read(sql, 0, sql.length, false);
    expect(reader.tables(sql)).toBe('orders,users');
  });
});

describe('a parameter outside a literal', () => {
  const outside = createOutsideLiteral(SEED);
  const lexer = createLexer(SEED);
  const tokens = createTokens();
  const reach = (sql: string, value: string): number => {
    const statement = bytesOf(sql);
    lexer.read(statement, 0, statement.length, false, tokens);
    const bytes = bytesOf(value);
    return outside.reach(tokens, bytes, 0, bytes.length);
  };

  test.each([
    ["SELECT * FROM p WHERE n LIKE '%x' UNION SELECT a, b FROM users --%'", "x' UNION SELECT a, b FROM users --"],
    ['SELECT * FROM p WHERE id = 1 OR 1=1', '1 OR 1=1'],
    ["SELECT * FROM p WHERE id = '1'; DROP TABLE p", "1'; DROP TABLE p"],
    ['SELECT * FROM p WHERE id = ? UNION SELECT a FROM users', '1 UNION SELECT a FROM users'],
  ])('%s reached by %s', (sql, value) => {
    expect(reach(sql, value)).toBeGreaterThanOrEqual(2);
  });

  test.each([
    ["SELECT * FROM p WHERE n = 'red hat and shoes'", 'red hat and shoes'],
    ["SELECT * FROM p WHERE n = 'O''Brien'", "O'Brien"],
    ['SELECT * FROM p ORDER BY price', 'price'],
    ['SELECT * FROM p WHERE id = 17', '17'],
    ["SELECT * FROM p WHERE n = 'select a, b from c'", 'select a, b from c'],
  ])('%s not reached by %s', (sql, value) => {
    expect(reach(sql, value)).toBe(0);
  });
});
