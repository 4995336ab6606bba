import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import { createEvidence, JudgementStage } from '../../../baseline/model.ts';
import { type CollectiveIncident, createCollectiveJudge } from '../../../baseline/timing/collective.ts';
import { createCollectiveCounter } from '../../../baseline/timing/collective-counter.ts';
import { countTail } from '../../../baseline/timing/count-tail.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';
import { createRateBook } from '../../../baseline/timing/rate-book.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { fillSelfTimes } from '../../../traces/reading/self-time.ts';
import type { Segment } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { requestOf, type Shape, usual } from './traffic.ts';

const T0 = 1_750_000_000_000;
const WINDOW = 20_000;

interface Facts {
  /** Requests learned, and how one of them was. */
  readonly learned?: number;
  readonly tainted?: (shape: Shape, i: number) => Shape;
  /** How far the shop's clock is off, minutes. */
  readonly apart?: number;
}

function world({ learned = 6_000, tainted = (shape) => shape, apart = 0 }: Facts = {}) {
  const off = (segment: Segment): Segment => {
    const { spanCount, service, startNs } = segment;
    for (let i = 0; i < spanCount; i++) if (service[i] !== service[0]) startNs[i] = startNs[i]! + apart * 60e9;
    if (apart !== 0) fillSelfTimes(segment);
    return segment;
  };
  const symbols = createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
  const random = createRandom(4);
  const partial = timingLearner.createPartial();
  const profile = profileOf(learningSection.parse({}));
  for (let i = 0; i < learned; i++) {
    const segment = off(requestOf(symbols, tainted(usual(random), i)));
    timingLearner.learn(partial, segment, { bucket: i % 30, client: 0, quarantined: false });
  }
  const model = timingLearner.compile(partial, {
    profile,
    symbols,
    segments: learned,
    clients: 0,
    buckets: 30,
    previous: [],
    sensitiveTables: [],
  });
  const evidence = createEvidence();
  const book = createRateBook();
  for (let i = 0; i < learned; i++) {
    const startMs = T0 + (i * 600_000) / learned;
    const segment = off(requestOf(symbols, tainted(usual(random), i), { startMs }));
    model.score(segment, JudgementStage.absence, evidence);
    book.add(model, segment);
  }
  const rates = book.rates(1);
  /** Runs ten minutes of traffic, `change` from minute 5 to 7, over two partitions. */
  function run(change: (shape: Shape) => Shape, snapshotAt = -1, every = 1): CollectiveIncident[] {
    const counters = [0, 1].map((partition) =>
      createCollectiveCounter({ partition, windowMs: WINDOW, version: 'v', rates }),
    );
    let judge = createCollectiveJudge();
    const incidents: CollectiveIncident[] = [];
    for (let i = 0; i < 6_000; i += every) {
      const startMs = T0 + i * 100;
      const odd = startMs >= T0 + 300_000 && startMs < T0 + 420_000;
      const segment = off(requestOf(symbols, odd ? change(usual(random)) : usual(random), { startMs }));
      model.score(segment, JudgementStage.absence, evidence);
      counters[i % 2]!.add(model, segment, i);
      if (i % 50 >= 50 - every) {
        for (const counter of counters) for (const counts of counter.close(startMs - 2_000)) judge.add(counts);
        incidents.push(...judge.judge(startMs - 2_000));
        if (i === snapshotAt) judge = createCollectiveJudge(undefined, JSON.parse(JSON.stringify(judge.snapshot())));
      }
    }
    return incidents;
  }
  return { run, rates };
}

describe('collective timing', () => {
  const { run, rates } = world();

  it('learns rates near their nominal value where traffic is steady', () => {
    expect(rates.overall.exceedance).toBeGreaterThan(0.004);
    expect(rates.overall.exceedance).toBeLessThan(0.015);
    expect(rates.overall.dispersion).toBeLessThan(1.5);
  });

  it('says nothing of steady traffic', () => {
    expect(run((shape) => shape)).toEqual([]);
  });

  it('finds a shift that no single request shows, once, at the service that moved', () => {
    const incidents = run((shape) => ({ ...shape, shop: 2 * shape.shop }));
    const opened = incidents.filter((incident) => incident.opened);
    expect(opened.map(({ service, cause }) => [service, cause])).toEqual([['shop', 'service']]);
    expect(opened[0]!.startMs).toBeGreaterThanOrEqual(T0 + 300_000);
    expect(opened[0]!.startMs).toBeLessThan(T0 + 340_000);
    expect(opened[0]!.finding).toMatchObject({ kind: 'collective', hard: false, explanationKey: 'shop' });
    expect(opened[0]!.traceIds.length).toBeGreaterThan(0);
  });

  it('lays a slower way at the callee, not at the caller', () => {
    const opened = run((shape) => ({ ...shape, way: 3 * shape.way })).filter((incident) => incident.opened);
    expect(opened.map(({ service }) => service)).toEqual(['shop']);
  });

  it('finds what became too fast, too', () => {
    const opened = run((shape) => ({ ...shape, query: shape.query / 6 })).filter((incident) => incident.opened);
    expect(opened.map(({ service }) => service)).toEqual(['shop']);
    expect(opened[0]!.shift).toBeLessThan(0);
  });

  it('goes on where a snapshot was taken', () => {
    const change = (shape: Shape): Shape => ({ ...shape, shop: 2 * shape.shop });
    const opened = run(change, 3_249).filter((incident) => incident.opened);
    expect(opened).toHaveLength(1);
  });

  const once = (incidents: readonly CollectiveIncident[]): (readonly [string, string])[] =>
    incidents.filter(({ opened }) => opened).map(({ service, cause }) => [service, cause] as const);
  const slower = (shape: Shape): Shape => ({ ...shape, shop: 2.5 * shape.shop });

  it('finds it with keys too young to claim one in a hundred, and says nothing of steady traffic then', () => {
    const young = world({ learned: 80 });
    expect(once(young.run(slower))).toEqual([['shop', 'service']]);
    expect(young.run((shape) => shape)).toEqual([]);
  });

  it('finds it though three per cent of what was learned were as slow', () => {
    const tainted = world({ tainted: (shape, i) => (i % 600 < 18 ? slower(shape) : shape) });
    const incidents = tainted.run(slower);
    expect(once(incidents)).toEqual([['shop', 'service']]);
    expect(incidents[0]!.finding.seen).toMatch(/^\d+ of \d+ in .* longer$/);
  });

  it('finds it where clocks are minutes apart, at the time of the request', () => {
    for (const apart of [7, -4]) {
      const incidents = world({ apart }).run(slower);
      expect(once(incidents)).toEqual([['shop', 'service']]);
      expect(Math.abs(incidents[0]!.startMs - (T0 + 300_000))).toBeLessThan(40_000);
    }
  });

  it('finds it in a tenth of the traffic, and takes twice of it for nothing but more', () => {
    expect(once(run((shape) => ({ ...shape, shop: 4 * shape.shop }), -1, 10))).toEqual([['shop', 'service']]);
    expect(world({ learned: 1_500 }).run((shape) => shape)).toEqual([]);
  });

  it('lays a way at the caller where others reach the same callee as ever, and says which count told', () => {
    const way = (caller: string, shift: number) => ({
      service: 'shipping',
      caller,
      label: `${caller} client GetQuote`,
      feature: 'self' as const,
      count: 20,
      exceedances: 0,
      expected: 0.2,
      aboveMaximum: 0,
      aboveExpected: 0.02,
      wide: shift > 0 ? 19 : 2,
      wideExpected: 2,
      shift,
      wideMs: 30_000,
    });
    const blamed = (others: number) => {
      const judge = createCollectiveJudge();
      const keys = [way('checkout', 2), way('frontend', others)];
      judge.add({ partition: 0, window: 1, windowMs: WINDOW, version: 'v', keys, traces: {} });
      return judge.judge(1e9);
    };
    expect(once(blamed(0))).toEqual([['checkout', 'service']]);
    expect(once(blamed(2))).toEqual([['shipping', 'service']]);
    const { expected, seen } = blamed(0)[0]!.finding;
    expect(expected).toBe('about 2.0 of 20 beyond the usual 90 %');
    expect(seen).toBe('19 of 20 in one window, typically 4.0× longer');
  });

  it('calls it load when half of everything moves at once', () => {
    const judge = createCollectiveJudge();
    const keys = Array.from({ length: 10 }, (_, i) => ({
      service: `s${i}`,
      label: `s${i} server op`,
      feature: 'self' as const,
      count: 100,
      exceedances: i < 6 ? 60 : 1,
      expected: 1,
      aboveMaximum: 0,
      shift: i < 6 ? 1 : 0,
      exceedanceMs: 30_000,
    }));
    judge.add({ partition: 0, window: 1, windowMs: WINDOW, version: 'v', keys, traces: {} });
    const incidents = judge.judge(1e9);
    expect(incidents.map(({ cause, opened }) => [cause, opened])).toEqual([['load', true]]);
  });
});

describe('collective counter', () => {
  it('holds the first offset of a window until its counts are out, and drops what comes later', () => {
    const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
    const partial = timingLearner.createPartial();
    const segment = requestOf(symbols, { gateway: 1, way: 1, shop: 1, query: 1 }, { startMs: T0 });
    for (let i = 0; i < 300; i++) timingLearner.learn(partial, segment, { bucket: i, client: 0, quarantined: false });
    const model = timingLearner.compile(partial, {
      profile: profileOf(learningSection.parse({})),
      symbols,
      segments: 300,
      clients: 0,
      buckets: 300,
      previous: [],
      sensitiveTables: [],
    });
    model.score(segment, JudgementStage.absence, createEvidence());
    const rates = createRateBook().rates(1);
    const counter = createCollectiveCounter({ partition: 3, windowMs: WINDOW, version: 'v', rates });
    counter.add(model, segment, 42);
    counter.add(model, segment, 41);
    expect(counter.oldestOffset()).toBe(41);
    expect(counter.close(T0)).toEqual([]);
    const [counts, ...more] = counter.close(T0 + WINDOW);
    expect(more).toEqual([]);
    expect(counts!.partition).toBe(3);
    expect(counts!.keys.filter((k) => k.feature === 'self').map((k) => k.count)).toEqual([2, 2, 2, 2]);
    expect(counter.oldestOffset()).toBeUndefined();
    counter.add(model, segment, 43);
    expect(counter.late).toBe(4);
    expect(counter.close(Number.POSITIVE_INFINITY)).toEqual([]);
  });
});

describe('count tail', () => {
  it('is that of Poisson, and heavier when over-dispersed', () => {
    // P(X ≥ 5 | λ = 2) = 0.052653, P(X ≥ 1 | λ = 0.02) = 0.019801
    expect(countTail(5, 2, 1)).toBeCloseTo(0.052653, 5);
    expect(countTail(1, 0.02, 1)).toBeCloseTo(0.019801, 5);
    expect(countTail(0, 2, 1)).toBe(1);
    expect(countTail(5, 2, 3)).toBeGreaterThan(countTail(5, 2, 1));
    expect(countTail(60, 2, 1)).toBeLessThan(1e-50);
  });
});
