/**
 * No raw value is kept in a baseline (DETECTION §3): traffic with secrets in every place that a request has is learned
 * through the complete learner, and nothing that is written of it holds one, in any encoding the decode chain knows.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createLearners } from '../../../baseline/all-learners.ts';
import { createLearning } from '../../../baseline/learning/learning.ts';
import { levelsToEntries } from '../../../baseline/templates.ts';
import { writeVersion } from '../../../schemas/baselines/version.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { collapsedLevels } from '../../../traces/operations/learned-templates.ts';
import { createPathTrie, trieToJson } from '../../../traces/operations/path-trie.ts';
import { EPOCH_MS, id, segmentSpansOf, type WireSpan } from '../traces/otlp.ts';

/** By where it is planted. Those in names and paths look like what people put there: ids, tokens, addresses. */
const SECRETS = {
  path: 'rst9f4e2b7c81d6a3',
  routedPath: 'hunter2-Rosebud!',
  query: 'open-sesame-4711',
  bareQuery: '51H8xQ2eZvKYlo2Cq7',
  bareMail: 'guinevere.doe@camelot.example',
  bareWord: 'hunterBedivereSecret',
  bareWords: 'merlin+agravain+mordred',
  header: 'tok_Zq81Lmvb77PpoX',
  cookie: 'sid~5b8e1fVulcan9',
  body: 'p@ssw0rd-Xanadu',
  jsonBody: 'Mellon&Speak"Friend',
  jwt: 'jwt-subject-Arkenstone',
  sql: "O'Malley-4024007103939509",
  sqlNumber: '378282246310005',
  oldSql: 'shibboleth-77AB',
  rpc: 'rpc-Excalibur-90125',
  message: 'msg-Durandal-5150',
  messageKey: 'key-Gram-2112',
  graphql: 'gql-Balmung-1984',
  egressName: 'x7f3secretdata',
  egressPrivate: '4f9a1c7e22b8d05f',
  egressAddress: '203.0.113.177',
  error: 'err-Joyeuse-0451',
  spanName: '8d1c4f7a9b3e6052',
  operation: '6e2b9d4f1a7c8035',
  parameterName: 'c41f8e2d7b9a6350',
  user: 'user-Galahad-31337',
  session: 'sess-Percival-808',
  client: '198.51.100.',
};

const jwtOf = (claims: object): string =>
  [{ alg: 'HS256', typ: 'JWT' }, claims, { s: 1 }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');

/** Request number `i`: every place holds its secret; the ordinary parts differ from client to client. */
function requestOf(i: number): WireSpan[] {
  const traceId = (i + 1).toString(16).padStart(32, '0');
  const service = 'accounts';
  const at = i * 500;
  const spans: WireSpan[] = [
    {
      spanId: id(1),
      kind: 'server',
      name: `POST /reset/${SECRETS.path}`,
      start: at,
      end: at + 40,
      events: i % 10 === 0 ? ['exception', SECRETS.error] : [SECRETS.error],
      attributes: {
        'http.request.method': 'POST',
        'url.path': `/reset/${SECRETS.path}/confirm`,
        'url.query': `q=${encodeURIComponent(SECRETS.query)}&page=${i % 7}&${SECRETS.bareQuery}&${SECRETS.bareMail}&${SECRETS.bareWord}&${SECRETS.bareWords}&f[${SECRETS.parameterName}]=1`,
        'http.response.status_code': 200,
        'http.request.header.authorization': [`Bearer ${jwtOf({ sub: SECRETS.jwt, n: i % 3 })}`],
        'http.request.header.x-api-key': [SECRETS.header],
        'http.request.header.cookie': [`a=1; sid=${SECRETS.cookie}`],
        'http.request.body.password': SECRETS.body,
        'http.request.body.note': JSON.stringify({ deep: [{ note: SECRETS.jsonBody }] }),
        'client.address': `${SECRETS.client}${i % 40}`,
        'network.peer.address': `${SECRETS.client}${i % 40}`,
        'user.id': SECRETS.user,
        'session.id': SECRETS.session,
        'error.message': SECRETS.error,
        'http.response.body.size': 900 + (i % 50),
      },
      status: i % 20 === 0 ? 2 : 0,
    },
    {
      spanId: id(2),
      parent: id(1),
      kind: 'server',
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/vault/{key}',
        'url.path': `/vault/${encodeURIComponent(SECRETS.routedPath)}`,
      },
    },
    {
      spanId: id(3),
      parent: id(1),
      kind: 'client',
      attributes: {
        'db.system.name': 'postgresql',
        'server.address': 'db',
        'db.query.text': `SELECT id FROM users WHERE name = '${SECRETS.sql.replace("'", "''")}' AND card = ${SECRETS.sqlNumber}`,
      },
    },
    {
      spanId: id(4),
      parent: id(1),
      kind: 'client',
      attributes: { 'db.system': 'mysql', 'db.statement': `UPDATE t SET a = "${SECRETS.oldSql}" WHERE b = 1` },
    },
    {
      spanId: id(5),
      parent: id(1),
      kind: 'server',
      attributes: { 'rpc.system': 'grpc', 'rpc.method': 'a.B/C', 'rpc.request.token': SECRETS.rpc },
    },
    {
      spanId: id(6),
      parent: id(1),
      kind: 'producer',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.destination.name': 'mails',
        'messaging.header.x-to': SECRETS.message,
        'messaging.kafka.message.key': SECRETS.messageKey,
      },
    },
    {
      spanId: id(7),
      parent: id(1),
      kind: 'server',
      attributes: {
        'graphql.operation.type': 'query',
        'graphql.document': `query { user(name: "${SECRETS.graphql}") { id } }`,
        'graphql.variables.name': SECRETS.graphql,
      },
    },
    ...[`${SECRETS.egressName}.evil.example`, `pod-${SECRETS.egressPrivate}.svc`, SECRETS.egressAddress].map(
      (host, n): WireSpan => ({
        spanId: id(8 + n),
        parent: id(1),
        kind: 'client',
        name: 'GET',
        attributes: { 'http.request.method': 'GET', 'server.address': host, 'server.port': 443 },
      }),
    ),
    { spanId: id(11), parent: id(1), kind: 'internal', name: `job ${SECRETS.spanName}` },
    {
      spanId: id(12),
      parent: id(1),
      kind: 'server',
      attributes: { 'rpc.system': 'x', 'rpc.service': 'mailbox', 'rpc.method': `Open-${SECRETS.operation}` },
    },
  ];
  return spans.map((span) => ({ service, start: at + 1, end: at + 5, ...span, traceId }));
}

/** Everything that bytes hold, each byte a letter, once what is packed in them is unpacked: gzip, hex, base64, escapes. */
function unpacked(bytes: Uint8Array, depth = 3): string[] {
  const text = Buffer.from(bytes).toString('latin1');
  const out = [text];
  if (depth === 0) return out;
  for (let at = text.indexOf('\x1f\x8b\x08'); at >= 0; at = text.indexOf('\x1f\x8b\x08', at + 1)) {
    try {
      out.push(...unpacked(gunzipSync(bytes.subarray(at)), depth - 1));
    } catch {
      // Those three bytes stand there by chance.
    }
  }
  // Where a run began is not known: both ways to cut one of hex, all four to cut one of base64.
  for (const [hex] of text.matchAll(/[0-9a-f]{24,}/gi)) {
    for (const skip of [0, 1]) out.push(...unpacked(Buffer.from(hex.slice(skip), 'hex'), depth - 1));
  }
  for (const [run] of text.matchAll(/[\w+/-]{16,}={0,2}/g)) {
    for (let skip = 0; skip < 4; skip++) out.push(Buffer.from(run.slice(skip), 'base64').toString('latin1'));
  }
  return out;
}

/** A text in all forms that the decode chain takes off. */
function formsOf(secret: string): string[] {
  const each = (write: (code: number) => string) => [...secret].map((c) => write(c.charCodeAt(0))).join('');
  const hex = (code: number) => code.toString(16).padStart(2, '0');
  const percent = each((c) => `%${hex(c)}`);
  return [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(encodeURIComponent(secret)),
    percent,
    percent.toUpperCase(),
    each((c) => `%25${hex(c)}`),
    each((c) => `&#${c};`),
    each((c) => `&#x${hex(c)};`),
    each((c) => `\\u00${hex(c)}`),
    each((c) => `\\x${hex(c)}`),
    JSON.stringify(secret).slice(1, -1),
    each((c) => String.fromCharCode(c > 0x20 && c < 0x7f ? c + 0xfee0 : c)),
    ...[0, 1, 2].map((shift) => {
      // Without the letters that depend on what stands before and after.
      const text = Buffer.from('\0'.repeat(shift) + secret).toString('base64');
      return text.slice(shift === 0 ? 0 : 4, -4);
    }),
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret).toString('base64url'),
    [...secret].reverse().join(''),
  ];
}

/** Names of secrets of which some eight letters stand in the texts, in whatever form. */
function leaks(texts: readonly string[], secrets: Readonly<Record<string, string>> = SECRETS): string[] {
  const found = new Set<string>();
  const haystack = texts.join('\n').toLowerCase();
  for (const [name, secret] of Object.entries(secrets)) {
    for (const form of formsOf(secret)) {
      const needle = Buffer.from(form).toString('latin1').toLowerCase();
      const window = needle.length > 3 * secret.length ? 24 : 8;
      for (let at = 0; at === 0 || at + window <= needle.length; at++) {
        if (haystack.includes(needle.slice(at, at + window))) found.add(name);
      }
    }
  }
  return [...found];
}

const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
const { reader, segment, symbols } = kit;
const learners = createLearners({ hashKey: 'an installation of its own' });
const learning = createLearning(learningSection.parse({ profile: 'export', spanMs: 200_000 }), {
  symbols,
  learners,
  rescore: (spans) => (reader.read(spans, segment) ? segment : undefined),
});
const paths = createPathTrie();
const partial = learners.parameters.createPartial();
for (let i = 0; i < 400; i++) {
  const spans = segmentSpansOf(requestOf(i), {
    traceId: (i + 1).toString(16).padStart(32, '0'),
    firstOffset: i,
    appendMs: EPOCH_MS + i * 500,
  });
  reader.read(spans, segment, null, paths);
  learning.learn(segment, spans, false);
  learners.parameters.learn(partial, segment, { bucket: i >> 3, client: 1 + (i % 40), quarantined: i % 100 === 99 });
}
const baseline = learning.publish({
  parent: '',
  previous: [],
  offsets: [400],
  extra: levelsToEntries({
    levels: collapsedLevels([paths], []),
    coming: [],
  }),
});
const lines = [...writeVersion(baseline.entries())].join('');

describe('planted secrets', () => {
  test('were learned: the places they stood in are known', () => {
    for (const known of [
      'reset',
      'password',
      'x-api-key',
      'UPDATE t',
      'mails',
      'public:name',
      'f[{id}]',
      '(none)',
      'pod-{id}.svc',
    ]) {
      expect(lines.includes(known), known).toBe(true);
    }
    // Often enough, by clients enough: they are in the dictionaries, as hashes.
    const entry = [...baseline.entries()].find(({ kind, key }) => kind === 'parameter' && key.endsWith(' · q'))!;
    expect(
      Object.keys((JSON.parse(entry.value) as { kinds: { value: { counts: object } } }).kinds.value.counts),
    ).toHaveLength(1);
  });

  test('are in no line of a version', () => {
    expect(leaks(unpacked(Buffer.from(lines)))).toEqual([]);
  });

  test('are in no snapshot of a trainer', () => {
    expect(leaks(unpacked(learning.encode(0)))).toEqual([]);
    expect(leaks(unpacked(learners.parameters.encode(partial)))).toEqual([]);
    expect(leaks([trieToJson(paths)])).toEqual([]);
  });

  // Else the tests above would pass for any bytes.
  test.each(Object.entries({ sql: SECRETS.sql, jsonBody: SECRETS.jsonBody, path: SECRETS.path }))(
    'would be found: %s',
    (name, secret) => {
      for (const form of formsOf(secret)) {
        for (const wrap of [
          (text: string) => Buffer.from(text),
          (text: string) => gzipSync(text),
          (text: string) => Buffer.from(Buffer.from(text).toString('hex')),
          (text: string) => Buffer.from(`{"a":"${Buffer.from(text).toString('base64')}"}`),
        ]) {
          const bytes = Buffer.concat([Buffer.from(lines.slice(0, 500)), wrap(`before ${form} after`)]);
          expect(leaks(unpacked(bytes), { [name]: secret }), form).toEqual([name]);
        }
      }
    },
  );
});
