/** The measures a check rests on, against values that others computed. */
import { describe, expect, it, test } from 'vitest';
import type { BaselineEntry, CoverageRow } from '../../../baseline/model.ts';
import { createCoverageCount } from '../../../detector/check/coverage.ts';
import { drownings } from '../../../detector/check/drowning.ts';
import { binomialInterval, dispersionOf } from '../../../detector/check/interval.ts';
import type { Judged } from '../../../detector/check/judged.ts';
import { createRandom } from '../../../detector/check/mutations/index.ts';
import { rankingOf, scoreAt, shareFrom, tiedAcrossKinds, tiedAtTop } from '../../../detector/check/ranking.ts';
import { requiredChildren, ruleCoverage } from '../../../detector/check/rules.ts';
import { newKit, searchTrace } from '../detector/traffic.ts';
import { segmentSpansOf } from '../traces/otlp.ts';

describe('the interval of a rate', () => {
  // by bisection on the binomial tails
  test.each([
    [0, 100, 0, 0.0362167],
    [1, 100, 0.0002531, 0.0544594],
    [10, 1_000, 0.0048055, 0.0183132],
    [50, 100, 0.3983211, 0.6016789],
    [100, 100, 0.9637833, 1],
  ])('%i of %i', (count, of, lower, upper) => {
    const interval = binomialInterval(count, of);
    expect(interval[0]).toBeCloseTo(lower, 6);
    expect(interval[1]).toBeCloseTo(upper, 6);
  });

  it('of nothing is everything', () => expect(binomialInterval(0, 0)).toEqual([0, 1]));

  it('bursts make it wider, evenness never narrower', () => {
    expect(dispersionOf([5, 5, 5, 5])).toBe(1);
    expect(dispersionOf([0, 0, 20, 0])).toBeCloseTo(20, 6); // variance 100, mean 5
    expect(dispersionOf([])).toBe(1);
    expect(dispersionOf([0, 0])).toBe(1);
  });
});

describe('ranking', () => {
  const scores = (...values: number[]) => Float64Array.from(values);

  it('is whole where all planted stand above, and nothing where all are equal', () => {
    expect(rankingOf(scores(1, 2, 3), scores(4, 5))).toEqual({ auprc: 1, auroc: 1 });
    expect(rankingOf(scores(4, 5), scores(1, 2, 3)).auroc).toBe(0);
    expect(rankingOf(scores(1, 1, 1), scores(1)).auroc).toBe(0.5);
    expect(rankingOf(scores(1, 1, 1), scores(1)).auprc).toBe(0.25);
  });

  it('by hand: planted 3 and 1 among 2 and 0', () => {
    expect(rankingOf(scores(2, 0), scores(3, 1))).toEqual({ auprc: (1 + 2 / 3) / 2, auroc: 0.75 });
  });

  it('a rate of false positives never lets more through than it says, ties counted against it', () => {
    const normal = Float64Array.from({ length: 1_000 }, (_, i) => i);
    expect(shareFrom(normal, scoreAt(normal, 0.01))).toBe(0.01);
    expect(shareFrom(normal, scoreAt(normal, 0.0005))).toBe(0);
    const tied = Float64Array.from({ length: 1_000 }, (_, i) => Math.min(i, 980));
    expect(shareFrom(tied, scoreAt(tied, 0.01))).toBe(0);
    const negative = normal.map((score) => -score);
    expect(shareFrom(negative, scoreAt(negative, 0.01))).toBe(0.01);
  });

  it('ties at the top', () => {
    expect(tiedAtTop(scores(1, 2, 2, 0))).toBe(0.5);
    expect(tiedAtTop(scores())).toBe(0);
  });

  it('ties at the top across kinds, however many were planted', () => {
    expect(tiedAcrossKinds([])).toBe(0);
    const planted = Array.from({ length: 400_000 }, (_, i) => ({ kind: i % 4 === 0 ? 'slow' : 'fast', score: i % 2 }));
    expect(tiedAcrossKinds(planted)).toBe(0);
    const two = planted.map(({ score }, i) => ({ kind: i % 8 === 1 ? 'slow' : 'fast', score }));
    expect(tiedAcrossKinds(two)).toBe(0.125);
  });
});

describe('drowning', () => {
  const random = createRandom(4);
  const judged = (p: readonly number[]): Judged => ({
    score: 0,
    p: 1,
    alerted: false,
    hard: false,
    groups: Float64Array.from(p),
    hasMatch: true,
  });
  const uniform = (timing: () => number) =>
    Array.from({ length: 5_000 }, () => judged([random.next(), timing(), random.next(), random.next()]));
  const planted = new Map([
    ['structure' as const, Array.from({ length: 100 }, () => judged([1e-5, random.next(), random.next(), 1]))],
  ]);

  it('groups as sure as they are right cost each other nothing', () => {
    for (const { recallWith, recallWithout, lifts } of drownings(
      uniform(() => random.next()),
      planted,
      0.001,
    )) {
      expect(recallWithout - recallWith).toBeLessThan(0.05);
      expect(Math.abs(lifts)).toBeLessThan(0.5);
    }
  });

  it('one that is sure of what it does not know lifts the bar for all', () => {
    const loud = drownings(
      uniform(() => random.next() * 1e-5),
      planted,
      0.001,
    );
    const timing = loud.find(({ group }) => group === 'timing')!;
    expect(timing.recallWith).toBe(0);
    expect(timing.recallWithout).toBe(1);
    expect(timing.lifts).toBeGreaterThan(4);
  });
});

describe('rules', () => {
  const entry = (kind: string, key: string, value: object): BaselineEntry => ({
    group: 'structure',
    kind,
    key,
    value: JSON.stringify(value),
  });
  const label = (key: string, calls: number, failed: number, state = 'active') =>
    entry('label', key, { calls, failed, state });
  const edge = (parent: string, child: string, ok: number) =>
    entry('edge', `${parent} → ${child}`, { parent, child, ok, state: 'active' });
  const rule = (subject: string, required: string) =>
    entry('rule', `${subject} ⇒ ${required}`, { form: 'child', subject, required });

  it('an operation that never succeeded without a call must have one', () => {
    const entries = [label('a', 1_000, 20), edge('a', 'b', 980), label('c', 500, 0), edge('c', 'd', 499)];
    expect(ruleCoverage(entries, 100)).toMatchObject({
      operations: 1,
      withRule: 0,
      without: [{ operation: 'a', always: 'b' }],
    });
    expect(ruleCoverage([...entries, rule('a', 'b')], 100)).toMatchObject({ operations: 1, withRule: 1, rules: 1 });
  });

  it('too few observations, or an operation still learning, need none', () => {
    const entries = [label('a', 150, 0), edge('a', 'b', 150), label('c', 5_000, 0, 'learning'), edge('c', 'd', 5_000)];
    expect(ruleCoverage(entries, 100).operations).toBe(0);
  });

  it('what rules require is known by parent and child', () => {
    expect(requiredChildren([rule('a', 'b'), label('a', 1, 0)])).toEqual(new Set(['a\nb']));
  });
});

describe('coverage', () => {
  const row = (operation: string, state: CoverageRow['state'], group: CoverageRow['group'] = 'structure') =>
    ({ group, service: operation === 'SELECT items' ? 'catalog' : 'gateway', operation, state, count: 10 }) as const;

  it('counts calls, not operations; what is unknown is only observed', () => {
    const kit = newKit();
    const count = createCoverageCount([row('GET /search', 'active'), row('SELECT items', 'learning')]);
    for (let i = 0; i < 3; i++) {
      kit.reader.read(segmentSpansOf(searchTrace(i, 0, '198.51.100.1')), kit.segment);
      count.add(kit.segment);
    }
    const [structure, timing, parameters] = count.shares();
    expect(structure).toEqual({ group: 'structure', calls: 12, observe: 0.5, learning: 0.25, active: 0.25 });
    expect(timing!.observe).toBe(1);
    expect(parameters!.calls).toBeLessThan(12); // calls without parameters say nothing of them
    expect(count.operations().map(({ operation }) => operation)).toContain('GET /search');
  });

  it('of an operation with several keys, most of the observations decide', () => {
    const kit = newKit();
    const rows = [row('GET /search', 'observe'), { ...row('GET /search', 'active'), count: 500 }];
    const count = createCoverageCount(rows);
    kit.reader.read(segmentSpansOf([searchTrace(1, 0, '198.51.100.1')[0]!]), kit.segment);
    count.add(kit.segment);
    expect(count.shares()[0]!.active).toBe(1);
  });
});
