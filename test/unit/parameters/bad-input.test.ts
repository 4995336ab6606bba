/** What comes in must neither grow without bound, nor raise a storm, nor break a version: windows and values of the worst kind. */
import { describe, expect, test } from 'vitest';
import type { Evidence, Model } from '../../../baseline/model.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import type { Segment } from '../../../traces/segment.ts';
import { id, segmentSpansOf, type WireSpan } from '../traces/otlp.ts';
import { type PlainParameter, segmentOf } from '../traces/segments.ts';
import { entriesOf, learned, learner, learnInto, optionsOf, PROFILE, request, score, symbols } from './shop.ts';

const isSound = ({ surprise, severity, similarity, observed, findings }: Evidence): void => {
  expect(Number.isFinite(surprise) && surprise >= 0).toBe(true);
  expect(Number.isFinite(severity) && severity >= 0).toBe(true);
  expect(similarity >= 0 && similarity <= 1).toBe(true);
  expect(observed >= 0 && observed <= 1).toBe(true);
  expect(findings.length).toBeLessThanOrEqual(16);
  for (const { p } of findings) expect(p > 0 && p <= 1).toBe(true);
};

/** Share of ordinary requests with a finding, and with a hard one. */
function noise(model: Model, change: (i: number) => Parameters<typeof request>[1] = () => ({})) {
  let found = 0;
  let hard = 0;
  for (let i = 5_000; i < 5_400; i++) {
    const evidence = score(model, request(i, change(i)));
    isSound(evidence);
    if (evidence.findings.length > 0) found++;
    if (evidence.findings.some((finding) => finding.hard)) hard++;
  }
  return { found: found / 400, hard: hard / 400 };
}

describe('learning windows', () => {
  test('of ten traces: nothing is said, and coverage says why', () => {
    const model = learner.compile(learned(10), optionsOf({ segments: 10, clients: 10, buckets: 1 }));
    expect(noise(model)).toEqual({ found: 0, hard: 0 });
    expect(score(model, request(3, { q: "1' or 1=1--" })).observed).toBeGreaterThan(0.9);
    expect([...model.coverage()].every(({ state }) => state === 'observe')).toBe(true);
  });

  test.each([
    ['one client', 7, 1],
    ['no client at all', 0, 0],
  ])('of %s: ordinary requests are ordinary, attacks are told', (_, client, clients) => {
    const partial = learner.createPartial();
    for (let i = 0; i < 2_000; i++) learnInto(partial, i, request(i), client);
    const model = learner.compile(partial, optionsOf({ clients }));
    expect(noise(model).hard).toBe(0);
    expect(noise(model).found).toBeLessThanOrEqual(0.01);
    const { findings } = score(model, request(3, { q: "1' UNION SELECT password FROM users--" }));
    expect(findings.some(({ kind }) => kind === 'attack-pattern')).toBe(true);
  });

  test('that are all errors: what was sent is learned all the same', () => {
    const partial = learner.createPartial();
    const into = request(0);
    for (let i = 0; i < 2_000; i++) {
      const segment = request(i);
      segment.outcome.fill(3);
      learnInto(partial, i, segment);
    }
    expect(into.spanCount).toBe(3);
    const model = learner.compile(partial, optionsOf());
    expect(noise(model)).toEqual({ found: 0, hard: 0 });
    expect(score(model, request(1, { q: "' or 1=1--" })).findings.some(({ hard }) => hard)).toBe(true);
  });

  test('in which time runs backwards: the same version, to the byte', () => {
    const forward = learner.createPartial();
    const backward = learner.createPartial();
    for (let i = 0; i < 800; i++) {
      learner.learn(forward, request(i), { bucket: i >> 5, client: 1 + (i % 50), quarantined: false });
      const j = 799 - i;
      learner.learn(backward, request(j), { bucket: j >> 5, client: 1 + (j % 50), quarantined: false });
    }
    expect(Buffer.from(learner.encode(backward)).equals(learner.encode(forward))).toBe(true);
    // A clock of long ago is a bucket like any other.
    for (const bucket of [-1, -(2 ** 31), 2 ** 40, 0.5]) {
      learner.learn(forward, request(1), { bucket, client: 3, quarantined: false });
    }
    expect(noise(learner.compile(forward, optionsOf()))).toEqual({ found: 0, hard: 0 });
  });
});

describe('values', () => {
  const body = (value: string): PlainParameter[] => [{ source: 'body', name: 'v', value }];

  test('hundreds of thousands of distinct ones of a parameter: bounded, and no storm of findings for the next', () => {
    const partial = learner.createPartial();
    const bytes = new TextEncoder();
    const into = segmentOf(symbols, { service: 'm', operation: 'POST /m', parameters: body('x'.repeat(24)) });
    const put = (i: number): Segment => {
      const text = `${(Math.imul(i, 0x9e3779b1) >>> 0).toString(36)}.${i.toString(36)}`;
      const { written } = bytes.encodeInto(text, into.values);
      into.parameterEnd[0] = written;
      return into;
    };
    for (let i = 0; i < 300_000; i++) {
      learner.learn(partial, put(i), { bucket: i >> 12, client: 1 + (i % 997), quarantined: false });
    }
    expect(learner.encode(partial).length).toBeLessThan(300_000);
    const model = learner.compile(partial, optionsOf({ segments: 300_000, clients: 997, buckets: 74 }));
    expect(entriesOf(model).reduce((sum, { value }) => sum + value.length, 0)).toBeLessThan(100_000);
    let found = 0;
    for (let i = 300_000; i < 305_000; i++) if (score(model, put(i)).findings.length > 0) found++;
    expect(found / 5_000).toBeLessThan(0.002);
  });

  test.each([
    ['64 KiB of letters', 'a'.repeat(65_536)],
    ['64 KiB of marks', '\'"<>;(){}'.repeat(7_282)],
    ['64 KiB of percents', '%25'.repeat(21_845)],
    ['64 KiB of nested brackets', '['.repeat(65_536)],
    ['a number beyond 2^53', '9007199254740993'],
    ['a number of a thousand digits', '9'.repeat(1_000)],
    ['a negative number of a thousand digits', `-${'9'.repeat(1_000)}`],
    ['a fraction of a thousand digits', `0.${'0'.repeat(1_000)}1`],
    ['half a surrogate', 'a\ud800b'],
    ['nothing', ''],
  ])('%s', (_, value) => {
    const partial = learned(400);
    for (let i = 0; i < 5; i++) learnInto(partial, i, request(i, { q: value, id: value, sql: value, header: value }));
    const model = learner.compile(partial, optionsOf());
    isSound(score(model, request(1, { q: value, id: value, sql: value, header: value, egress: value })));
    const again = learner.load(entriesOf(model), symbols);
    expect(entriesOf(again)).toEqual(entriesOf(model));
  });

  test('invalid UTF-8 is binary, whatever bytes', () => {
    const model = learner.compile(learned(), optionsOf());
    for (const bytes of [[0xff, 0xfe], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
      const segment = request(1, { q: 'x'.repeat(bytes.length) });
      segment.values.set(bytes, segment.parameterStart[0]!);
      const evidence = score(model, segment);
      isSound(evidence);
      expect(evidence.findings[0]!.seen).toMatch(/binary|with/);
    }
  });

  test('numbers beyond 2^53 as attributes are digits, not a loss', () => {
    const { reader, segment } = createReadingKit({
      reading: readingSection.parse({}),
      attribution: attributionSection.parse({}),
    });
    const span: WireSpan = {
      spanId: id(1),
      kind: 'server',
      attributes: {
        'rpc.request.big': 2 ** 60,
        'rpc.request.large': 2 ** 53 + 2,
        'rpc.request.negative': -(2 ** 60),
        'http.response.body.size': 2 ** 62,
      },
    };
    expect(reader.read(segmentSpansOf([span]), segment)).toBe(true);
    const values = Array.from({ length: segment.parameterCount }, (_, i) =>
      Buffer.from(segment.values.subarray(segment.parameterStart[i]!, segment.parameterEnd[i]!)).toString(),
    );
    expect(values).toEqual(['1152921504606847000', '9007199254740994', '-1152921504606847000', '4611686018427388000']);
  });
});

describe('names', () => {
  test('ten thousand made up by an outsider push no statement and no egress out, and raise no storm', () => {
    const partial = learner.createPartial();
    for (let i = 0; i < 2_000; i++) learnInto(partial, i, request(i));
    for (let i = 0; i < 10_000; i++) {
      const name = `x${'abcdefghij'[i % 10]}${i.toString(36)}`;
      learnInto(partial, i % 2_000, request(i, { extra: [{ source: 'query', name, value: '1' }] }), 4_242);
    }
    expect(learner.encode(partial).length).toBeLessThan(1_500_000);
    const model = learner.compile(partial, optionsOf());
    expect(entriesOf(model).length).toBeLessThan(250);
    expect(noise(model)).toEqual({ found: 0, hard: 0 });
    const hard = (change: Parameters<typeof request>[1]) =>
      score(model, request(3, change))
        .findings.filter((finding) => finding.hard)
        .map(({ kind }) => kind);
    expect(hard({ sql: 'SELECT password FROM users' })).toEqual(['statement']);
    expect(hard({ egress: 'public:evil.example:443' })).toEqual(['egress']);
  });

  test('ten thousand in one request: one verdict with a bounded number of findings', () => {
    const model = learner.compile(learned(), optionsOf());
    const extra = Array.from(
      { length: 10_000 },
      (_, i): PlainParameter => ({ source: 'query', name: `n${i}`, value: '1' }),
    );
    isSound(score(model, request(1, { extra })));
  });
});

test('a parameter that is rarely sent is not learned from fewer than the profile wants', () => {
  const partial = learned(2_000);
  for (let i = 0; i < PROFILE.observeBelow - 1; i++) {
    learnInto(partial, i * 7, request(i, { extra: [{ source: 'query', name: 'rare', value: 'x' }] }));
  }
  const model = learner.compile(partial, optionsOf());
  const { findings } = score(model, request(1, { extra: [{ source: 'query', name: 'rare', value: '12345' }] }));
  expect(findings).toEqual([]);
});
