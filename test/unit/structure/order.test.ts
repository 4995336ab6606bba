/** The order of calls: seen where it is fixed, silent where it is random, and no matter of spans that did not come. */
import { describe, expect, it } from 'vitest';
import { createEvidence, JudgementStage, type StructureModel } from '../../../baseline/model.ts';
import { linesFromEntries } from '../../../baseline/structure/entries.ts';
import { structureLearner } from '../../../baseline/structure/index.ts';
import { createOrderResult, judgeOrder } from '../../../baseline/structure/judge-order.ts';
import { buildTables } from '../../../baseline/structure/tables.ts';
import { createTree, readTree } from '../../../baseline/structure/tree.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import type { Symbols } from '../../../traces/segment.ts';
import type { PlainSpan } from '../traces/segments.ts';
import { contextOf, entry, newSymbols, optionsFor, type Random, seeded, segment, sql } from './shop.ts';

const step = (operation: string): PlainSpan => ({ service: 'gateway', operation, kind: 'internal' });

/** Check, read, then two statistics at the same time in either order; a loop of two steps; now and then a retry. */
function request(random: Random): PlainSpan {
  const together = [step('stats.a'), step('stats.b')].map((one) => ({ ...one, startMs: 4, durationMs: 3 }));
  if (random() < 0.5) together.reverse();
  const either = [sql('gateway', 'SELECT x'), sql('gateway', 'SELECT y')];
  if (random() < 0.5) either.reverse();
  const loop = Array.from({ length: 1 + Math.floor(random() * 3) }, () => [step('take'), step('put')]).flat();
  const retry = random() < 0.01 ? [step('read')] : [];
  return entry('GET /report', [
    { ...step('check'), startMs: 0, durationMs: 1 },
    { ...step('read'), startMs: 2, durationMs: 1 },
    ...together,
    { ...step('work'), startMs: 8, children: [...loop, ...retry] },
    { ...step('load'), startMs: 60, children: either },
  ]);
}

function learn(count: number, seed: number, make: (random: Random) => PlainSpan): [StructureModel, Symbols] {
  const symbols = newSymbols();
  const random = seeded(seed);
  const partial = structureLearner.createPartial();
  for (let i = 0; i < count; i++) {
    structureLearner.learn(partial, segment(symbols, make(random)), contextOf(random, i, count));
  }
  return [structureLearner.compile(partial, optionsFor(symbols, count)), symbols];
}

const [model, symbols] = learn(2_000, 3, request);

function judge(
  tree: PlainSpan,
  stage: JudgementStage = JudgementStage.absence,
): { surprise: number; order: readonly Finding[] } {
  const out = createEvidence();
  model.score(segment(symbols, tree), stage, out);
  return { surprise: out.surprise, order: out.findings.filter((finding) => finding.kind === 'order') };
}

const withSteps = (tree: PlainSpan, operation: string, children: PlainSpan[]): PlainSpan => ({
  ...tree,
  children: tree.children!.map((child) => (child.operation === operation ? { ...child, children } : child)),
});

describe('order', () => {
  it('of two calls turned round is a soft finding, at once', () => {
    const tree = request(seeded(9));
    const [check, read, ...rest] = tree.children!;
    const turned = { ...tree, children: [{ ...read!, startMs: 0 }, { ...check!, startMs: 2 }, ...rest] };
    const { order, surprise } = judge(turned, JudgementStage.provisional);
    expect(order[0]).toMatchObject({ kind: 'order', hard: false, candidate: false, evidence: 'presence' });
    expect(order[0]!.seen).toBe('gateway read before gateway check');
    expect(order[0]!.expected).toContain('calls gateway check before gateway read in 2,000 of 2,000');
    expect(surprise).toBeGreaterThan(judge(tree).surprise + 1);
  });

  it('inside a loop is seen by what directly follows, once nothing more is awaited', () => {
    const tree = withSteps(request(seeded(9)), 'work', [step('take'), step('take'), step('put'), step('put')]);
    expect(judge(tree).order[0]).toMatchObject({ evidence: 'absence', hard: false });
    expect(judge(tree, JudgementStage.closed).order).toEqual([]);
  });

  it('of calls at the same time, or that come either way, teaches itself to be silent', () => {
    const random = seeded(77);
    for (let i = 0; i < 500; i++) expect(judge(request(random)).order).toEqual([]);
  });

  it('is no matter of a call that is missing, or whose span has not come', () => {
    const tree = request(seeded(9));
    for (const operation of ['check', 'read', 'stats.a', 'stats.b', 'work']) {
      const without = { ...tree, children: tree.children!.filter((child) => child.operation !== operation) };
      for (const stage of Object.values(JudgementStage)) expect(judge(without, stage).order, operation).toEqual([]);
    }
  });

  it('of calls timed by different hosts is none', () => {
    const make = (): PlainSpan =>
      entry('GET /', [
        { service: 'a', operation: 'one', kind: 'server' },
        { service: 'b', operation: 'two', kind: 'server' },
      ]);
    const [other, names] = learn(500, 4, make);
    const out = createEvidence();
    const tree = make();
    other.score(segment(names, { ...tree, children: [...tree.children!].reverse() }), JudgementStage.absence, out);
    expect(out.findings).toEqual([]);
  });

  it('has p that is no more often small than it says', () => {
    // Steps of which each comes before the other at a rate of its own.
    const rates = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001];
    const make = (random: Random): PlainSpan =>
      entry(
        'GET /mixed',
        rates.map((rate, i) => {
          const pair = [step(`x${i}`), step(`y${i}`)];
          if (random() < rate) pair.reverse();
          return { ...step(`part${i}`), children: pair };
        }),
      );
    const [mixed, names] = learn(3_000, 21, make);
    const tables = buildTables(linesFromEntries(mixed.entries()), names);
    const random = seeded(22);
    const result = createOrderResult();
    const seen: number[] = [];
    for (let i = 0; i < 6_000; i++) {
      const one = segment(names, make(random));
      const tree = createTree(one);
      readTree(tree, one);
      judgeOrder(tables, tree, true, result);
      seen.push(result.p);
    }
    for (const t of [0.1, 0.03, 0.01]) {
      const realised = seen.filter((p) => p <= t).length / seen.length;
      expect(realised, `at ${t}`).toBeLessThan(2.2 * t);
    }
    expect(seen.filter((p) => p <= 0.05).length / seen.length).toBeGreaterThan(0.002);
  });

  it('is the same in a version rebuilt from its lines', () => {
    const names = newSymbols();
    const loaded = structureLearner.load([...model.entries()].reverse(), names);
    const random = seeded(31);
    const [a, b] = [createEvidence(), createEvidence()];
    for (let i = 0; i < 100; i++) {
      const tree = request(random);
      const turned = {
        ...tree,
        children: [...tree.children!].reverse().map((child, at) => ({ ...child, startMs: 9 * at })),
      };
      model.score(segment(symbols, turned), JudgementStage.absence, a);
      loaded.score(segment(names, turned), JudgementStage.absence, b);
      expect(b).toEqual(a);
    }
  });
});
