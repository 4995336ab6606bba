/** The story of a verdict: what was expected and seen, what was reached and touched; from real traffic and a learned version. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Baseline } from '../../../baseline/baseline.ts';
import { JudgementStage } from '../../../baseline/model.ts';
import { toVerdict } from '../../../detector/core/attributed.ts';
import { storyOf } from '../../../detector/core/story.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { type ChainLine, VerdictStage, type VerdictStory } from '../../../schemas/log/verdict.ts';
import type { ReadingKit } from '../../../traces/kit.ts';
import { createSensitiveTest } from '../../../traces/redaction/names.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { redactVerdict } from '../../../traces/redaction/verdict.ts';
import { segmentSpansOf, type WireSpan } from '../traces/otlp.ts';
import { loadedBaseline, loadInto, newKit, searchTrace, spanIdOf, traceIdOf } from './traffic.ts';

const kit = newKit();
const baseline = loadInto(loadedBaseline().entries, kit);
const isSensitive = createSensitiveTest(redactionSection.parse({}));

const told = (spans: readonly WireSpan[]) => toldBy(kit, baseline, spans);

function toldBy({ reader, segment: into }: ReadingKit, baseline: Baseline, spans: readonly WireSpan[]) {
  const segment = segmentSpansOf(spans, {});
  expect(reader.read(segment, into, baseline.templates)).toBe(true);
  const judged = baseline.judge(into, JudgementStage.absence);
  const verdict = toVerdict(segment, into, judged, baseline.version, VerdictStage.absenceJudged, 'none');
  return { ...verdict, story: storyOf(segment, into, verdict, baseline, JudgementStage.absence, { isSensitive }) };
}

const storyFor = (spans: readonly WireSpan[]): VerdictStory => told(spans).story;

const chart = (chain: readonly ChainLine[]): string[] =>
  chain.map(
    ({ depth, call, count, mark }) =>
      `${'  '.repeat(depth)}${count === 1 ? '' : `${count} × `}${call}${mark && ` [${mark}]`}`,
  );

const LEARNED = [
  'gateway GET /search',
  '  gateway client GET',
  '    catalog GET /items',
  '      catalog SELECT items (postgresql)',
];

const extraSpan = (trace: number, n: number, parent: number, more: Partial<WireSpan>): WireSpan => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(trace, n),
  parent: spanIdOf(trace, parent),
  flags: 0x100,
  kind: 'client',
  service: 'catalog',
  start: 12,
  end: 14,
  ...more,
});

describe('expected and seen calls, side by side', () => {
  test('another service than ever', () => {
    const { expected, seen } = storyFor(searchTrace(1, 0, '203.0.113.7', 'pair'));
    expect(chart(expected)).toEqual([
      ...LEARNED.slice(0, 2),
      '    catalog GET /items [missing]',
      '      catalog SELECT items (postgresql) [missing]',
    ]);
    expect(chart(seen)).toEqual([
      ...LEARNED.slice(0, 2),
      '    payments GET /items [extra]',
      '      payments SELECT items (postgresql) [extra]',
    ]);
  });

  test('a call too many', () => {
    const spans = searchTrace(1, 0, '203.0.113.7');
    const extra = extraSpan(1, 9, 3, {
      attributes: { 'db.system.name': 'postgresql', 'db.query.text': 'DELETE FROM users' },
    });
    const { expected, seen } = storyFor([...spans, extra]);
    expect(chart(expected)).toEqual(LEARNED);
    expect(chart(seen)).toEqual([...LEARNED, '      catalog DELETE users (postgresql) [extra]']);
  });

  test('calls that did not come', () => {
    const { expected, seen } = storyFor(searchTrace(1, 0, '203.0.113.7').slice(0, 1));
    expect(chart(expected)).toEqual([LEARNED[0], ...LEARNED.slice(1).map((line) => `${line} [missing]`)]);
    expect(chart(seen)).toEqual(LEARNED.slice(0, 1));
  });

  test('one call many times', () => {
    const spans = searchTrace(1, 0, '203.0.113.7');
    const again = Array.from({ length: 70 }, (_, i) => ({ ...spans[3]!, spanId: spanIdOf(1, 10 + i) }));
    const { expected, seen } = storyFor([...spans, ...again.slice(0, 50)]);
    expect(chart(expected).at(-1)).toBe('      catalog SELECT items (postgresql) [changed]');
    expect(chart(seen).at(-1)).toBe('      51 × catalog SELECT items (postgresql) [changed]');
  });

  test('the same calls, of which one carries what was never seen', () => {
    const { expected, seen } = storyFor(searchTrace(1, 0, '203.0.113.7', 'statement'));
    const marked = [...LEARNED.slice(0, 3), `${LEARNED[3]} [changed]`];
    expect(chart(expected)).toEqual(marked);
    expect(chart(seen)).toEqual(marked);
    const ordinary = storyFor(searchTrace(1, 0, '203.0.113.7'));
    expect([chart(ordinary.expected), chart(ordinary.seen)]).toEqual([LEARNED, LEARNED]);
  });

  test('a request of a kind that was never learned: what was seen is shown, nothing was expected', () => {
    const { expected, seen } = storyFor([
      extraSpan(3, 1, 0, {
        kind: 'server',
        service: 'shadow',
        name: 'GET /x',
        attributes: { 'http.request.method': 'GET', 'http.route': '/x' },
      }),
    ]);
    expect(expected).toEqual([]);
    expect(chart(seen)).toEqual(['shadow GET /x']);
  });

  test('the same of the same segment, whatever was judged before', () => {
    const spans = searchTrace(1, 0, '203.0.113.7', 'pair');
    const story = storyFor(spans);
    storyFor(searchTrace(2, 0, '203.0.113.7', 'statement'));
    expect(storyFor(spans)).toEqual(story);
    const fresh = newKit();
    expect(toldBy(fresh, loadInto(loadedBaseline().entries, fresh), spans).story).toEqual(story);
  });

  test('of many calls those around what deviates are kept', () => {
    const spans = searchTrace(1, 0, '203.0.113.7');
    const many = Array.from({ length: 300 }, (_, i) =>
      extraSpan(1, 10 + i, 1, {
        service: 'gateway',
        name: `step ${String.fromCharCode(97 + (i % 26))}${String.fromCharCode(97 + Math.floor(i / 26))}`,
        kind: 'internal',
      }),
    );
    const { seen, expected } = storyFor([...spans, ...many]);
    expect(seen).toHaveLength(40);
    expect(seen[0]!.call).toBe('gateway GET /search');
    expect(seen.filter(({ mark }) => mark === 'extra').length).toBeGreaterThan(30);
    expect(chart(expected)).toEqual(LEARNED);
  });
});

describe('what was reached and touched', () => {
  test('services, databases and addresses, in order of first call', () => {
    const outside = extraSpan(1, 9, 3, {
      attributes: { 'http.request.method': 'GET', 'url.full': 'http://169.254.169.254/latest/meta-data' },
      start: 5,
      end: 6,
    });
    expect(storyFor([...searchTrace(1, 0, '203.0.113.7'), outside]).reached).toEqual([
      'gateway',
      'catalog',
      'link-local:169.254.169.254:80',
      'postgresql',
    ]);
  });

  test('tables and private columns of statements', () => {
    const { tables, fields } = storyFor(searchTrace(1, 0, '203.0.113.7', 'statement'));
    expect(tables).toEqual(['items', 'users']);
    expect(fields).toEqual(['password']);
  });

  test('collections where there is no statement; names that redaction calls secrets', () => {
    const find = extraSpan(1, 9, 3, {
      attributes: {
        'db.system.name': 'mongodb',
        'db.operation.name': 'find',
        'db.collection.name': 'profiles',
        'app.card.token': 'tok_1',
      },
    });
    const [entry, ...rest] = searchTrace(1, 0, '203.0.113.7');
    const attributes = {
      ...entry!.attributes,
      'http.request.header.authorization': 'Bearer abc',
      'url.path': '/search',
      'url.query': 'api_key=s3cr3t&q=x',
    };
    const story = storyFor([{ ...entry!, attributes }, ...rest, find]);
    expect(story.tables).toEqual(['items', 'profiles']);
    expect(story.fields).toEqual(['authorization', 'api_key', 'app.card.token']);
    expect(JSON.stringify(story)).not.toMatch(/abc|s3cr3t|tok_1/);
  });

  test('is redacted like the rest', () => {
    const verdict = told(searchTrace(1, 0, '203.0.113.7', 'pair'));
    const story = {
      ...verdict.story,
      reached: ['public:host?token=abc123'],
      seen: [{ depth: 0, call: 'GET /?password=hunter2', count: 1, mark: '' as const }],
    };
    const redacted = redactVerdict(createRedactor(redactionSection.parse({})), { ...verdict, story });
    expect(JSON.stringify(redacted.story)).not.toMatch(/abc123|hunter2/);
    expect(redacted.story!.tables).toEqual(verdict.story.tables);
  });
});

test('bounded, whatever comes', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary' }),
    fc.constantFrom('SELECT', "' OR 1=1 --", '/*', '"', '(', 'FROM'),
  );
  const span = fc.record({
    parent: fc.nat({ max: 60 }),
    service: text,
    name: text,
    kind: fc.constantFrom('server', 'client', 'internal', 'producer', 'consumer') as fc.Arbitrary<'server'>,
    statement: fc.array(text, { maxLength: 40 }),
    system: fc.constantFrom('', 'postgresql', 'x'.repeat(200)),
  });
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 120 }), fc.boolean(), (all, chained) => {
      const spans = all.map(
        ({ parent, service, name, kind, statement, system }, i): WireSpan => ({
          spanId: spanIdOf(7, i + 1),
          ...(i > 0 && { parent: spanIdOf(7, chained ? i : (parent % i) + 1) }),
          service,
          name,
          kind,
          start: i,
          end: i + 1,
          attributes: { ...(system !== '' && { 'db.system.name': system }), 'db.query.text': statement.join(' ') },
        }),
      );
      const { expected, seen, reached, tables, fields } = storyFor(spans);
      for (const chain of [expected, seen]) {
        expect(chain.length).toBeLessThanOrEqual(40);
        for (const [i, { depth, call }] of chain.entries()) {
          expect(call.length).toBeLessThanOrEqual(300);
          expect(depth).toBeLessThanOrEqual(i === 0 ? 0 : chain[i - 1]!.depth + 1);
        }
      }
      for (const list of [reached, tables, fields]) {
        expect(list.length).toBeLessThanOrEqual(32);
        for (const name of list) expect(name.length).toBeLessThanOrEqual(200);
      }
    }),
    { numRuns: 40 },
  );
});
