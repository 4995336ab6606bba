/** Redaction: what goes, what stays, and that a second time changes nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Sensitivity } from '../../../schemas/clickhouse/redactor.ts';
import { type RedactionConfig, redactionSection } from '../../../schemas/config/redaction.ts';
import { createRedactor, MASK } from '../../../traces/redaction/redactor.ts';
import { redactVerdict } from '../../../traces/redaction/verdict.ts';

const redactorOf = (settings: Partial<RedactionConfig> = {}) => createRedactor(redactionSection.parse(settings));
const redactor = redactorOf();
const JWT =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
const classes = Object.fromEntries(Object.entries(Sensitivity).map(([name, value]) => [value, name]));

describe('names', () => {
  test.each([
    ['authorization', 'secret'],
    ['http.request.header.authorization', 'secret'],
    ['http.request.header.Set-Cookie', 'secret'],
    ['http.request.header.set_cookie', 'secret'],
    ['http.request.header.x-api-key', 'secret'],
    ['app.apiKey', 'secret'],
    ['api_key', 'secret'],
    ['user.accessToken', 'secret'],
    ['client_secret', 'secret'],
    ['new_password', 'secret'],
    ['session.id', 'secret'],
    ['JSESSIONID', 'secret'],
    ['http.request.header.author', 'look'],
    ['gen_ai.usage.input_tokens', 'look'],
    ['http.request.method', 'harmless'],
    ['service.name', 'harmless'],
    ['url.full', 'look'],
    ['db.query.text', 'look'],
    ['', 'look'],
  ])('%s is %s', (name, expected) => {
    const bytes = Buffer.from(`··${name}··`);
    const start = Buffer.byteLength('··');
    expect(classes[redactor.classify(name)]).toBe(expected);
    expect(classes[redactor.classifyBytes(bytes, start, bytes.length - start)]).toBe(expected);
    expect(classes[redactor.classifyBytes(bytes, start, bytes.length - start)], 'the second time').toBe(expected);
  });

  test('the configuration adds names and excepts others', () => {
    const own = redactorOf({ parameters: ['iban'], allow: ['public[-_]token'] });
    expect(own.value('iban', 'DE00')).toBe(MASK);
    expect(own.value('public_token', 'abc')).toBe('abc');
    expect(own.look('q=1&iban=DE00')).toBe(`q=1&iban=${MASK}`);
  });

  test('made-up names do not grow its memory, and keep their class', () => {
    for (let i = 0; i < 30_000; i++) redactor.classify(`n${i}.token`);
    expect(classes[redactor.classify('n1.token')]).toBe('secret');
  });
});

describe('secrets inside a text', () => {
  test.each([
    ['a query string', '/a?q=shoes&access_token=abc123&page=2', '/a?q=shoes&access_token=[redacted]&page=2'],
    ['an encoded name', 'pass%77ord=abc&q=1', 'pass%77ord=[redacted]&q=1'],
    ['a fragment behind it', '/a?token=abc#top', '/a?token=[redacted]#top'],
    ['user and password of a URL', 'postgres://app:s3cret@db:5432/shop', 'postgres://app:[redacted]@db:5432/shop'],
    ['a JSON body', '{"user":"ann","password":"s3\\"cret","n":1}', '{"user":"ann","password":"[redacted]","n":1}'],
    ['JSON with spaces', '{ "api_key" : "abc" }', '{ "api_key" : "[redacted]" }'],
    ['JSON inside JSON', '{"body":"{\\"password\\":\\"abc\\"}"}', '{"body":"{\\"password\\":\\"[redacted]\\"}"}'],
    ['a list under a secret name', '{"tokens":["a","b]"],"n":1}', '{"tokens":[redacted],"n":1}'],
    ['a number under a secret name', '{"password":1234,"n":1}', '{"password":[redacted],"n":1}'],
    ['a statement', "SELECT 1 WHERE password = 'abc' AND n = 1", "SELECT 1 WHERE password = '[redacted]' AND n = 1"],
    ['a header line', 'Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['a credential in words', 'sent authorization=Bearer abc then left', 'sent authorization=[redacted] then left'],
    ['cookies', 'Cookie: a=b; c=d\nAccept: */*', 'Cookie: [redacted]\nAccept: */*'],
    ['a form field with brackets', 'user[password]=abc&n=1', 'user[password]=[redacted]&n=1'],
    [
      'a URL inside a URL',
      '/go?to=https%3A%2F%2Fapp%2Fcb%3Fn%3D1%26token%3Dabc%2Fd%26page%3D2',
      '/go?to=https%3A%2F%2Fapp%2Fcb%3Fn%3D1%26token%3D[redacted]%26page%3D2',
    ],
    [
      'the same, encoded twice',
      'to=https%253A%252F%252Fapp%253Ftoken%253Dabc%2526page%253D2',
      'to=https%253A%252F%252Fapp%253Ftoken%253D[redacted]%2526page%253D2',
    ],
    [
      'JSON, encoded',
      'q=%7B%22password%22%3A%22abc%22%2C%22n%22%3A1%7D',
      'q=%7B%22password%22%3A%22[redacted]%22%2C%22n%22%3A1%7D',
    ],
    ['an encoded pair alone', 'password%3dabc', 'password%3d[redacted]'],
    [
      'an element of XML',
      '<login><ns:password>a b</ns:password></login>',
      '<login><ns:password>[redacted]</ns:password></login>',
    ],
    ['a web token anywhere', `got ${JWT}, left`, 'got [redacted], left'],
    ['a card number', 'paid with 4111111111111111.', 'paid with [redacted].'],
    ['a card number in groups', 'card 5500-0000-0000-0004 ok', 'card [redacted] ok'],
    ['two cards', '4111 1111 1111 1111 5500 0000 0000 0004 7', '[redacted] [redacted] 7'],
    ['a card of fifteen digits', '378282246310005', '[redacted]'],
  ])('%s', (_, text, expected) => {
    expect(redactor.look(text)).toBe(expected);
    expect(redactor.suspects(Buffer.from(text), 0, Buffer.byteLength(text))).toBe(true);
  });

  test.each([
    'SELECT id FROM users WHERE token = $1 AND password = ? AND secret = :secret',
    'UPDATE t SET token = NULL',
    'CAST(token::text AS int)',
    'http://catalog:8080/items/42?page=3&sort=price',
    'POST /checkout?debug=true',
    '4111111111111112', // fails Luhn's check
    '1785542400000000000', // nanoseconds
    'trace 4111111111111111aa00000000000000',
    '192.168.4.111:4111',
    'eyJ is how a token begins',
    'the password was wrong',
    'to=https%3A%2F%2Ftokens.example.com%2Fa%3Fpage%3D2',
    'a%3Db%3D%zz%3D%',
    'token%3D',
    '<token></token><b>x</b> token > 5 <= 6',
    '2026-11-21T08:15:00.000Z',
    '',
  ])('stays: %s', (text) => {
    expect(redactor.look(text)).toBe(text);
    expect(redactor.suspects(Buffer.from(text), 0, Buffer.byteLength(text))).toBe(false);
  });

  test('`suspects` says exactly when `look` changes something, and looking twice changes nothing', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'token',
        'password',
        '=',
        ':',
        ' ',
        '"',
        "'",
        '\\',
        '&',
        '?',
        '://',
        '@',
        '%3D',
        '%253D',
        '%26',
        '%22',
        '%',
        '<',
        '>',
        '[',
        ']',
        '{',
        '}',
        'Bearer',
        'cookie',
        '\n',
        JWT,
        '4111 1111 1111 1111',
        MASK,
      ),
      fc.string({ maxLength: 6, unit: 'grapheme' }),
      fc.stringMatching(/^\d{1,18}$/),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('').toWellFormed();
        const bytes = Buffer.from(text);
        const looked = redactor.look(text);
        expect(redactor.suspects(bytes, 0, bytes.length)).toBe(looked !== text);
        expect(redactor.look(looked)).toBe(looked);
        expect(looked).not.toContain(JWT);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('modes', () => {
  const key = 'a key of this installation';
  test('hash: equal values stay equal, and differ by key', () => {
    const [one, other] = [redactorOf({ mode: 'hash', key }), redactorOf({ mode: 'hash', key: `${key}!` })];
    const hashed = one.value('session.id', 'abc');
    expect(hashed).toMatch(/^hmac:[0-9a-f]{16}$/);
    expect(one.value('session.id', 'abc')).toBe(hashed);
    expect(one.value('session.id', hashed)).toBe(hashed);
    expect(other.value('session.id', 'abc')).not.toBe(hashed);
    const text = one.look('?token=abc&n=1');
    expect(text).toMatch(/^\?token=hmac:[0-9a-f]{16}&n=1$/);
    expect(one.look(text)).toBe(text);
  });

  test('hash without a key is refused', () => {
    expect(() => redactorOf({ mode: 'hash' })).toThrow(/key/);
  });

  test('keep: nothing is touched', () => {
    expect(redactorOf({ mode: 'keep' }).value('password', 'abc')).toBe('abc');
  });

  test('values: false leaves shapes alone, not names', () => {
    const own = redactorOf({ values: false });
    expect(own.look(`4111111111111111 ${JWT}`)).toBe(`4111111111111111 ${JWT}`);
    expect(own.look('token=abc')).toBe(`token=${MASK}`);
  });
});

test('a verdict leaves without secrets in its findings, its match line and its client', () => {
  const client = {
    address: '203.0.113.9',
    source: 'peer' as const,
    confidence: 'high' as const,
    reason: '',
    hops: [],
    entrySpanId: 'b',
    entryTraceId: 'a',
    user: 'ann',
    session: 'planted',
  };
  const finding = {
    kind: 'parameter' as const,
    group: 'parameters' as const,
    hard: false,
    evidence: 'presence' as const,
    explanationKey: 'POST /login · password',
    service: 's',
    operation: 'o',
    spanId: 'b',
    parameter: 'password',
    expected: 'letters',
    seen: 'planted',
    support: 1,
    severity: 1,
    p: 1,
    share: 1,
    candidate: false,
    startMs: 0,
    endMs: 0,
  };
  const parts = { structure: 1, timing: 1, parameters: 1 };
  const verdict = {
    id: '20261121-a-b',
    traceId: 'a',
    entrySpanId: 'b',
    partition: 0,
    firstOffset: 0,
    appendMs: 0,
    revision: 8,
    stage: 0 as const,
    state: 'scored' as const,
    version: 'v',
    asynchronous: false,
    service: 's',
    operation: 'o',
    startMs: 0,
    endMs: 0,
    spanCount: 1,
    truncated: false,
    score: 1,
    p: 1,
    anomalous: false,
    groups: { ...parts, status: 1 },
    match: {
      family: 'f',
      signature: 'f #1',
      version: 'v',
      learnedFrom: 1,
      similarity: parts,
      threshold: parts,
      deviation: { ...parts, max: 1 },
      worst: 'parameters' as const,
      exact: true,
      unseenEntry: false,
      text: 'deviation 7×: q was ?token=planted',
    },
    client,
    origins: [client],
    originState: 'known' as const,
    findings: [finding, { ...finding, parameter: 'q', seen: 'x?token=planted' }],
  };
  const redacted = redactVerdict(redactor, verdict);
  expect(JSON.stringify(redacted)).not.toContain('planted');
  expect(redactVerdict(redactor, redacted)).toEqual(redacted);
  const plain = {
    ...verdict,
    client: { ...client, user: null, session: null },
    origins: [],
    findings: [],
    match: null,
  };
  expect(redactVerdict(redactor, plain)).toBe(plain);
  const named = {
    ...plain,
    client: { ...client, user: 'ana@example.com' },
    origins: [{ ...client, user: 'ana@example.com' }],
  };
  const usersOf = (settings: Partial<RedactionConfig>) => {
    const { client: by, origins } = redactVerdict(redactorOf(settings), named);
    return [by.user, origins[0]!.user];
  };
  expect(usersOf({})).toEqual(['ana@example.com', 'ana@example.com']);
  expect(usersOf({ attributes: ['enduser.id'] })).toEqual([null, null]);
  const [hashed, same] = usersOf({ mode: 'hash', key: 'sixteen characters', attributes: ['user.id'] });
  expect(hashed).toMatch(/^hmac:[0-9a-f]{16}$/);
  expect(same).toBe(hashed);
});
