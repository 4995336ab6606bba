/** Users and sessions of a request, beside its address: whose they are, and how they leave. */
import { describe, expect, it } from 'vitest';
import { withOrigins } from '../../../detector/core/attributed.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { redactVerdict } from '../../../traces/redaction/verdict.ts';
import { clientOf, verdictOf } from '../responder/verdicts.ts';
import { id, type PlainValue, segmentSpansOf, type WireSpan } from './otlp.ts';

type Attributes = Readonly<Record<string, PlainValue>>;

const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });

/** A request through three services, in the order given; the entry is the first. */
function read(attributes: readonly Attributes[], order: readonly number[] = attributes.map((_, i) => i)): ClientRecord {
  const spans = attributes.map(
    (own, i): WireSpan => ({
      spanId: id(i + 1),
      ...(i > 0 && { parent: id(i) }),
      kind: 'server',
      service: `s${i}`,
      start: i,
      attributes: i === 0 ? { 'network.peer.address': '203.0.113.7', ...own } : own,
    }),
  );
  expect(kit.reader.read(segmentSpansOf(order.map((i) => spans[i]!)), kit.segment)).toBe(true);
  return kit.segment.client;
}

describe('the user of a request', () => {
  it.each<[string, Attributes, string | null, string | null]>([
    ['user.id', { 'user.id': 'u-17' }, 'u-17', null],
    ['its older name', { 'enduser.id': 'u-17' }, 'u-17', null],
    ['the newer of both', { 'enduser.id': 'old', 'user.id': 'new' }, 'new', null],
    ['a session', { 'session.id': 's-1' }, null, 's-1'],
    ['a number is none', { 'user.id': 17 }, null, null],
    ['an empty one is none', { 'user.id': '' }, null, null],
  ])('%s', (_, attributes, user, session) => {
    expect(read([attributes])).toMatchObject({ address: '203.0.113.7', user, session });
  });

  it('is the one that the services behind the edge agree on, in whatever order their spans come', () => {
    const own = [{}, { 'user.id': 'u-17' }, { 'enduser.id': 'u-17' }];
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
    ])
      expect(read(own, order).user).toBe('u-17');
  });

  it('is nobody where they do not agree, and the edge’s own where it names one', () => {
    for (const order of [
      [0, 1, 2, 3],
      [0, 3, 2, 1],
      [0, 2, 1, 3],
    ]) {
      const two = [{}, { 'user.id': 'u-17' }, { 'user.id': 'u-18' }, { 'user.id': 'u-17' }];
      expect(read(two, order).user).toBeNull();
      expect(read([{ 'user.id': 'u-1' }, ...two.slice(1)], order).user).toBe('u-1');
    }
  });

  it('brings no control character, and no mark that turns text around', () => {
    const { user, session } = read([{ 'user.id': 'a\u0000\u001b[31m\n\u202eb', 'session.id': 's\u2028\ufeff' }]);
    expect([user, session]).toEqual(['a\ufffd\ufffd[31m\ufffd\ufffdb', 's\ufffd\ufffd']);
  });

  it('is cut at 256 bytes', () => {
    expect(read([{ 'user.id': 'x'.repeat(10_000) }]).user).toHaveLength(256);
  });
});

describe('what leaves', () => {
  const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
  const origin: ClientRecord = { ...clientOf('203.0.113.7'), user: `token=${JWT}`, session: 'PLANTED-SESSION' };
  const verdict = withOrigins(verdictOf({ client: null }), [origin, { ...origin, entryTraceId: '2'.repeat(32) }], true);

  it.each(['mask', 'hash'] as const)('%s: neither a session nor a token that is a user’s name', (mode) => {
    const redactor = createRedactor(redactionSection.parse({ mode, key: 'the key of an installation' }));
    const text = JSON.stringify(redactVerdict(redactor, verdict));
    expect(text).not.toContain('PLANTED-SESSION');
    expect(text).not.toContain(JWT);
    expect(text).toContain('203.0.113.7');
  });

  it('hash: the same session is the same hash, of another installation another', () => {
    const sessionOf = (key: string) =>
      redactVerdict(createRedactor(redactionSection.parse({ mode: 'hash', key })), verdict).client.session;
    expect(sessionOf('of one installation')).toMatch(/^hmac:[0-9a-f]{16}$/);
    expect(sessionOf('of one installation')).toBe(sessionOf('of one installation'));
    expect(sessionOf('of one installation')).not.toBe(sessionOf('of another installation'));
  });

  it('keep: all, as the operator wants it', () => {
    const redactor = createRedactor(redactionSection.parse({ mode: 'keep', key: 'the key of an installation' }));
    expect(redactVerdict(redactor, verdict).client.session).toBe('PLANTED-SESSION');
  });
});

describe('tracestate', () => {
  const weightOf = (more: Partial<WireSpan>, asynchronous = false): number => {
    const span: WireSpan = { spanId: id(1), kind: 'server', traceState: 'ot=th:c', ...more };
    kit.reader.read(segmentSpansOf([span], { asynchronous }), kit.segment);
    return kit.segment.sampleWeight;
  };

  it('of a root is our own sampler’s; of a request that brought a trace context it may be anybody’s, and counts once', () => {
    expect(weightOf({})).toBe(4);
    expect(weightOf({ parent: id(9), flags: 0x300 })).toBe(1);
    expect(weightOf({ parent: id(9), flags: 0x300, traceState: 'ot=th:ffffffffffffff' })).toBe(1);
    expect(weightOf({ parent: id(9), flags: 0x300, kind: 'consumer' }, true)).toBe(4);
  });
});
