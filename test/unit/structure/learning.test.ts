/** Partials merge exactly; versions rebuild exactly from their lines; what is admitted, and who may weigh how much. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createEvidence,
  createStructureMatch,
  JudgementStage,
  type LearnContext,
  type StructureModel,
} from '../../../baseline/model.ts';
import { type StructurePartial, structureLearner } from '../../../baseline/structure/index.ts';
import { createTree, keyTree, readTree } from '../../../baseline/structure/tree.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import type { Symbols } from '../../../traces/segment.ts';
import type { PlainSpan } from '../traces/segments.ts';
import {
  anyRequest,
  BUCKETS,
  browse,
  call,
  checkout,
  entry,
  learnShop,
  newSymbols,
  optionsFor,
  seeded,
  segment,
  sql,
  without,
} from './shop.ts';

/** Small random trees over few labels, so that subtrees repeat, recurse and collide. */
const label = fc.record({ service: fc.constantFrom('a', 'b', 'c'), operation: fc.constantFrom('x', 'y', 'z') });
const treesOf = (depth: number): fc.Arbitrary<PlainSpan> =>
  fc
    .tuple(
      label,
      fc.constantFrom<NonNullable<PlainSpan['outcome']>[]>('ok', 'unknown', 'clientError', 'error'),
      depth === 0 ? fc.constant<PlainSpan[]>([]) : fc.array(treesOf(depth - 1), { maxLength: 3 }),
    )
    .map(([at, outcome, children]) => ({ ...at, outcome, children }));
const trees = treesOf(3);

interface Occurrence {
  readonly tree: PlainSpan;
  readonly context: LearnContext;
}
const occurrences = fc.array(
  fc.record({
    tree: trees,
    context: fc.record({
      bucket: fc.nat(60),
      client: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 })),
      quarantined: fc.boolean(),
    }),
  }),
  { maxLength: 12 },
);

function partialOf(symbols: Symbols, all: readonly Occurrence[]): StructurePartial {
  const partial = structureLearner.createPartial();
  for (const { tree, context } of all) structureLearner.learn(partial, segment(symbols, tree), context);
  return partial;
}

/** Bytes as text: comparing long arrays element by element is slow. */
const bytesOf = (partial: StructurePartial): string => Buffer.from(structureLearner.encode(partial)).toString('base64');

function merge(...parts: StructurePartial[]): StructurePartial {
  const into = structureLearner.createPartial();
  for (const part of parts) structureLearner.merge(into, part);
  return into;
}

describe('partials', () => {
  it('merge to the same bytes in any order and grouping, as if learned at once', () => {
    fc.assert(
      fc.property(occurrences, occurrences, occurrences, (x, y, z) => {
        const symbols = newSymbols();
        const [a, b, c] = [partialOf(symbols, x), partialOf(symbols, y), partialOf(symbols, z)];
        const before = bytesOf(a);
        const all = bytesOf(partialOf(newSymbols(), [...z, ...x, ...y]));
        expect(bytesOf(merge(a, b, c))).toBe(all);
        expect(bytesOf(merge(c, b, a))).toBe(all);
        const right = structureLearner.decode(structureLearner.encode(merge(b, c)));
        expect(bytesOf(merge(a, right))).toBe(all);
        expect(bytesOf(a)).toBe(before);
      }),
      { numRuns: 30 },
    );
  });

  it('are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(occurrences, (x) => {
        const partial = partialOf(newSymbols(), x);
        expect(bytesOf(structureLearner.decode(structureLearner.encode(partial)))).toBe(bytesOf(partial));
      }),
      { numRuns: 30 },
    );
  });

  it('of an older form are refused by name', () => {
    const bytes = structureLearner.encode(learnShop(50, 3).partial);
    expect(bytes.slice(0, 4)).toEqual(Uint8Array.of(0x82, 0x80, 0xdc, 0x9a));
    bytes[0] = 0x81; // the form before
    expect(() => structureLearner.decode(bytes)).toThrow(
      expect.objectContaining({ code: 'BASELINE_SCHEMA', message: expect.stringContaining('form 1') }),
    );
  });

  it('that are damaged are refused with a code', () => {
    const bytes = structureLearner.encode(learnShop(50, 3).partial);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => structureLearner.decode(bytes.slice(0, length))).toThrow(SpanwardenError);
      }),
      { numRuns: 50 },
    );
  });
});

describe('tree keys', () => {
  const keysOf = (tree: PlainSpan): { exact: number; multiset: number; set: number } => {
    const one = segment(newSymbols(), tree);
    const read = createTree(one);
    readTree(read, one);
    keyTree(read);
    return { exact: read.exact, multiset: read.multisetKey[0]!, set: read.setKey[0]! };
  };
  const reversed = (tree: PlainSpan): PlainSpan => ({
    ...tree,
    children: [...(tree.children ?? [])].reverse().map(reversed),
  });

  it('do not depend on the order of siblings in time', () => {
    fc.assert(
      fc.property(trees, (tree) => {
        expect(keysOf(reversed(tree))).toEqual(keysOf(tree));
      }),
    );
  });

  it('tell counts apart by bucket, and not at all in the set key', () => {
    const times = (count: number): PlainSpan =>
      entry(
        'GET /',
        Array.from({ length: count }, () => sql('a', 'SELECT')),
      );
    expect(keysOf(times(4)).multiset).toBe(keysOf(times(7)).multiset);
    expect(keysOf(times(7)).multiset).not.toBe(keysOf(times(8)).multiset);
    expect(keysOf(times(1)).set).toBe(keysOf(times(40)).set);
    expect(keysOf(times(4)).exact).not.toBe(keysOf(times(7)).exact);
  });

  it('fold recursion on the same label into one node', () => {
    const nested = (depth: number): PlainSpan =>
      depth === 0
        ? sql('a', 'SELECT')
        : { service: 'a', operation: 'walk', kind: 'internal', children: [nested(depth - 1)] };
    expect(keysOf(nested(4)).multiset).toBe(keysOf(nested(6)).multiset);
    expect(keysOf(nested(2)).multiset).not.toBe(keysOf(nested(4)).multiset);
    expect(keysOf(nested(2)).set).toBe(keysOf(nested(9)).set);
  });
});

function scoresOf(model: StructureModel, symbols: Symbols, all: readonly PlainSpan[]): unknown[] {
  const out = createEvidence();
  return all.flatMap((tree) =>
    [JudgementStage.closed, JudgementStage.absence].map((stage) => {
      const match = createStructureMatch();
      const one = segment(symbols, tree);
      model.score(one, stage, out);
      model.match(one, match);
      return { ...out, match };
    }),
  );
}

describe('a version', () => {
  const shop = learnShop(3_000, 5);
  const lines = [...shop.model.entries()];

  it('rebuilt from its lines, in any order and over other symbols, scores everything the same', () => {
    const shuffled = fc.sample(fc.shuffledSubarray(lines, { minLength: lines.length }), { numRuns: 1, seed: 4 })[0]!;
    const symbols = newSymbols();
    const loaded = structureLearner.load(shuffled, symbols);
    const random = seeded(12);
    const requests = Array.from({ length: 200 }, () => anyRequest(random));
    const odd = requests.map((tree) => without(tree, 'SELECT sessions'));
    const foreign = requests.map((tree) => ({ ...tree, children: [call('gateway', 'crm', 'GET /people')] }));
    for (const all of [requests, odd, foreign]) {
      expect(scoresOf(loaded, symbols, all)).toEqual(scoresOf(shop.model, shop.symbols, all));
    }
    expect([...loaded.entries()].map((e) => e.key).sort()).toEqual(lines.map((e) => e.key).sort());
  });

  it('has one line a key', () => {
    expect(new Set(lines.map((entry) => `${entry.kind} ${entry.key}`)).size).toBe(lines.length);
  });

  it('scores every random tree, with a similarity', () => {
    const out = createEvidence();
    fc.assert(
      fc.property(trees, (tree) => {
        shop.model.score(segment(shop.symbols, tree), JudgementStage.absence, out);
        expect(out.similarity).toBeGreaterThanOrEqual(0);
        expect(out.similarity).toBeLessThan(1);
        expect(out.surprise).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(out.surprise) && Number.isFinite(out.severity)).toBe(true);
      }),
    );
  });

  it('gives left-out similarities of families with several signatures only', () => {
    const random = seeded(31);
    const symbols = newSymbols();
    const model = structureLearner.load(lines, symbols);
    const families = new Set(
      (
        scoresOf(
          model,
          symbols,
          Array.from({ length: 300 }, () => anyRequest(random)),
        ) as { match: { familyKey: string } }[]
      ).map((result) => result.match.familyKey),
    );
    const values = [...families].map((key) => model.leaveOneOut(key));
    expect(values.some((family) => family.length > 1)).toBe(true);
    for (const family of values) {
      expect(family).toEqual([...family].sort((x, y) => x - y));
      for (const value of family) expect(value > 0.8 && value < 1).toBe(true);
    }
    expect(model.leaveOneOut('no such family')).toEqual([]);
  });

  it('covers every operation, active after enough requests', () => {
    const rows = [...shop.model.coverage()];
    expect(rows.find((row) => row.service === 'orders' && row.operation === 'POST /orders')).toMatchObject({
      state: 'active',
      group: 'structure',
    });
  });
});

describe('what one client does in learning', () => {
  const lateral = entry('GET /products', [
    call('gateway', 'catalog', 'GET /products'),
    call('gateway', 'payment', 'POST /charge'),
  ]);
  const hardOf = (learned: ReturnType<typeof learnShop>, tree: PlainSpan): string[] => {
    const out = createEvidence();
    learned.model.score(segment(learned.symbols, tree), JudgementStage.absence, out);
    return out.findings.filter((finding) => finding.hard).map((finding) => finding.kind);
  };

  it('is not admitted, however often: a new service pair stays hard', () => {
    const poisoned = learnShop(2_000, 6, Array(100).fill({ tree: lateral, client: 77 }));
    expect(hardOf(poisoned, lateral)).toContain('service-pair');
  });

  it('is admitted when many clients do it', () => {
    expect(hardOf(learnShop(2_000, 6, Array(100).fill({ tree: lateral })), lateral)).toEqual([]);
  });

  it('does not delete a rule, while a second way that many take does', () => {
    const skipped = without(
      checkout(() => 0.5),
      'POST /charge',
    );
    expect(hardOf(learnShop(2_000, 6, Array(20).fill({ tree: skipped, client: 77 })), skipped)).toContain(
      'required-child',
    );
    expect(hardOf(learnShop(2_000, 6, Array(20).fill({ tree: skipped })), skipped)).toEqual([]);
  });

  it('does not raise the limit of a fan-out', () => {
    const burst = (times: number): PlainSpan =>
      entry('GET /products/{id}', [
        call(
          'gateway',
          'catalog',
          'GET /products/{id}',
          Array.from({ length: times }, () => sql('catalog', 'SELECT related')),
        ),
      ]);
    expect(hardOf(learnShop(2_000, 6, Array(20).fill({ tree: burst(120), client: 77 })), burst(120))).toContain(
      'fan-out',
    );
    expect(hardOf(learnShop(2_000, 6, Array(40).fill({ tree: burst(120) })), burst(120))).toEqual([]);
  });
});

describe('rules', () => {
  it('stay in later versions though they were broken; only an operator removes them', () => {
    const first = learnShop(2_000, 8);
    const skipped = without(
      checkout(() => 0.5),
      'POST /charge',
    );
    const second = learnShop(2_000, 9, Array(60).fill({ tree: skipped }));
    const later = structureLearner.compile(second.partial, { ...second.options, previous: [...first.model.entries()] });
    const out = createEvidence();
    later.score(segment(second.symbols, skipped), JudgementStage.absence, out);
    expect(out.findings.some((finding) => finding.hard && finding.kind === 'required-child')).toBe(true);
    const edited = [...later.entries()].filter(
      (e) => e.key !== 'orders server POST /orders ⇒ orders client POST /charge',
    );
    const without_ = structureLearner.compile(second.partial, { ...second.options, previous: edited });
    without_.score(segment(second.symbols, skipped), JudgementStage.absence, out);
    expect(out.findings.some((finding) => finding.hard)).toBe(false);
  });

  it('of required ancestors find the handler that was reached past its guard', () => {
    const routes = ['GET /a', 'GET /b', 'POST /c'];
    const symbols = newSymbols();
    const guarded = (route: string, guard: boolean): PlainSpan => {
      const write = sql('vault', 'UPDATE secrets');
      const inner: PlainSpan = guard
        ? { service: 'vault', operation: 'guard', kind: 'internal', children: [write] }
        : write;
      return entry(route, [call('gateway', 'vault', `${route} handler`, [inner])]);
    };
    const partial = structureLearner.createPartial();
    for (let i = 0; i < 900; i++) {
      const context = { bucket: Math.floor((i / 900) * BUCKETS), client: 1 + (i % 50), quarantined: false };
      structureLearner.learn(partial, segment(symbols, guarded(routes[i % 3]!, true)), context);
    }
    const model = structureLearner.compile(partial, optionsFor(symbols, 900, 50));
    const out = createEvidence();
    model.score(segment(symbols, guarded('GET /a', false)), JudgementStage.provisional, out);
    expect(out.findings.find((finding) => finding.kind === 'required-ancestor')).toMatchObject({
      hard: true,
      evidence: 'presence',
      explanationKey: 'vault client:postgresql UPDATE secrets → vault internal guard',
    });
    // A new route may have a guard of its own: the unknown operation is what is found, softly.
    model.score(segment(symbols, guarded('GET /new', false)), JudgementStage.absence, out);
    expect(out.findings.filter((finding) => finding.hard)).toEqual([]);
  });
});

describe('quarantined segments', () => {
  it('are counted and leave no other trace in a partial', () => {
    const symbols = newSymbols();
    const partial = structureLearner.createPartial();
    structureLearner.learn(partial, segment(symbols, browse(seeded(1))), { bucket: 1, client: 1, quarantined: true });
    expect(partial.quarantined).toBe(1);
    expect(partial.tally.size).toBe(0);
  });
});

describe('where no client is known', () => {
  it('twice the occurrences and buckets stand in for clients', () => {
    const symbols = newSymbols();
    const learn = (count: number): StructureModel => {
      const partial = structureLearner.createPartial();
      for (let i = 0; i < count; i++) {
        structureLearner.learn(
          partial,
          segment(
            symbols,
            browse(() => 0.9),
          ),
          { bucket: i, client: 0, quarantined: false },
        );
      }
      return structureLearner.compile(partial, { ...optionsFor(symbols, count, 0), buckets: 40 });
    };
    const signatures = (model: StructureModel): number =>
      [...model.entries()].filter((entry) => entry.kind === 'signature').length;
    expect(signatures(learn(9))).toBe(0);
    expect(signatures(learn(10))).toBe(1);
  });
});

describe('a score', () => {
  it('is a function of segment and version alone: no history, no order of siblings, no memory changes it', () => {
    const shop = learnShop(2_000, 14);
    const lines = [...shop.model.entries()];
    const random = seeded(15);
    const extra = (): PlainSpan[] =>
      Array.from({ length: Math.floor(random() * 12) }, () => sql('orders', 'SELECT cart'));
    const odd = Array.from({ length: 150 }, (): PlainSpan => {
      const tree = anyRequest(random);
      return random() < 0.5
        ? tree
        : { ...tree, children: [...tree.children!, ...extra(), ...anyRequest(random).children!] };
    });
    const warm = scoresOf(shop.model, shop.symbols, [
      ...odd,
      ...odd.map((tree) => ({ ...tree, children: [...tree.children!].reverse() })),
      ...odd,
    ]);
    odd.forEach((tree, i) => {
      const symbols = newSymbols();
      const [cold] = [scoresOf(structureLearner.load(lines, symbols), symbols, [tree])];
      expect(warm.slice((300 + i) * 2, (300 + i) * 2 + 2)).toEqual(cold);
    });
  });
});
