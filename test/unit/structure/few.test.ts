/** What few clients alone do deletes no rule and, left out, was never seen; what anybody does deletes it. */
import { describe, expect, it } from 'vitest';
import { compileLines } from '../../../baseline/structure/compile.ts';
import { binsOfFew, without as leftOf } from '../../../baseline/structure/few.ts';
import { type StructurePartial, structureLearner } from '../../../baseline/structure/index.ts';
import { withoutClients } from '../../../baseline/structure/without-clients.ts';
import type { Symbols } from '../../../traces/segment.ts';
import { type PlainSpan, segmentOf } from '../traces/segments.ts';
import { anyRequest, BUCKETS, call, entry, newSymbols, optionsFor, seeded, segment, sql, without } from './shop.ts';

const CLIENTS = 600;
const COUNT = 3_000;

interface Odd {
  readonly tree: PlainSpan;
  readonly client: number;
}

interface Counted {
  readonly symbols: Symbols;
  readonly partial: StructurePartial;
}

/** Requests of many clients, and among them odd ones at even distances. */
function learnAll(request: (random: () => number) => PlainSpan, odd: readonly Odd[]): Counted {
  const symbols = newSymbols();
  const random = seeded(5);
  const partial = structureLearner.createPartial();
  const into = segmentOf(symbols, request(random));
  const every = Math.floor(COUNT / Math.max(1, odd.length));
  for (let i = 0; i < COUNT; i++) {
    const context = { bucket: Math.floor((i / COUNT) * BUCKETS), quarantined: false };
    const client = 1 + Math.floor(random() * CLIENTS);
    structureLearner.learn(partial, segmentOf(symbols, request(random), { into }), { ...context, client });
    const one = i % every === 0 ? odd[i / every] : undefined;
    if (one === undefined) continue;
    structureLearner.learn(partial, segment(symbols, one.tree), { ...context, client: one.client });
  }
  return { symbols, partial };
}

const rulesOf = ({ symbols, partial }: Counted, clients = CLIENTS): string[] =>
  compileLines(partial, optionsFor(symbols, COUNT, clients)).rules.map(
    ({ form, subject, required }) => `${form}: ${subject} needs ${required}`,
  );

const withAuth = (random: () => number): PlainSpan => {
  for (;;) {
    const tree = anyRequest(random);
    if (JSON.stringify(tree).includes('POST /check"') && !JSON.stringify(tree).includes('clientError')) return tree;
  }
};
/** Requests without their authorisation check, each by the next of the clients. */
function unauthorised(count: number, clients: readonly number[]): Odd[] {
  const random = seeded(77);
  return Array.from({ length: count }, (_, i) => ({
    tree: without(withAuth(random), 'POST /check'),
    client: clients[i % clients.length]!,
  }));
}

const isAuthRule = (rule: string): boolean => rule.startsWith('child') && /orders.*needs .*POST \/check/.test(rule);

describe('a rule', () => {
  const clean = rulesOf(learnAll(anyRequest, [])).filter(isAuthRule);

  it('is there without exceptions', () => {
    expect(clean.length).toBeGreaterThanOrEqual(2);
  });

  it.each([18, 60])('stays where three of many clients break it: %i exceptions', (count) => {
    const learned = learnAll(anyRequest, unauthorised(count, [9_001, 9_002, 9_003]));
    expect(rulesOf(learned).filter(isAuthRule)).toEqual(clean);
  });

  it.each([18, 60])('goes where anybody does: %i exceptions by as many clients', (count) => {
    const clients = Array.from({ length: count }, (_, i) => 9_001 + i);
    expect(rulesOf(learnAll(anyRequest, unauthorised(count, clients))).filter(isAuthRule).length).toBeLessThan(
      clean.length,
    );
  });

  it('goes where three clients are many of those there are', () => {
    const learned = learnAll(anyRequest, unauthorised(60, [9_001, 9_002, 9_003]));
    // a window of twenty clients: these three may well be how a part of the system works
    expect(rulesOf(learned, 20).filter(isAuthRule).length).toBeLessThan(clean.length);
  });
});

describe('exceptions at many places, one at each', () => {
  const counted = (bins: readonly number[], times = 1): { count: number; unattributed: number; bins: Float64Array } => {
    const out = new Float64Array(32);
    for (const bin of bins) out[bin]! += times;
    return { count: bins.length * times, unattributed: 0, bins: out };
  };
  const everybody = counted(
    Array.from({ length: 32 }, (_, bin) => bin),
    500,
  );
  const random = seeded(3);
  const anybody = Array.from({ length: 20 }, () => counted([Math.floor(random() * 32)]));

  it('are told to be of few clients by all of them together', () => {
    const steady = Array.from({ length: 30 }, (_, place) => counted([[3, 9, 17][place % 3]!]));
    expect([...binsOfFew([...anybody, ...steady], everybody, 2_000)].sort((x, y) => x - y)).toEqual([3, 9, 17]);
    expect(leftOf(steady[0]!, new Set([3, 9])).count).toBe(0);
    expect(leftOf(steady[2]!, new Set([3, 9])).count).toBe(1);
  });

  it('are of nobody in particular where chance spreads them, where all have them, or where few are many', () => {
    expect(binsOfFew(anybody, everybody, 2_000).size).toBe(0);
    const optional = Array.from({ length: 30 }, () => counted([0, 5, 10, 15, 20, 25, 30], 40));
    expect(binsOfFew(optional, everybody, 2_000).size).toBe(0);
    const steady = Array.from({ length: 30 }, (_, place) => counted([[3, 9, 17][place % 3]!]));
    expect(binsOfFew(steady, everybody, 40).size).toBe(0);
    // a client of a tenth of all calls is the system
    const large = counted([3], 4_000);
    large.bins.set(
      everybody.bins.map((count) => count / 10),
      0,
    );
    large.bins[3] = 4_000;
    expect(
      binsOfFew(
        Array.from({ length: 30 }, () => counted([3])),
        large,
        2_000,
      ).size,
    ).toBe(0);
  });
});

describe('a required ancestor', () => {
  const target = call('guard', 'vault', 'GET /secret', [sql('vault', 'SELECT secret')]);
  const guarded = call('gateway', 'guard', 'POST /guard', [target]);
  const plain = call('gateway', 'ads', 'GET /ads');
  const request = (random: () => number): PlainSpan => entry(`GET /page-${Math.floor(random() * 4)}`, [guarded, plain]);
  const unguarded = call('gateway', 'vault', 'GET /secret', [sql('vault', 'SELECT secret')]);
  const by = (tree: PlainSpan): Odd[] => Array.from({ length: 60 }, (_, i) => ({ tree, client: 9_001 + (i % 3) }));
  const isGuard = (rule: string): boolean => /^ancestor: .*SELECT secret.* needs .*POST \/guard/.test(rule);

  it('stays where three of many clients come around it on a way that others take with it', () => {
    expect(rulesOf(learnAll(request, [])).some(isGuard)).toBe(true);
    expect(rulesOf(learnAll(request, by(entry('GET /page-1', [unguarded, plain])))).some(isGuard)).toBe(true);
  });

  it('goes where staff have a way of their own', () => {
    expect(rulesOf(learnAll(request, by(entry('GET /staff', [unguarded])))).some(isGuard)).toBe(false);
  });
});

describe('counters without some clients', () => {
  it('are as if they had not come, but for a 32nd of the others each', () => {
    const odd = unauthorised(40, [9_001, 9_002]);
    const { symbols, partial } = learnAll(anyRequest, odd);
    const before = structureLearner.encode(partial);
    const left = withoutClients(partial, [9_001, 9_002]);
    expect(structureLearner.encode(partial)).toEqual(before);
    const clean = learnAll(anyRequest, []).partial;
    expect(left.tally.size).toBeLessThan(partial.tally.size);
    expect(left.tally.size).toBeLessThanOrEqual(clean.tally.size);
    const sum = (counts: Float64Array): number => counts.reduce((all, one) => all + one, 0);
    expect(sum(left.tally.count) / sum(clean.tally.count)).toBeGreaterThan(0.88);
    expect(sum(left.tally.count) / sum(clean.tally.count)).toBeLessThan(0.98);
    expect(rulesOf({ symbols, partial: left }).filter(isAuthRule)).toEqual(
      rulesOf(learnAll(anyRequest, [])).filter(isAuthRule),
    );
  });

  it('are themselves where there are none', () => {
    const { partial } = learnAll(anyRequest, []);
    expect(withoutClients(partial, [])).toBe(partial);
  });
});
