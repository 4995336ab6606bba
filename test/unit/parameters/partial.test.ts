import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { segmentOf } from '../traces/segments.ts';
import { entriesOf, learned, learner, learnInto, optionsOf, request, score, symbols } from './shop.ts';

interface Event {
  readonly i: number;
  readonly q: string;
  readonly client: number;
  readonly quarantined: boolean;
}

const events = fc.array(
  fc.record({
    i: fc.integer({ min: 0, max: 400 }),
    q: fc.oneof(fc.constantFrom('hat', "1' or 1=1--", '{"a":[1,2]}', '%25%32'), fc.string({ maxLength: 12 })),
    client: fc.integer({ min: 0, max: 5 }),
    quarantined: fc.boolean(),
  }),
  { maxLength: 25 },
);

const partialOf = (...lists: (readonly Event[])[]) => {
  const partial = learner.createPartial();
  for (const list of lists) {
    for (const { i, q, client, quarantined } of list) {
      learner.learn(partial, request(i, { q }), { bucket: i % 7, client, quarantined });
    }
  }
  return partial;
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('partials', () => {
  test('however the segments are split and merged, the counts are those of learning all in one', () => {
    fc.assert(
      fc.property(events, events, events, (a, b, c) => {
        const whole = hex(learner.encode(partialOf(a, b, c)));
        const [x, y, z] = [partialOf(a), partialOf(b), partialOf(c)];
        learner.merge(x!, y!);
        learner.merge(x!, z!);
        expect(hex(learner.encode(x!))).toBe(whole);
        const [p, q, r] = [partialOf(c), partialOf(b), partialOf(a)];
        learner.merge(q!, r!);
        learner.merge(p!, q!);
        expect(hex(learner.encode(p!))).toBe(whole);
      }),
      { numRuns: 30 },
    );
  });

  test('learning goes on after a merge, and the other partial stays as it was', () => {
    const a = learned(50);
    const b = learned(60);
    const before = hex(learner.encode(b));
    learner.merge(a, b);
    expect(hex(learner.encode(b))).toBe(before);
    learnInto(a, 3, request(3));
    const again = learner.decode(learner.encode(a));
    learnInto(again, 4, request(4));
    learnInto(a, 4, request(4));
    expect(hex(learner.encode(again))).toBe(hex(learner.encode(a)));
  });

  test('bytes and back', () => {
    fc.assert(
      fc.property(events, (list) => {
        const bytes = learner.encode(partialOf(list));
        expect(hex(learner.encode(learner.decode(bytes)))).toBe(hex(bytes));
      }),
      { numRuns: 30 },
    );
  });

  test('damaged bytes are refused with a code', () => {
    const bytes = learner.encode(learned(20));
    for (const damaged of [
      bytes.subarray(0, 10),
      bytes.subarray(0, bytes.length - 3),
      Uint8Array.of(),
      bytes.slice(4),
    ]) {
      expect(() => learner.decode(damaged)).toThrow(SpanwardenError);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => learner.decode(longer)).toThrow(expect.objectContaining({ code: 'BASELINE_DAMAGED' }));
  });

  test('no value, nor part of one, is in a partial or a version', () => {
    const secrets = ['hunter2-Passw0rd', 'tok_51H8xSecretValue', 'evil-exfil-4711'];
    const partial = learner.createPartial();
    for (let i = 0; i < 500; i++) {
      learnInto(
        partial,
        i,
        request(i, {
          q: secrets[0]!,
          id: secrets[1]!,
          sql: `SELECT id FROM products WHERE token = '${secrets[1]}' AND n = "${secrets[0]}"`,
          egress: `public:${secrets[2]}.example:443`,
          header: `Bearer ${secrets[1]}`,
          extra: [{ source: 'body', name: 'note', value: secrets[0]! }],
        }),
      );
    }
    const bytes = Buffer.from(learner.encode(partial));
    const text = JSON.stringify(entriesOf(learner.compile(partial, optionsOf())));
    for (const secret of secrets) {
      expect(bytes.includes(secret), secret).toBe(false);
      expect(text.includes(secret), secret).toBe(false);
      expect(text.toLowerCase().includes(secret.toLowerCase()), secret).toBe(false);
    }
  });

  test('a parameter with a hundred thousand distinct values stays small, and so does its version', () => {
    const partial = learner.createPartial();
    const into = request(0);
    for (let i = 0; i < 100_000; i++) {
      const value = `v-${Math.imul(i, 0x9e3779b1) >>> 0}.${i}!${'x.'.repeat(i % 7)}`;
      const segment = segmentOf(
        symbols,
        { service: 's', operation: 'POST /v', parameters: [{ source: 'body', name: 'v', value }] },
        { into },
      );
      learner.learn(partial, segment, { bucket: i >> 8, client: 1 + (i % 977), quarantined: false });
    }
    expect(learner.encode(partial).length).toBeLessThan(300_000);
    const entries = entriesOf(learner.compile(partial, optionsOf()));
    expect(entries.reduce((sum, { value }) => sum + value.length, 0)).toBeLessThan(100_000);
  });

  test('floods of parameter names and of operations stay bounded', () => {
    const partial = learner.createPartial();
    const into = request(0);
    for (let i = 0; i < 9_000; i++) {
      const segment = segmentOf(
        symbols,
        {
          service: 'flood',
          operation: i % 2 === 0 ? 'GET /flood' : `GET /${i}`,
          parameters: [{ source: 'query', name: `n${i}`, value: '1' }],
        },
        { into },
      );
      learner.learn(partial, segment, { bucket: i >> 8, client: 1, quarantined: false });
    }
    learner.encode(partial);
    expect(partial.operations.map.size).toBeLessThanOrEqual(4_096);
    for (const operation of partial.operations.map.values()) {
      expect(operation.parameters.map.size).toBeLessThanOrEqual(192);
    }
  });

  test('hostile values: a megabyte, any bytes, deep nesting', () => {
    const partial = learned(300);
    const model = learner.compile(partial, optionsOf());
    const values = [
      'a'.repeat(1 << 20),
      "'".repeat(1 << 20),
      '['.repeat(200_000),
      '%25'.repeat(100_000),
      '&amp;'.repeat(100_000),
      Buffer.from('A'.repeat(900)).toString('base64'),
      '\u0000\ufffd\ud800',
      '',
    ];
    for (const q of values) {
      learnInto(partial, 1, request(1, { q, sql: q }));
      const evidence = score(model, request(2, { q, sql: q }));
      expect(Number.isFinite(evidence.surprise)).toBe(true);
      expect(Number.isFinite(evidence.severity)).toBe(true);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const segment = request(5, { q: 'x'.repeat(bytes.length) });
        segment.values.set(bytes, segment.parameterStart[0]!);
        learner.learn(partial, segment, { bucket: 1, client: 2, quarantined: false });
        expect(score(model, segment).surprise).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
