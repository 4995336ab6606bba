/** Under the null p is uniform; what is odd is found; by features, by back-off, in the tails. */
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { createEvidence, JudgementStage } from '../../../baseline/model.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';
import type { TimingModel } from '../../../baseline/timing/model.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import type { Segment } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { segmentOf } from '../traces/segments.ts';
import { logNormal, requestOf, usual } from './traffic.ts';

const profile = profileOf(learningSection.parse({ profile: 'export' }));

function learnedFrom(
  symbols: ReturnType<typeof createSymbols>,
  count: number,
  make: (i: number) => Segment,
): TimingModel {
  const partial = timingLearner.createPartial();
  for (let i = 0; i < count; i++) {
    timingLearner.learn(partial, make(i), { bucket: i % 20, client: 0, quarantined: false });
  }
  const none = { segments: count, clients: 0, buckets: 20, previous: [], sensitiveTables: [] };
  return timingLearner.compile(partial, { profile, symbols, ...none });
}

/** Chi-square of p against uniform, over the edges given; p is a rank in steps, so edges are those of whole steps. */
function chiSquare(p: readonly number[], edges: readonly number[]): number {
  let sum = 0;
  let from = 0;
  for (const to of [...edges, 1]) {
    const expected = (to - from) * p.length;
    const seen = p.filter((value) => value > from && value <= to).length;
    sum += (seen - expected) ** 2 / expected;
    from = to;
  }
  return sum;
}

describe('p of a duration under the null', () => {
  it('is uniform for self and total times, log-normal, heavy-tailed and clocked to the millisecond', () => {
    const shapes: Record<string, (random: () => number) => number> = {
      'log-normal': (random) => logNormal(random, 5, 0.5),
      Pareto: (random) => 2 / (1 - random()) ** 0.4,
      bimodal: (random) => (random() < 0.2 ? logNormal(random, 80, 0.2) : logNormal(random, 2, 0.3)),
    };
    for (const [name, shape] of Object.entries(shapes)) {
      const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
      const random = createRandom(11);
      const one = (): Segment => {
        const durationMs = shape(random);
        return segmentOf(symbols, {
          service: 'shop',
          operation: 'GET /',
          durationMs: durationMs + shape(random),
          children: [{ service: 'shop', operation: 'SELECT', kind: 'client', startMs: 0, durationMs }],
        });
      };
      const model = learnedFrom(symbols, 20_000, one);
      const evidence = createEvidence();
      const p: Record<'self' | 'total', number[]> = { self: [], total: [] };
      for (let i = 0; i < 6_000; i++) {
        model.score(one(), JudgementStage.absence, evidence);
        p.self.push(Math.min(1, 1 / model.nodes.selfInverse[1]!));
        p.total.push(Math.min(1, 1 / model.nodes.totalInverse[0]!));
      }
      // a bin is an eighth of an octave: ties count against us, so p may be larger than uniform but hardly smaller
      for (const [feature, values] of Object.entries(p)) {
        for (const level of [0.2, 0.05, 0.01, 0.002]) {
          const share = values.filter((value) => value <= level).length / values.length;
          const noise = 3.3 * Math.sqrt((level * 2) / values.length);
          expect(share, `${feature} of ${name} at ${level}`).toBeLessThan(level + noise);
          expect(share, `${feature} of ${name} at ${level}`).toBeGreaterThan(0.35 * level - noise);
        }
      }
    }
  });

  it('is uniform to a goodness-of-fit test among the largest, where every value counts by itself', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const random = createRandom(5);
    const one = (): Segment =>
      segmentOf(symbols, { service: 'shop', operation: 'GET /', durationMs: logNormal(random, 50, 0.6) });
    // many small samples: the rank of one new value among 399 and itself, in the upper tail
    const p: number[] = [];
    const evidence = createEvidence();
    for (let sample = 0; sample < 60; sample++) {
      const model = learnedFrom(symbols, 399, one);
      for (let i = 0; i < 60; i++) {
        model.score(one(), JudgementStage.absence, evidence);
        if (model.nodes.selfShift[0]! > 0) p.push(1 / model.nodes.selfInverse[0]!);
      }
    }
    // above the median two-sided p is uniform on (0, 1]; below 0.3 (60 of 400 above) ranks are exact
    expect(
      chiSquare(
        p.map((value) => Math.min(1, value)),
        [0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
      ),
    ).toBeLessThan(22.5); // 0.1 % of χ²(6)
  });

  it('keeps its promise beyond the sample: one in a thousand is about that with 400 learned', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const random = createRandom(3);
    const one = (): Segment =>
      segmentOf(symbols, { service: 'shop', operation: 'GET /', durationMs: logNormal(random, 50, 0.5) });
    const evidence = createEvidence();
    let below = 0;
    let judged = 0;
    for (let sample = 0; sample < 30; sample++) {
      const model = learnedFrom(symbols, 400, one);
      for (let i = 0; i < 600; i++) {
        model.score(one(), JudgementStage.absence, evidence);
        judged++;
        if (model.nodes.selfInverse[0]! >= 1000) below++;
      }
    }
    expect(below / judged).toBeGreaterThan(0.0002);
    expect(below / judged).toBeLessThan(0.004);
  });

  it('finds ×8 and ÷8 of one call in most traces at a rate of one in a hundred', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const random = createRandom(9);
    const model = learnedFrom(symbols, 4_000, () => requestOf(symbols, usual(random)));
    const evidence = createEvidence();
    const surprise = (change: (query: number) => number): number => {
      const shape = usual(random);
      model.score(requestOf(symbols, { ...shape, query: change(shape.query) }), JudgementStage.absence, evidence);
      return evidence.surprise;
    };
    const clean = Array.from({ length: 2_000 }, () => surprise((query) => query)).sort((a, b) => a - b);
    const threshold = clean[1_980]!;
    const recall = (change: (query: number) => number): number =>
      Array.from({ length: 400 }, () => surprise(change)).filter((value) => value > threshold).length / 400;
    expect(recall((query) => 8 * query)).toBeGreaterThan(0.85);
    expect(recall((query) => query / 8)).toBeGreaterThan(0.7);
    expect(recall((query) => query)).toBeLessThan(0.03);
  });
});

describe('features', () => {
  const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
  const random = createRandom(21);
  /** Two families of one entry operation: with the statement 60 ms, from the cache 3 ms. */
  const either = (cached: boolean, durationMs = logNormal(random, cached ? 3 : 60, 0.2)): Segment =>
    segmentOf(symbols, {
      service: 'shop',
      operation: 'GET /',
      durationMs,
      children: cached
        ? [{ service: 'shop', operation: 'GET', kind: 'client', peer: 'redis', startMs: 0, durationMs: 1 }]
        : [{ service: 'shop', operation: 'SELECT', kind: 'client', startMs: 0, durationMs: 1 }],
    });

  it('end to end is held against the family: 20 times what a cached answer takes is usual only for another one', () => {
    const model = learnedFrom(symbols, 2_000, (i) => either(i % 2 === 0));
    const evidence = createEvidence();
    const total = (segment: Segment): number => {
      model.score(segment, JudgementStage.absence, evidence);
      return model.nodes.totalInverse[0]!;
    };
    expect(total(either(false, 60))).toBeLessThan(10);
    expect(total(either(true, 60))).toBeGreaterThan(1_000);
    const entry = [...model.entries()].filter(({ key }) => key.includes('end to end'));
    expect(entry).toHaveLength(2);
  });

  it('lag of a queue is evidence, soft and never beyond what the sample bears out', () => {
    const queued = (lagMs: number): Segment =>
      segmentOf(symbols, {
        service: 'shop',
        operation: 'POST /order',
        durationMs: 10,
        children: [
          {
            service: 'shop',
            operation: 'publish',
            kind: 'producer',
            startMs: 2,
            durationMs: 1,
            children: [{ service: 'shop', operation: 'process', kind: 'consumer', startMs: 2 + lagMs, durationMs: 4 }],
          },
        ],
      });
    const model = learnedFrom(symbols, 1_000, () => queued(logNormal(random, 20, 0.3)));
    const evidence = createEvidence();
    const surprise = (lagMs: number): number => {
      model.score(queued(lagMs), JudgementStage.absence, evidence);
      return evidence.surprise;
    };
    expect(surprise(20)).toBeLessThan(0.5);
    expect(surprise(600_000)).toBeGreaterThan(surprise(20) + 1);
    expect(surprise(600_000)).toBeLessThanOrEqual(Math.log10(1_001));
    expect([evidence.severity, evidence.findings.some(({ candidate }) => candidate)]).toEqual([0, false]);
    // a consumer's clock that is behind the producer's says nothing
    expect(surprise(-5)).toBeLessThan(0.5);
  });

  it('unknown is not zero: a span without an end is neither learned nor judged, its parent neither', () => {
    const endless = (): Segment => {
      const segment = either(false);
      segment.durationNs[1] = Number.NaN;
      segment.selfNs[0] = Number.NaN;
      segment.selfNs[1] = Number.NaN;
      return segment;
    };
    const known = learnedFrom(symbols, 500, () => either(false));
    const mixed = learnedFrom(symbols, 1_000, (i) => (i % 2 === 0 ? either(false) : endless()));
    const evidence = createEvidence();
    for (const model of [known, mixed]) {
      model.score(endless(), JudgementStage.absence, evidence);
      expect([model.nodes.selfInverse[0], model.nodes.selfInverse[1]]).toEqual([0, 0]);
      expect(model.nodes.totalInverse[0]).toBeGreaterThan(0);
      expect([evidence.surprise < 3, evidence.severity < 2, evidence.findings.length]).toEqual([true, true, 0]);
      model.score(either(false), JudgementStage.absence, evidence);
      expect(evidence.similarity).toBeGreaterThan(0.95);
    }
    const all = segmentOf(symbols, { service: 'shop', operation: 'GET /' });
    all.durationNs[0] = Number.NaN;
    all.selfNs[0] = Number.NaN;
    known.score(all, JudgementStage.absence, evidence);
    expect(evidence).toMatchObject({ surprise: 0, severity: 0, similarity: 1 });
  });
});
