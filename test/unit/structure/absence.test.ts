/** What explains that a call is missing: a failure before it that was swallowed, or telemetry that got lost. */
import { describe, expect, it } from 'vitest';
import {
  createEvidence,
  createStructureMatch,
  JudgementStage,
  type LearnContext,
  type StructureModel,
} from '../../../baseline/model.ts';
import { structureLearner } from '../../../baseline/structure/index.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import type { Symbols } from '../../../traces/segment.ts';
import type { PlainSpan } from '../traces/segments.ts';
import {
  anyRequest,
  changed,
  checkout,
  contextOf,
  newSymbols,
  optionsFor,
  type Random,
  seeded,
  segment,
  sql,
  without,
} from './shop.ts';

function learn(count: number, make: (random: Random, i: number) => PlainSpan, seed = 1): [StructureModel, Symbols] {
  const symbols = newSymbols();
  const random = seeded(seed);
  const partial = structureLearner.createPartial();
  for (let i = 0; i < count; i++) {
    const context: LearnContext = contextOf(random, i, count);
    structureLearner.learn(partial, segment(symbols, make(random, i)), context);
  }
  return [structureLearner.compile(partial, optionsFor(symbols, count)), symbols];
}

function judge(
  [model, symbols]: [StructureModel, Symbols],
  tree: PlainSpan,
): {
  readonly findings: readonly Finding[];
  readonly sure: readonly Finding[];
  readonly similarity: number;
} {
  const out = createEvidence();
  const match = createStructureMatch();
  const one = segment(symbols, tree);
  model.score(one, JudgementStage.absence, out);
  model.match(one, match);
  const findings = out.findings;
  return { findings, sure: findings.filter((f) => f.hard || f.candidate), similarity: match.similarity };
}

const download = (failed: boolean): PlainSpan => ({
  service: 'worker',
  operation: 'GET',
  kind: 'client',
  outcome: failed ? 'error' : 'ok',
});

/** A job of a worker: the picture, then the row; a failed download is noted by nobody, and the row left out. */
const job = (failed: boolean, update = !failed): PlainSpan => ({
  service: 'worker',
  operation: 'receive avatars',
  kind: 'consumer',
  children: [download(failed), ...(update ? [sql('worker', 'UPDATE accounts')] : [])],
});

describe('a call left out after a failure that the caller swallowed', () => {
  it('is soft where no such failure was learned, and says what failed', () => {
    const { findings, sure } = judge(
      learn(1_000, () => job(false)),
      job(true),
    );
    expect(sure).toEqual([]);
    const broken = findings.find((finding) => finding.kind === 'required-child');
    expect(broken).toMatchObject({ hard: false, candidate: false });
    expect(broken!.seen).toBe(
      'worker receive avatars succeeded without worker UPDATE accounts (postgresql), after worker client GET had failed',
    );
    expect(broken!.p).toBeLessThan(0.002);
  });

  it('is nothing unusual where such failures were learned', () => {
    const shop = learn(2_000, (random) => job(random() < 0.03));
    const { findings } = judge(shop, job(true));
    expect(findings.filter((finding) => finding.kind === 'required-child' && finding.p < 0.01)).toEqual([]);
    // the rule stands for jobs that have no such excuse
    expect(judge(shop, job(false, false)).sure[0]).toMatchObject({ kind: 'required-child', candidate: true });
  });

  it('breaks the rule where calls with such failures keep it', () => {
    const shop = learn(2_000, (random) => job(random() < 0.2, true));
    expect(judge(shop, job(true, false)).sure[0]).toMatchObject({ kind: 'required-child', candidate: true });
  });
});

const shop = learn(4_000, anyRequest);
const fullCheckout = (): PlainSpan => checkout(() => 0.99);
const failing = (tree: PlainSpan, operation: string): PlainSpan =>
  changed(tree, (span) =>
    span.operation === operation && span.kind === 'client' ? [{ ...span, outcome: 'error' }] : [span],
  );

describe('a skipped authorisation', () => {
  it('is near-certain, also where a call after it is made to fail', () => {
    const skipped = without(fullCheckout(), 'POST /check');
    for (const tree of [skipped, failing(skipped, 'POST /charge')]) {
      const { sure, similarity } = judge(shop, tree);
      expect(sure[0]).toMatchObject({ kind: 'required-child', hard: true });
      expect(sure[0]!.explanationKey).toContain('POST /check');
      expect(similarity).toBeLessThan(1);
    }
  });

  it('at a span whose end is unknown ends somewhere all the same: a record with NaN would be lost', () => {
    const endless = changed(without(fullCheckout(), 'POST /check'), (span) => [{ ...span, durationMs: Number.NaN }]);
    const { sure } = judge(shop, endless);
    expect(sure[0]).toMatchObject({ kind: 'required-child', hard: true, endMs: expect.any(Number) });
    expect(sure.every(({ endMs }) => Number.isFinite(endMs))).toBe(true);
  });
});

describe('a server span that did not come', () => {
  it('beneath a client span is missing telemetry of that service, never an attack', () => {
    const tree = changed(fullCheckout(), (span) =>
      span.operation === 'POST /charge' && span.kind === 'client' ? [{ ...span, children: [] }] : [span],
    );
    const { findings, sure } = judge(shop, tree);
    expect(sure).toEqual([]);
    expect(findings[0]).toMatchObject({
      kind: 'missing-telemetry',
      group: 'structure',
      evidence: 'absence',
      explanationKey: 'payment',
    });
  });

  it('is told with the rate at which they do not come, and not where that is usual', () => {
    const lossy = (random: Random): PlainSpan =>
      changed(anyRequest(random), (span) =>
        span.operation === 'POST /charge' && span.kind === 'client' && random() < 0.05
          ? [{ ...span, children: [] }]
          : [span],
      );
    const learned = learn(6_000, lossy);
    const tree = changed(fullCheckout(), (span) =>
      span.operation === 'POST /charge' && span.kind === 'client' ? [{ ...span, children: [] }] : [span],
    );
    expect(judge(learned, tree).findings.filter((finding) => finding.kind === 'missing-telemetry')).toEqual([]);
  });
});

/** Every span but the entry is lost with this chance; what hung below becomes an orphan. */
function lose(tree: PlainSpan, rate: number, random: Random): PlainSpan {
  const orphans: PlainSpan[] = [];
  const keep = (span: PlainSpan): PlainSpan => {
    const children: PlainSpan[] = [];
    for (const child of span.children ?? []) {
      const kept = keep(child);
      if (random() >= rate) children.push(kept);
      else orphans.push(...(kept.children ?? []).map((orphan) => ({ ...orphan, orphan: true })));
    }
    return { ...span, children };
  };
  const kept = keep(tree);
  return { ...kept, children: [...kept.children!, ...orphans] };
}

function lost(model: [StructureModel, Symbols], rate: number, count = 1_500): { hard: number; candidate: number } {
  const random = seeded(91);
  let hard = 0;
  let candidate = 0;
  for (let i = 0; i < count; i++) {
    const { findings } = judge(model, lose(anyRequest(random), rate, random));
    if (findings.some((finding) => finding.hard)) hard++;
    if (findings.some((finding) => finding.candidate)) candidate++;
  }
  return { hard: hard / count, candidate: candidate / count };
}

describe('spans lost at random', () => {
  it('as they were while learning raise nothing near-certain', () => {
    for (const rate of [0.01, 0.05, 0.2]) {
      const model = learn(2_000, (random) => lose(anyRequest(random), rate, random), 7);
      expect(lost(model, rate), String(rate)).toEqual({ hard: 0, candidate: 0 });
    }
  });

  it('that were not lost while learning make candidates at most, and hardly ever more', () => {
    expect(lost(shop, 0.01).hard).toBe(0);
    expect(lost(shop, 0.05).hard).toBeLessThan(0.002);
    // One span in five: the three spans of a call vanish together now and then, with no other sign in the segment.
    expect(lost(shop, 0.2).hard).toBeLessThan(0.02);
  });

  it('leave a skipped authorisation near-certain where they are few', () => {
    const model = learn(4_000, (random) => lose(anyRequest(random), 0.01, random), 8);
    const { sure } = judge(model, without(fullCheckout(), 'POST /check'));
    expect(sure[0]).toMatchObject({ kind: 'required-child', hard: true });
  });
});
