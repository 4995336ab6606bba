/**
 * Under the null the p of every feature is what it says (DETECTION §5): learned and judged from the same seeded distribution,
 * P(p ≤ t) is t at every t that occurs, or at most t where a value has several keys, or two tails, to share it.
 */
import { describe, expect, test } from 'vitest';
import { createRanking, rankOf } from '../../../baseline/fusion/ranking.ts';
import { KEY_MASK, keyOf, kindOf } from '../../../baseline/parameters/counts.ts';
import { dataFromEntries } from '../../../baseline/parameters/entries.ts';
import { Kind, SchemaKind } from '../../../baseline/parameters/features.ts';
import { hashText } from '../../../baseline/parameters/hash.ts';
import { createValueJudgement, judgeShape } from '../../../baseline/parameters/judge-value.ts';
import { inverseOf, ordinalInverse } from '../../../baseline/parameters/profile.ts';
import { createParameterReader } from '../../../baseline/parameters/reader.ts';
import { createSchemaReader } from '../../../baseline/parameters/schema-keys.ts';
import { buildTables, type ModelTables } from '../../../baseline/parameters/tables.ts';
import { createRandom, type Random } from '../../../datasets/load/random.ts';
import { ParameterSource, type Segment } from '../../../traces/segment.ts';
import { type PlainParameter, segmentOf } from '../traces/segments.ts';
import { learner, optionsOf, score, symbols } from './shop.ts';

const LEARNED = 6_000;
const JUDGED = 12_000;

const word = (random: Random): string => `w${random.zipf(4_000).toString(36)}`;

/** Values of every type, with rare ones of each kind: encodings, hints, marks, long texts, odd numbers. */
function textOf(random: Random): string {
  switch (random.zipf(9)) {
    case 0:
      return word(random);
    case 1:
      return String(Math.floor(Math.exp(3 + 2 * (random.next() + random.next() + random.next() - 1.5))));
    case 2:
      return Array.from({ length: 1 + random.zipf(30) }, () => word(random)).join(' ');
    case 3:
      return JSON.stringify(Array.from({ length: 1 + random.zipf(40) }, (_, i) => (i % 3 === 2 ? [i, [i]] : i)));
    case 4:
      return `${word(random)}${'.-_:/,;!?'[random.zipf(9)]}${word(random)}`;
    case 5:
      return random.chance(0.8) ? encodeURIComponent('ä b') : '&lt;b&gt;';
    case 6:
      return random.chance(0.9) ? `${word(random)}@example.com` : '2026-11-21';
    case 7:
      return random.chance(0.7) ? `order by ${word(random)}` : `${word(random)}; ${word(random)}`;
    default:
      return `-${random.below(500)}.5`;
  }
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

function requestOf(random: Random): Segment {
  const parameters: PlainParameter[] = [{ source: 'body', name: 'value', value: textOf(random) }];
  // Optional parameters, mostly in one order.
  for (const [i, name] of NAMES.entries()) {
    if (random.chance(0.4 ** (1 + i))) parameters.push({ source: 'query', name, value: '1' });
  }
  if (random.chance(0.03)) parameters.reverse();
  const size = Math.floor(Math.exp(6 + 3 * (random.next() + random.next() - 1)));
  parameters.push({ source: 'header', name: 'choice', value: `c${'abcdefghijklmnopqrstuvwxyz'[random.zipf(26)]}` });
  parameters.push({ source: 'size', name: 'response', value: String(size) });
  const sql = `SELECT ${'abcdefghijklmnop'[random.zipf(16)]} FROM t${random.zipf(40)} WHERE i = ${random.below(99)}`;
  return segmentOf(symbols, {
    service: 'null',
    operation: 'POST /null',
    parameters,
    children: [
      {
        service: 'null',
        operation: 'SELECT',
        kind: 'client',
        peer: 'postgresql',
        parameters: [
          { source: 'statement', name: 'db.query.text', value: sql },
          { source: 'egress', name: 'egress', value: `private:db${'abcdefghijklmnopqrst'[random.zipf(20)]}:5432` },
        ],
      },
    ],
  });
}

const random = createRandom(20_261_121, 'null');
const partial = learner.createPartial();
for (let i = 0; i < LEARNED; i++) {
  learner.learn(partial, requestOf(random), { bucket: i >> 6, client: 1 + random.below(2_000), quarantined: false });
}
const model = learner.compile(partial, optionsOf({ segments: LEARNED, clients: 2_000, buckets: 94 }));
const seed = hashText('test', 0x811c9dc5);
const tables: ModelTables = buildTables(dataFromEntries([...model.entries()]), symbols, seed);
const reader = createParameterReader(seed);
const schema = createSchemaReader(seed);
const operation = tables.operations.find(({ data }) => data.operation === 'POST /null')!;
const profileOf = (source: number, name = '') =>
  tables.profiles.find(({ data }) => data.source === source && (name === '' || data.name === name))!;

/** 1/p by feature of each judged request. */
const inverses = new Map<string, Float64Array>();
const note = (feature: string, i: number, inverse: number): void => {
  let all = inverses.get(feature);
  if (all === undefined) {
    all = new Float64Array(JUDGED).fill(Number.NaN);
    inverses.set(feature, all);
  }
  all[i] = inverse;
};
const judgement = createValueJudgement();
const KINDS = [
  'type',
  'length',
  'punctuation',
  'character',
  'bigram',
  'template',
  'skeleton',
  'number',
  'encoding',
  'elements',
] as const;
for (let i = 0; i < JUDGED; i++) {
  const segment = requestOf(random);
  for (let at = 0; at < segment.parameterCount; at++) {
    const source = segment.parameterSource[at]!;
    const start = segment.parameterStart[at]!;
    const end = segment.parameterEnd[at]!;
    if (source === ParameterSource.body) {
      const shape = reader.shape(segment.values, start, end, source);
      judgeShape(profileOf(source), shape, reader, judgement);
      const present = new Set([...shape.keys.subarray(0, shape.count)].map(kindOf));
      // A feature of some values only says what it says of those.
      for (const kind of KINDS) if (present.has(Kind[kind])) note(kind, i, judgement.kinds[Kind[kind]]!);
      note('hint', i, judgement.kinds[Kind.total]!);
    } else if (source === ParameterSource.header) {
      judgeShape(profileOf(source), reader.shape(segment.values, start, end, source), reader, judgement);
      note('value', i, judgement.kinds[Kind.value]!);
    } else if (source === ParameterSource.size) {
      const key = reader.size(segment.values, start, end);
      note('response size', i, ordinalInverse(profileOf(source), Kind.number, key & KEY_MASK));
    } else if (source === ParameterSource.statement) {
      const key = reader.statement(segment.values, start, end, 'postgresql');
      note('statement', i, Math.abs(inverseOf(profileOf(source), key)));
    } else if (source === ParameterSource.egress) {
      const key = reader.egress(reader.egressText(segment.values, start, end));
      note('egress', i, Math.abs(inverseOf(profileOf(source), key)));
    }
  }
  let to = 0;
  while (segment.parameterSpan[to] === 0 && to < segment.parameterCount) to++;
  schema.read(segment, 0, to);
  const of = (kind: number, table: { known: Map<number, number>; unseen: number }, value: number): number =>
    table.known.get(keyOf(kind, value)) ?? table.unseen;
  note('set of names', i, of(SchemaKind.set, operation.sets, schema.set));
  note('order of names', i, of(SchemaKind.order, operation.orders, schema.order));
}

/** Steps of the claimed p with how often it was reached, and five standard errors of learning and judging together. */
function stepsOf(feature: string) {
  const all = Float64Array.from(
    inverses.get(feature)!.filter((inverse) => !Number.isNaN(inverse)),
    (inverse) => 1 / inverse,
  ).sort();
  const steps: { claimed: number; realised: number; error: number }[] = [];
  for (let i = 0; i < all.length; i++) {
    const claimed = all[i]!;
    // Nothing hangs on how ordinary the more ordinary half is.
    if (claimed === all[i + 1] || claimed > 0.5) continue;
    const error = 5 * Math.sqrt(claimed * (1 - claimed) * (1 / all.length + 2 / all.length)) + 8 / all.length;
    steps.push({ claimed, realised: (i + 1) / all.length, error });
  }
  return steps;
}

describe('under the null', () => {
  /** One key a value and no tails: exact. */
  test.each([
    'type',
    'template',
    'skeleton',
    'encoding',
    'value',
    'statement',
    'egress',
    'set of names',
    'order of names',
  ])('p of %s is what it claims', (feature) => {
    const steps = stepsOf(feature);
    expect(steps.length).toBeGreaterThan(1);
    for (const { claimed, realised, error } of steps) {
      expect(Math.abs(realised - claimed), `${realised} at ${claimed}`).toBeLessThanOrEqual(error);
    }
  });

  /** Two tails, of which each value is in one. */
  test.each(['length', 'punctuation', 'number', 'elements', 'response size'])(
    'p of %s is what it claims, in two tails',
    (feature) => {
      const steps = stepsOf(feature);
      expect(steps.length).toBeGreaterThan(1);
      for (const { claimed, realised, error } of steps) {
        expect(realised, `at ${claimed}`).toBeLessThanOrEqual(claimed + error);
        expect(realised, `at ${claimed}`).toBeGreaterThanOrEqual(claimed / 4 - error);
      }
    },
  );

  /** The rarest of several keys, whose masses are added up: a bound. */
  test.each(['character', 'bigram', 'hint'])('p of %s claims no more than happens', (feature) => {
    const steps = stepsOf(feature);
    expect(steps.length).toBeGreaterThan(1);
    for (const { claimed, realised, error } of steps) {
      expect(realised, `at ${claimed}`).toBeLessThanOrEqual(claimed + error);
    }
  });

  test('the p of the group, ranked on calibration data, is uniform', () => {
    const surprises = (count: number): Float64Array =>
      Float64Array.from({ length: count }, () => {
        const { surprise, severity } = score(model, requestOf(random));
        return surprise + 0.01 * Math.min(severity, 99);
      });
    const ranking = createRanking(surprises(5_000));
    const judged = surprises(5_000);
    // Kolmogorov and Smirnov, two samples: 1.95 is the 0.1 % point.
    const p = Float64Array.from(judged, (one) => rankOf(ranking, one)).sort();
    let distance = 0;
    for (let i = 0; i < p.length; i++) {
      if (p[i] === p[i + 1]) continue;
      distance = Math.max(distance, Math.abs((i + 1) / p.length - p[i]!));
    }
    expect(distance).toBeLessThan(1.95 * Math.sqrt(2 / 5_000));
  });
});
