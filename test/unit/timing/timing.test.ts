import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { type CompileOptions, createEvidence, JudgementStage } from '../../../baseline/model.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';
import { MOST_FAMILIES } from '../../../baseline/timing/partial.ts';
import {
  addToSketch,
  boundInfluence,
  createSketch,
  mergeSketch,
  sketchFromForm,
  sketchToForm,
} from '../../../baseline/timing/sketch.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { segmentOf } from '../traces/segments.ts';
import { requestOf, usual } from './traffic.ts';

const profile = profileOf(learningSection.parse({ profile: 'export' }));
const newSymbols = () => createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
const optionsOf = (symbols: ReturnType<typeof newSymbols>): CompileOptions => ({
  profile,
  symbols,
  segments: 0,
  clients: 0,
  buckets: 0,
  previous: [],
  sensitiveTables: [],
});

function learned(count: number, seed = 1) {
  const symbols = newSymbols();
  const random = createRandom(seed);
  const partial = timingLearner.createPartial();
  for (let i = 0; i < count; i++) {
    const segment = requestOf(symbols, usual(random));
    timingLearner.learn(partial, segment, { bucket: i % 20, client: 1 + (i % 40), quarantined: false });
  }
  return { symbols, random, partial, model: timingLearner.compile(partial, optionsOf(symbols)) };
}

describe('timing', () => {
  it('is calibrated per node: a fresh sample exceeds p ≤ 0.01 about once in a hundred', () => {
    const { symbols, random, model } = learned(5_000);
    const evidence = createEvidence();
    let judged = 0;
    let exceeded = 0;
    for (let i = 0; i < 20_000; i++) {
      model.score(requestOf(symbols, usual(random)), JudgementStage.absence, evidence);
      for (let node = 0; node < model.nodes.count; node++) {
        judged++;
        if (model.nodes.selfInverse[node]! >= 100) exceeded++;
      }
    }
    expect(exceeded / judged).toBeGreaterThan(0.004);
    expect(exceeded / judged).toBeLessThan(0.015);
  });

  it('counts too short as much as too long', () => {
    const { symbols, model } = learned(2_000);
    const evidence = createEvidence();
    const shape = { gateway: 3, way: 1, shop: 8, query: 5 };
    model.score(requestOf(symbols, shape), JudgementStage.absence, evidence);
    expect(evidence.surprise).toBeLessThan(1);
    expect(evidence.similarity).toBe(1);
    expect(evidence.findings).toHaveLength(0);
    for (const query of [0.05, 500]) {
      model.score(requestOf(symbols, { ...shape, query }), JudgementStage.absence, evidence);
      expect(evidence.surprise, `query of ${query} ms`).toBeGreaterThan(2);
      expect(evidence.findings.some((f) => f.operation === 'SELECT cart')).toBe(true);
    }
  });

  it('goes on growing beyond the sample, in surprise and severity', () => {
    const { symbols, model } = learned(2_000);
    const evidence = createEvidence();
    let surprise = 0;
    let severity = 0;
    for (const query of [40, 80, 200, 1_000, 10_000]) {
      model.score(requestOf(symbols, { gateway: 3, way: 1, shop: 8, query }), JudgementStage.absence, evidence);
      expect(evidence.surprise).toBeGreaterThan(surprise);
      expect(evidence.severity).toBeGreaterThan(severity);
      surprise = evidence.surprise;
      severity = evidence.severity;
    }
  });

  it('makes one node far beyond its maximum a candidate, and says what was expected', () => {
    const { symbols, model } = learned(2_000);
    const evidence = createEvidence();
    model.score(requestOf(symbols, { gateway: 3, way: 1, shop: 8, query: 3_000 }), JudgementStage.closed, evidence);
    const finding = evidence.findings.find((f) => f.candidate)!;
    expect(finding).toMatchObject({
      kind: 'self-time',
      service: 'shop',
      operation: 'SELECT cart',
      evidence: 'presence',
      hard: false,
    });
    expect(finding.explanationKey).toBe('shop');
    expect(finding.seen).toMatch(/^3\.00 s, \d+(\.\d)?× the longest$/);
    expect(finding.expected).toMatch(/at most .* ms, in 2,000$/);
    // less than a second above the maximum is not one
    model.score(requestOf(symbols, { gateway: 3, way: 1, shop: 8, query: 900 }), JudgementStage.closed, evidence);
    expect(evidence.findings.some((f) => f.candidate)).toBe(false);
  });

  it('judges no self time of a node with children before the absence grace: its children may still come', () => {
    const { symbols, model } = learned(2_000);
    const evidence = createEvidence();
    const slowShop = requestOf(symbols, { gateway: 3, way: 1, shop: 5_000, query: 5 });
    model.score(slowShop, JudgementStage.closed, evidence);
    expect(evidence.findings.every((f) => f.kind === 'latency')).toBe(true);
    model.score(slowShop, JudgementStage.absence, evidence);
    expect(evidence.findings.some((f) => f.kind === 'self-time' && f.operation === 'GET /cart')).toBe(true);
  });

  it('lays a slow way at the callee', () => {
    const { symbols, model } = learned(2_000);
    const evidence = createEvidence();
    model.score(requestOf(symbols, { gateway: 3, way: 400, shop: 8, query: 5 }), JudgementStage.absence, evidence);
    expect(evidence.findings[0]).toMatchObject({ operation: 'GET shop', service: 'shop' });
  });

  it('lets an immature key say nothing by itself, and tells so', () => {
    const { symbols, model } = learned(20);
    const evidence = createEvidence();
    model.score(requestOf(symbols, { gateway: 3, way: 1, shop: 8, query: 9_000 }), JudgementStage.absence, evidence);
    expect(evidence.observed).toBe(1);
    const states = new Set([...model.coverage()].map((row) => row.state));
    expect(states).toEqual(new Set(['observe']));
    const young = learned(60);
    young.model.score(
      requestOf(young.symbols, { gateway: 3, way: 1, shop: 8, query: 9_000 }),
      JudgementStage.absence,
      evidence,
    );
    expect(young.model.nodes.selfInverse[3]).toBeLessThanOrEqual(61);
  });

  it('survives the version', () => {
    const { symbols, model, random } = learned(800);
    const other = newSymbols();
    const loaded = timingLearner.load(JSON.parse(JSON.stringify([...model.entries()])), other);
    const a = createEvidence();
    const b = createEvidence();
    for (let i = 0; i < 50; i++) {
      const shape = usual(random);
      model.score(requestOf(symbols, shape), JudgementStage.absence, a);
      loaded.score(requestOf(other, shape), JudgementStage.absence, b);
      expect(b.surprise).toBe(a.surprise);
      expect(b.similarity).toBe(a.similarity);
    }
  });
});

describe('timing partials', () => {
  const shapes = fc.array(
    fc.record({
      part: fc.nat(3),
      client: fc.nat(3),
      bucket: fc.nat(12),
      query: fc.integer({ min: 1, max: 90 }),
      quarantined: fc.boolean(),
    }),
    { maxLength: 120 },
  );

  it('merge exactly, in any grouping and order, with or without going through bytes', () => {
    const symbols = newSymbols();
    fc.assert(
      fc.property(shapes, fc.boolean(), (events, throughBytes) => {
        const whole = timingLearner.createPartial();
        const parts = [0, 1, 2, 3].map(() => timingLearner.createPartial());
        for (const { part, client, bucket, query, quarantined } of events) {
          const segment = requestOf(symbols, { gateway: 3, way: 1, shop: 8, query });
          timingLearner.learn(whole, segment, { client, bucket, quarantined });
          timingLearner.learn(parts[part]!, segment, { client, bucket, quarantined });
        }
        const left = timingLearner.createPartial();
        const right = timingLearner.createPartial();
        const sent = parts.map((p) => (throughBytes ? timingLearner.decode(timingLearner.encode(p)) : p));
        for (const i of [2, 0]) timingLearner.merge(left, sent[i]!);
        for (const i of [3, 1]) timingLearner.merge(right, sent[i]!);
        timingLearner.merge(right, left);
        expect(timingLearner.encode(right)).toEqual(timingLearner.encode(whole));
      }),
      { numRuns: 40 },
    );
  });

  it('keeps the 64 largest exactly', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(5)), { maxLength: 300 }), (values) => {
        const sketch = createSketch();
        const half = createSketch();
        for (const [i, [ns, client]] of values.entries()) addToSketch(i % 2 === 0 ? sketch : half, ns * 1e5, client);
        mergeSketch(sketch, half);
        const largest = values
          .map(([ns]) => ns * 1e5)
          .sort((a, b) => b - a)
          .slice(0, 64);
        expect(sketchToForm(sketch)[3].map(([ns]) => ns)).toEqual(largest);
        expect(sketch.n).toBe(values.length);
      }),
    );
  });

  it('counts on exactly where a 32-bit count overflows, in learning, merging and through bytes', () => {
    const sketch = createSketch();
    for (let i = 0; i < 3; i++) addToSketch(sketch, 1e6, 0);
    sketch.counts[sketch.counts.indexOf(3)] = 2 ** 32 - 1;
    sketch.n = 2 ** 32 - 1;
    const other = sketchFromForm(sketchToForm(sketch));
    for (let i = 0; i < 2; i++) addToSketch(sketch, 1e6, 0);
    expect(sketchToForm(sketch)[2]).toEqual([2 ** 32 + 1]);
    mergeSketch(other, sketch);
    mergeSketch(other, sketch);
    expect(sketchToForm(other)[2]).toEqual([3 * 2 ** 32 + 1]);
    expect(sketchToForm(sketchFromForm(JSON.parse(JSON.stringify(sketchToForm(other)))))).toEqual(sketchToForm(other));
  });

  it('remember the same families in whatever order more of them come than are remembered', () => {
    const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 10_000 });
    const requests = Array.from({ length: MOST_FAMILIES + 60 }, (_, i) =>
      segmentOf(symbols, {
        service: 'shop',
        operation: 'GET /',
        children: [{ service: 'shop', operation: `call ${i}`, kind: 'client' }],
      }),
    );
    const whole = timingLearner.createPartial();
    const [some, others] = [timingLearner.createPartial(), timingLearner.createPartial()];
    const context = { client: 0, bucket: 1, quarantined: false };
    for (const segment of requests) timingLearner.learn(whole, segment, context);
    for (const segment of requests) timingLearner.learn(whole, segment, context);
    for (const segment of requests.toReversed()) timingLearner.learn(some, segment, context);
    for (const segment of requests) timingLearner.learn(others, segment, context);
    timingLearner.merge(some, others);
    expect(timingLearner.encode(some)).toEqual(timingLearner.encode(whole));
    expect(
      (JSON.parse(new TextDecoder().decode(timingLearner.encode(some))) as { families: [] }).families,
    ).toHaveLength(MOST_FAMILIES);
  });

  it('rejects damaged bytes by their code', () => {
    expect(() => timingLearner.decode(new Uint8Array([123, 0, 1]))).toThrow(
      expect.objectContaining({ code: 'BASELINE_DAMAGED' }),
    );
  });

  it('lets no known client make more than a tenth of a key, and exempts the unknown', () => {
    const sketch = createSketch();
    for (let i = 0; i < 200; i++) addToSketch(sketch, 1e6 + i, 10 + (i % 50));
    for (let i = 0; i < 40; i++) addToSketch(sketch, 1e9 + i, 7);
    boundInfluence(sketch, 0.1, 20);
    expect(sketchToForm(sketch)[3].filter(([, client]) => client === 7)).toHaveLength(24);
    expect(sketch.n).toBe(224);
    const unknown = createSketch();
    for (let i = 0; i < 60; i++) addToSketch(unknown, 1e9 + i, 0);
    boundInfluence(unknown, 0.1, 20);
    expect(unknown.n).toBe(60);
  });
});
