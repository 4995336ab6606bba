/** Tables and selected columns, as a person would read them off a statement; and hostile text at no greater cost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { namesInStatement } from '../../../detector/core/statement-names.ts';

test.each<[string, string[], string[]]>([
  ['SELECT name, price FROM items WHERE id = $1', ['items'], ['name', 'price']],
  [
    'select u.email, c.card_number from users u join cards as c on c.user_id = u.id',
    ['users', 'cards'],
    ['email', 'card_number'],
  ],
  ['SELECT * FROM a, b AS x, public."Order Items" WHERE 1=1', ['a', 'b', 'public.Order Items'], []],
  ['INSERT INTO order_lines (order_id, sku) VALUES (?, ?) RETURNING id', ['order_lines'], ['id']],
  ['INSERT INTO archive SELECT id, iban FROM accounts', ['archive', 'accounts'], ['id', 'iban']],
  ['UPDATE `shop`.`stock` SET count = count - 1 WHERE sku = ?', ['shop.stock'], []],
  ['UPDATE ONLY users SET email = ? WHERE id = ?', ['users'], []],
  ['DELETE FROM [dbo].[Users] WHERE Id = @id', ['dbo.Users'], []],
  [
    "SELECT name FROM items WHERE title = '' UNION SELECT password FROM users",
    ['items', 'users'],
    ['name', 'password'],
  ],
  ['SELECT (SELECT max(price) FROM prices) FROM items', ['prices', 'items'], ['max', 'price']],
  ['SELECT count(*) FROM (SELECT id FROM orders) o', ['orders'], ['count', 'id']],
  ["SELECT 'FROM secrets' FROM items -- FROM comments\nWHERE x /* JOIN other */ = 1", ['items'], []],
  ['SELECT EXTRACT(year FROM created) FROM orders', ['orders'], ['EXTRACT', 'year', 'created']],
  ['SELECT id FROM jobs FOR UPDATE SKIP LOCKED', ['jobs'], ['id']],
  ['WITH t AS (SELECT id FROM a) SELECT * FROM t LEFT JOIN b USING (id)', ['a', 't', 'b'], ['id']],
  ['DROP TABLE IF EXISTS users', ['users'], []],
  ['GET session:17', [], []],
  ['{"find": "users"}', [], []],
  ['', [], []],
])('%s', (statement, tables, selected) => {
  const found = namesInStatement(statement);
  expect(found.tables).toEqual(tables);
  expect(selected.filter((name) => !found.selected.includes(name))).toEqual([]);
});

test('hostile text: bounded names, and no text that costs more than its length', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'FROM ',
      'SELECT ',
      '[',
      '"',
      '`',
      "'",
      '/*',
      '*',
      '--',
      '(',
      '.',
      ',',
      ';',
      'a',
      'JOIN x',
      '\u0000',
      '🙂',
    ),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 400 }), (pieces) => {
      const { tables, selected } = namesInStatement(pieces.join(''));
      for (const names of [tables, selected]) {
        expect(names.length).toBeLessThanOrEqual(64);
        for (const name of names) expect(name.length).toBeLessThanOrEqual(128);
      }
    }),
  );
  for (const unit of ['[', '"', '`', "'", '/*', '*/', '/* *', 'a.', '. ', 'FROM(', '[a', '"b.']) {
    const found = namesInStatement(`SELECT x FROM t ${unit.repeat(1_000_000 / unit.length)}`);
    expect(found.tables[0]).toBe('t');
  }
});
