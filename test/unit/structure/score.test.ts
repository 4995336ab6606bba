/** What the structure group says of requests like those it learned, and of those that are not. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createEvidence,
  createStructureMatch,
  type Evidence,
  JudgementStage,
  type StructureMatch,
} from '../../../baseline/model.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import type { PlainSpan, SegmentFacts } from '../traces/segments.ts';
import {
  abortedCheckout,
  anyRequest,
  browse,
  call,
  changed,
  checkout,
  entry,
  type Learned,
  learnShop,
  seeded,
  segment,
  sql,
  without,
} from './shop.ts';

let shop: Learned;
beforeAll(() => {
  shop = learnShop(6_000, 1);
});

function judge(
  tree: PlainSpan,
  stage: JudgementStage = JudgementStage.absence,
  facts: SegmentFacts = {},
): Evidence & { match: StructureMatch; hard: Finding[] } {
  const out = createEvidence();
  const match = createStructureMatch();
  const one = segment(shop.symbols, tree, facts);
  shop.model.score(one, stage, out);
  shop.model.match(one, match);
  return { ...out, match, hard: out.findings.filter((finding) => finding.hard) };
}

const fullCheckout = (): PlainSpan => {
  for (let seed = 1; ; seed++) {
    const tree = checkout(seeded(seed));
    if (tree.outcome === 'ok') return tree;
  }
};

describe('requests like those learned', () => {
  it('raise nothing hard and match their signature', () => {
    const random = seeded(99);
    let hits = 0;
    for (let i = 0; i < 2_000; i++) {
      const result = judge(anyRequest(random));
      expect(result.hard).toEqual([]);
      expect(result.surprise).toBeLessThan(3);
      if (result.similarity === 1) hits++;
    }
    expect(hits / 2_000).toBeGreaterThan(0.98);
  });

  it('give the same score in whatever order calls that run at the same time begin', () => {
    const parallel = (span: PlainSpan, turn: boolean): PlainSpan => {
      const children = (span.children ?? []).map((child) => parallel(child, turn));
      if (turn) children.reverse();
      return { ...span, startMs: 0, durationMs: 10, children };
    };
    expect(judge(parallel(fullCheckout(), true)).similarity).toBe(1);
    expect(judge(parallel(fullCheckout(), true)).surprise).toBe(judge(parallel(fullCheckout(), false)).surprise);
  });
});

it('entries are the operations that segments begin with as a rule', () => {
  const one = segment(shop.symbols, fullCheckout());
  const entries = Array.from({ length: one.spanCount }, (_, i) => shop.model.isEntry(one.label[i]!));
  expect(entries[0]).toBe(true);
  expect(entries.slice(1)).not.toContain(true);
  expect(shop.model.isEntry(0)).toBe(false);
});

describe('a missing call', () => {
  it('breaks the rule that learned it, and the match says what is missing', () => {
    const { hard, match } = judge(without(fullCheckout(), 'POST /charge'));
    const [finding] = hard;
    expect(finding).toMatchObject({
      kind: 'required-child',
      evidence: 'absence',
      explanationKey: 'orders server POST /orders → orders client POST /charge',
      service: 'orders',
      operation: 'POST /orders',
    });
    expect(finding!.expected).toMatch(
      /^orders POST \/orders was followed by orders client POST \/charge in ([\d,]+) of \1 successful requests$/,
    );
    expect(match.similarity).toBeLessThan(match.thresholdCeiling);
    expect(match.script).toMatch(/^missing orders client POST \/charge and 2 below after orders orders\.create/);
    expect(match.signature).toMatch(/^POST \/checkout #\d+$/);
    expect(match.exact).toBe(true);
  });

  it('is the authorisation check as well as the payment', () => {
    const { hard } = judge(without(fullCheckout(), 'POST /check'));
    expect(hard.map((finding) => finding.explanationKey)).toContain(
      'orders server POST /orders → orders client POST /check',
    );
  });

  it('says nothing before the absence grace is over', () => {
    for (const stage of [JudgementStage.provisional, JudgementStage.closed] as const) {
      const result = judge(without(fullCheckout(), 'POST /charge'), stage);
      expect(result.findings).toEqual([]);
      expect(result.similarity).toBe(1);
    }
  });

  it('is no rule broken when the caller failed: aborted checkouts stay silent', () => {
    const { hard, surprise } = judge(abortedCheckout());
    expect(hard).toEqual([]);
    expect(surprise).toBeLessThan(1);
    // Cut even shorter than any learned abort.
    expect(judge(without(abortedCheckout(), 'POST /check')).hard).toEqual([]);
  });

  it('has the shape of an abort, yet a request that succeeded with it does not match', () => {
    const shape = changed(abortedCheckout(), (span) => [{ ...span, outcome: 'ok' }]);
    const { hard, match } = judge({ ...shape, outcome: 'ok' });
    expect(hard.length).toBeGreaterThan(0);
    expect(match.similarity).toBeLessThan(match.thresholdCeiling);
    expect(match.script).not.toBe('');
  });

  it('is optional where learning saw it left out: a cache hit is no deviation', () => {
    expect(
      judge(
        without(
          browse(() => 0.99),
          'SELECT products',
        ),
      ).hard,
    ).toEqual([]);
  });

  it('is missing telemetry, not a missing call, when spans whose parent is missing are there', () => {
    const tree = without(fullCheckout(), 'POST /charge');
    const orphan = { ...sql('payment', 'INSERT charges'), orphan: true };
    const result = judge({ ...tree, children: [...tree.children!, orphan] });
    expect(result.hard).toEqual([]);
  });
});

describe('a call that was never learned', () => {
  it('between services that never called each other is hard, at once', () => {
    const tree = browse(seeded(3));
    const lateral = { ...tree, children: [...tree.children!, call('gateway', 'payment', 'POST /charge')] };
    const { hard } = judge(lateral, JudgementStage.provisional);
    expect(hard[0]).toMatchObject({ kind: 'service-pair', explanationKey: 'gateway → payment', evidence: 'presence' });
    expect(hard[0]!.expected).toContain('gateway calls');
    expect(judge(lateral).match.script).toContain('extra gateway client POST /charge');
  });

  it('on a rare route over known service pairs and statements is soft', () => {
    const rare = entry('GET /compare', [
      call('gateway', 'catalog', 'GET /products/{id}', [sql('catalog', 'SELECT product')]),
      call('gateway', 'catalog', 'GET /products', [sql('catalog', 'SELECT products')]),
    ]);
    const { hard, findings, match } = judge(rare);
    expect(hard).toEqual([]);
    expect(findings[0]).toMatchObject({
      kind: 'unseen-operation',
      explanationKey: 'GET /compare · gateway server GET /compare',
    });
    expect(match.unseenEntry).toBe(true);
    expect(match.similarity).toBeGreaterThan(0);
    expect(match.similarity).toBeLessThan(1);
  });

  it('of a span whose parent has not come yet is no service pair', () => {
    const tree = entry('GET /products', [
      { service: 'payment', operation: 'POST /charge', kind: 'server', orphan: true },
    ]);
    expect(judge(tree, JudgementStage.provisional).findings).toEqual([]);
  });

  it('by an entry whose parent was lost is missing telemetry', () => {
    const inner = fullCheckout().children![0]!.children![0]!;
    expect(judge(inner, JudgementStage.absence, { entryReason: 'parent-missing' }).hard).toEqual([]);
    const { findings } = judge(inner, JudgementStage.absence, { entryReason: 'parent-missing' });
    expect(findings).toEqual([]);
    expect(judge(inner).findings[0]).toMatchObject({ kind: 'unseen-edge', hard: false });
  });
});

describe('fan-out', () => {
  const amplified = (times: number): PlainSpan =>
    entry('GET /products/{id}', [
      call('gateway', 'catalog', 'GET /products/{id}', [
        sql('catalog', 'SELECT product'),
        ...Array.from({ length: times }, () => sql('catalog', 'SELECT related')),
      ]),
    ]);

  it('of a hundred calls where at most three were learned is hard', () => {
    const { hard, match } = judge(amplified(100), JudgementStage.provisional);
    expect(hard[0]).toMatchObject({
      kind: 'fan-out',
      explanationKey: 'catalog server GET /products/{id} → catalog client:postgresql SELECT related',
    });
    expect(hard[0]!.seen).toContain('100');
    expect(match.script).toContain('100 ×');
    expect(match.similarity).toBeLessThan(1);
  });

  it('a little beyond the maximum is soft, and severity grows with the ratio', () => {
    expect(judge(amplified(5)).hard).toEqual([]);
    expect(judge(amplified(5)).surprise).toBeGreaterThan(judge(amplified(3)).surprise);
    expect(judge(amplified(200)).severity).toBeGreaterThan(judge(amplified(100)).severity);
  });

  it('of calls that were never learned there is hard too', () => {
    const tree = entry('GET /products', [
      call(
        'gateway',
        'catalog',
        'GET /products',
        Array.from({ length: 60 }, (_, i) => sql('catalog', `SELECT t${i % 3}`)),
      ),
    ]);
    expect(judge(tree).hard.map((finding) => finding.kind)).toContain('fan-out');
  });

  it('of retries (5 of a failing call, at most 3 learned) is soft', () => {
    const tries = Array.from({ length: 5 }, () =>
      call('orders', 'catalog', 'GET /stock', [sql('catalog', 'SELECT stock')]),
    );
    const auth = call('orders', 'auth', 'POST /check', [sql('auth', 'SELECT sessions')]);
    const tree = entry('GET /cart', [
      call('gateway', 'orders', 'GET /cart', [auth, sql('orders', 'SELECT cart'), ...tries]),
    ]);
    expect(judge(tree).hard).toEqual([]);
  });
});

describe('every mutation of a clean request', () => {
  it('is more surprising, or less similar, than any clean one', () => {
    const random = seeded(7);
    let worstSurprise = 0;
    for (let i = 0; i < 1_500; i++) worstSurprise = Math.max(worstSurprise, judge(anyRequest(random)).surprise);
    // As DETECTION §11 draws them: a span but the entry, its whole subtree missing, moved, three- and tenfold, foreign.
    const kinds = ['missing', 'moved', 'tenfold', 'foreign'] as const;
    const found: Record<string, [number, number]> = {};
    for (let i = 0; i < 400; i++) {
      const clean = anyRequest(random);
      const kind = kinds[i % kinds.length]!;
      const mutant = mutate(clean, kind, random);
      if (mutant === undefined) continue;
      const result = judge(mutant);
      if (result.similarity === 1) continue; // equal to a learned tree: dropped
      const counts = found[kind] ?? [0, 0];
      found[kind] = counts;
      counts[1]++;
      if (result.surprise > worstSurprise || result.hard.length > 0) counts[0]++;
    }
    for (const kind of kinds) expect(found[kind]![0] / found[kind]![1], kind).toBeGreaterThanOrEqual(0.95);
  });
});

function mutate(
  tree: PlainSpan,
  kind: 'missing' | 'moved' | 'tenfold' | 'foreign',
  random: () => number,
): PlainSpan | undefined {
  const spans: PlainSpan[] = [];
  const collect = (span: PlainSpan): void => {
    for (const child of span.children ?? []) {
      spans.push(child);
      collect(child);
    }
  };
  collect(tree);
  const victim = spans[Math.floor(random() * spans.length)]!;
  if (kind === 'missing') return changed(tree, (span) => (span === victim ? [] : [span]));
  if (kind === 'tenfold') return changed(tree, (span) => (span === victim ? Array(10).fill(span) : [span]));
  if (kind === 'foreign') {
    const foreign = call(victim.service, 'crm', 'GET /customers');
    return changed(tree, (span) =>
      span === victim ? [{ ...span, children: [...(span.children ?? []), foreign] }] : [span],
    );
  }
  const places = spans.filter(
    (span) => span !== victim && !contains(victim, span) && !(span.children ?? []).includes(victim),
  );
  if (places.length === 0) return undefined;
  const place = places[Math.floor(random() * places.length)]!;
  return changed(tree, (span) => {
    if (span === victim) return [];
    return span === place ? [{ ...span, children: [...(span.children ?? []), victim] }] : [span];
  });
}

const contains = (span: PlainSpan, other: PlainSpan): boolean =>
  span === other || (span.children ?? []).some((child) => contains(child, other));

describe('the edit script', () => {
  it('names a call that was moved, and says of one in its place what differs', () => {
    const moved = changed(without(fullCheckout(), 'orders.create'), (span) =>
      span.operation === 'POST /charge' && span.kind === 'server'
        ? [
            {
              ...span,
              children: [...span.children!, { service: 'orders', operation: 'orders.create', kind: 'internal' }],
            },
          ]
        : [span],
    );
    expect(judge(moved).match.script).toMatch(
      /orders orders\.create under payment POST \/charge instead of under orders POST \/orders/,
    );
    const deeper = changed(fullCheckout(), (span) =>
      span.operation === 'INSERT charges' ? [{ ...span, children: [sql('payment', 'SELECT pg_sleep')] }] : [span],
    );
    expect(judge(deeper).match.script).toBe(
      'extra payment SELECT pg_sleep (postgresql) under payment INSERT charges (postgresql)',
    );
  });
});
