/** Redaction of percent-encoded texts: the rules of plain ones, in every layer; the rest byte for byte. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { createRedactor, MASK } from '../../../traces/redaction/redactor.ts';

const redactor = createRedactor(redactionSection.parse({}));
const hashing = createRedactor(redactionSection.parse({ mode: 'hash', key: 'a key of this installation' }));

const suspects = (text: string, by = redactor): boolean => by.suspects(Buffer.from(text), 0, Buffer.byteLength(text));

describe('what goes', () => {
  test.each([
    ['Authorization%3A%20Bearer%20abcdef', 'Authorization%3A%20[redacted]'],
    ['Authorization%3A%20Basic%20abc%3D', 'Authorization%3A%20[redacted]'],
    ['authorization%3A+Bearer+abcdef', 'authorization%3A[redacted]'],
    ['authorization%3DBearer%20%20abc%20then', 'authorization%3D[redacted]%20then'],
    ['cookie%3A%20a%3Db%3B%20c%3Dd', 'cookie%3A%20[redacted]'],
    ['cookie%3A%20a%3Db%0AAccept%3A%20x', 'cookie%3A%20[redacted]%0AAccept%3A%20x'],
    ['%22password%22%3A%22a%20b%22%2C%22n%22%3A1', '%22password%22%3A%22[redacted]%22%2C%22n%22%3A1'],
    ['%22password%22%3A%20%22a b%22', '%22password%22%3A%20%22[redacted]%22'],
    ['%22password%22%3A+%22a+b,c%22%2C', '%22password%22%3A+%22[redacted]%22%2C'],
    ['%22password%22+%3A+%22a+b%22', '%22password%22+%3A+%22[redacted]%22'],
    ['%22password%22%3A%22a%2Cb%22', '%22password%22%3A%22[redacted]%22'],
    ['%22password%22%3A%22a%5C%22b%22', '%22password%22%3A%22[redacted]%22'],
    ['%22password%22%3A%22a%27b%22', '%22password%22%3A%22[redacted]%22'],
    ['password%3d%27a b%27', 'password%3d%27[redacted]%27'],
    ['%22password%22%3A%5B%22abc%22%2C%22def%22%5D%2C1', '%22password%22%3A[redacted]%2C1'],
    ['%22tokens%22%3A%7B%22a%22%3A%22b%22%7D%7D', '%22tokens%22%3A[redacted]%7D'],
    ['?next=https%3A%2F%2Fu%3Apw%40host%2F', '?next=https%3A%2F%2Fu%3A[redacted]%40host%2F'],
    ['pass%2577ord%253Dabc%2526n%253D1', 'pass%2577ord%253D[redacted]%2526n%253D1'],
    ['pass%2577ord=abc%26d', 'pass%2577ord=[redacted]'],
    ['%3Cpassword%3Eabc%3C%2Fpassword%3E', '%3Cpassword%3E[redacted]%3C%2Fpassword%3E'],
    ['user%255Bpassword%255D%253Dabc', 'user%255Bpassword%255D%253D[redacted]'],
    ['token%252525253Dabc', 'token%252525253D[redacted]'],
    ['4111%201111%201111%201111', '[redacted]'],
    ['n%3D4111111111111111%zz', 'n%3D[redacted]%zz'],
    ['pass%E2%82word%3Dabc é%20', 'pass%E2%82word%3Dabc é%20'],
    ['é%20token%3Dabc%20ü%', 'é%20token%3D[redacted]%20ü%'],
  ])('%s', (text, expected) => {
    expect(redactor.look(text)).toBe(expected);
    expect(suspects(text)).toBe(expected !== text);
    expect(redactor.look(expected)).toBe(expected);
  });

  test.each([
    ['<password><![CDATA[hunter2]]></password>', '<password>[redacted]</password>'],
    ['<password>a<![CDATA[<b>]]>c<![CDATA[d]]></password>', '<password>[redacted]</password>'],
    ['<password><![CDATA[hunter2]', '<password>[redacted]'],
    ['<password><![CDATA[hunter2]]>', '<password>[redacted]'],
    ['<password >abc</password >', '<password >[redacted]</password >'],
    ['<password\r\n>abc</password>', '<password\r\n>[redacted]</password>'],
    ['<s:password type="x">abc</s:password>', '<s:password type="x">[redacted]</s:password>'],
    ['Authorization: Digest username="a", response="b"\nx', 'Authorization: [redacted]\nx'],
    ['{"h":"Authorization: Basic YWI=","n":"x"}', '{"h":"Authorization: [redacted]","n":"x"}'],
    ['{"h":"Cookie: a=\\"b\\"","n":"x"}', '{"h":"Cookie: [redacted]","n":"x"}'],
    ['token=/abc', 'token=[redacted]'],
  ])('plain: %s', (text, expected) => {
    expect(redactor.look(text)).toBe(expected);
    expect(redactor.look(expected)).toBe(expected);
  });

  test('nothing is read past the end of the range', () => {
    const text = '<password><![CDATA[abc]';
    const bytes = Buffer.from(`${text}]></password>`);
    expect(redactor.suspects(bytes, 0, text.length)).toBe(true);
    const encoded = Buffer.from('token%3Dabc');
    expect(redactor.suspects(encoded, 0, 'token%3D'.length)).toBe(false);
    expect(redactor.suspects(encoded, 0, 'token%3'.length)).toBe(false);
  });
});

/** How a text may be written; each is undone by undoing percent-escapes. */
const ENCODINGS: readonly (readonly [string, (text: string) => string])[] = [
  ['plain', (text) => text],
  ['encodeURI', encodeURI],
  ['encodeURIComponent', encodeURIComponent],
  ['as a form', (text) => new URLSearchParams({ q: text }).toString()],
  ['every byte', (text) => Buffer.from(text).toString('hex').replace(/../g, '%$&')],
  ['all but blanks', (text) => encodeURIComponent(text).replaceAll('%20', ' ')],
  ['lower case', (text) => encodeURIComponent(text).replace(/%../g, (one) => one.toLowerCase())],
];

/** A secret and harmless words before and behind it. */
const FORMS: readonly (readonly [string, (secret: string) => string])[] = [
  ['a query', (secret) => `/a?q=shoes&token=${secret}`],
  ['JSON', (secret) => `{"user":"ann","password":"${secret} x, 'y'","n":1}`],
  ['JSON in JSON', (secret) => `{"body":"{\\"password\\":\\"${secret}\\"}"}`],
  ['a second part of a string', (secret) => `{"password": "a b,c;d&e ${secret}"}`],
  ['a part behind a quote', (secret) => `{"password":"a\\"${secret}"}`],
  ['a list', (secret) => `{"tokens":["a","${secret}"],"n":1}`],
  ['a statement', (secret) => `WHERE password = 'a ${secret}' AND n = 1`],
  ['a bearer', (secret) => `Authorization: Bearer ${secret}`],
  ['a credential in words', (secret) => `sent authorization=Basic ${secret} then`],
  ['digest', (secret) => `Authorization: Digest username="a", response="${secret}"`],
  ['cookies', (secret) => `GET /\nCookie: a=b; c=${secret}\nAccept: x`],
  ['a URL', (secret) => `https://ann:${secret}@host/a`],
  ['XML', (secret) => `<login><ns:password >a ${secret}</ns:password></login>`],
  ['CDATA', (secret) => `<password><![CDATA[<${secret}>]]></password>`],
  ['a field with brackets', (secret) => `user[password]=${secret}&n=1`],
];

describe.each(FORMS)('%s', (_, form) => {
  test.each(ENCODINGS)('%s: the secret never survives, in two layers or with escapes of its own', (_, encode) => {
    // Base64url and what else stands in a token, so that it reads the same under every encoding.
    const secrets = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9._~-]{11,30}$/);
    fc.assert(
      fc.property(secrets, fc.constantFrom(...ENCODINGS), fc.nat(8), (secret, [, outer], escaped) => {
        const hidden = secret.slice(0, escaped) + encodeURIComponent('é') + secret.slice(escaped);
        for (const one of [secret, hidden]) {
          const text = outer(encode(form(one)));
          for (const by of [redactor, hashing]) {
            let looked = by.look(text);
            expect(suspects(text, by)).toBe(true);
            for (let i = 0; i < 5; i++) {
              expect(looked).not.toContain(secret.slice(8));
              looked = looked.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
            }
          }
        }
      }),
      { numRuns: 20, seed: 7 },
    );
  });
});

describe('what stays', () => {
  const words = fc.constantFrom('shoes', 'page', 'q', 'n', 'user', 'the', 'é', '42', 'x-y', 'SELECT', 'host', 'null');
  const signs = fc.constantFrom(
    '=',
    ':',
    '&',
    '?',
    '/',
    ' ',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    '<',
    '>',
    '%',
    '\\',
    '+',
    ';',
  );

  test('a text without secrets, byte for byte, under every encoding', () => {
    const texts = fc.array(fc.oneof(words, signs), { maxLength: 30 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(texts, fc.constantFrom(...ENCODINGS), fc.constantFrom(...ENCODINGS), (plain, [, one], [, other]) => {
        const text = other(one(plain));
        expect(redactor.look(text)).toBe(text);
        expect(suspects(text)).toBe(false);
      }),
      { numRuns: 2_000, seed: 7 },
    );
  });

  test.each([
    '100%25',
    '%',
    '%2',
    '%%%',
    '%zz%3',
    'a%20b%3D1%26c',
    'token%3D%3F',
    'sum%3A%20%2B%205',
    '%25'.repeat(50),
  ])('%s', (text) => {
    expect(redactor.look(text)).toBe(text);
    expect(suspects(text)).toBe(false);
  });

  test('`suspects` says when `look` changes something, and masking twice changes nothing', () => {
    const piece = fc.constantFrom(
      ...['token', 'password', 'cookie', 'authorization', 'Bearer', 'a', '1', '=', ':', ' ', '"', "'", '\\', '&', '+'],
      ...[
        '://',
        '@',
        '%3D',
        '%3A',
        '%253D',
        '%26',
        '%22',
        '%2522',
        '%20',
        '%0A',
        '%5B',
        '%5D',
        '%',
        '25',
        '<',
        '>',
        '[',
      ],
      ...[']', '{', '%7D', '\n', '%3Cpassword%3E', '%3C', '<![CDATA[', ']]>', '4111%201111 1111 1111', MASK],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), fc.constantFrom('mask', 'hash'), (pieces, mode) => {
        const by = mode === 'mask' ? redactor : hashing;
        const text = pieces.join('');
        const looked = by.look(text);
        expect(suspects(text, by)).toBe(looked !== text);
        if (by === redactor) expect(by.look(looked)).toBe(looked);
      }),
      { numRuns: 3_000, seed: 7 },
    );
  });
});
