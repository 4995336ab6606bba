import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Baseline, loadBaseline } from '../../../baseline/baseline.ts';
import { createLearning, type Learning } from '../../../baseline/learning/learning.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { JudgementStage } from '../../../baseline/model.ts';
import { createVersionReader, writeVersion } from '../../../schemas/baselines/version.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import type { Segment, SegmentSpans } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { requestOf, type Shape, usual } from '../timing/traffic.ts';
import { testLearners } from './fakes.ts';

const T0 = 1_750_000_000_000;
const PUBLISH = { parent: '', previous: [], offsets: [0] };

/** The bytes of a request are its shape as JSON: what the reader of these tests reads. */
const spansOf = (index: number, shape: Shape, partition: number, startMs: number): SegmentSpans => ({
  traceId: index.toString(16).padStart(32, '0'),
  entrySpanId: '0000000100000001',
  entryReason: 'root',
  asynchronous: false,
  partition,
  firstOffset: index,
  appendMs: startMs + 100,
  records: [new TextEncoder().encode(JSON.stringify({ shape, startMs }))],
  spanCount: 4,
  places: new Int32Array(28),
  truncated: false,
});

function createWorld(settings: object = {}) {
  const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 10_000 });
  const config = learningSection.parse({ profile: 'export', spanMs: 100_000, ...settings });
  const read = (spans: SegmentSpans, client: string): Segment => {
    const { shape, startMs } = JSON.parse(new TextDecoder().decode(spans.records[0])) as {
      shape: Shape;
      startMs: number;
    };
    return requestOf(symbols, shape, { traceId: spans.traceId, startMs, client });
  };
  const learning = createLearning(config, {
    symbols,
    learners: testLearners,
    rescore: (spans) => read(spans, '192.0.2.1'),
  });
  return { symbols, config, learning, read };
}

type World = ReturnType<typeof createWorld>;

function learnInto(world: World, learning: Learning, from: number, to: number, seed = 5, partitions = 2): void {
  const random = createRandom(seed);
  for (let i = 0; i < to; i++) {
    const shape = usual(random);
    if (i < from) continue;
    const spans = spansOf(i, shape, i % partitions, T0 + i * 50);
    learning.learn(world.read(spans, `192.0.2.${i % 200}`), spans, false);
  }
}

describe('learning', () => {
  it('publishes a calibrated version once there is enough, cross-fitted over blocks', () => {
    const world = createWorld();
    learnInto(world, world.learning, 0, 3_000);
    expect(world.learning.progress()).toMatchObject({ segments: 3_000, clients: 200, missing: [] });
    const baseline = world.learning.publish(PUBLISH);
    expect(baseline.manifest).toMatchObject({ segments: 3_000, calibrated: 3_000, alerting: true, learning: [] });
    expect(baseline.manifest.segmentsPerDay).toBeCloseTo(20 * 86_400, -4);

    const random = createRandom(99);
    let hits = 0;
    for (let i = 0; i < 5_000; i++) {
      if (baseline.judge(requestOf(world.symbols, usual(random)), JudgementStage.absence).p <= 0.01) hits++;
    }
    expect(hits / 5_000).toBeGreaterThan(0.005);
    expect(hits / 5_000).toBeLessThan(0.02);
  });

  it('says what is still learning, and alerts on nothing until then', () => {
    const world = createWorld({ minSegments: 1_000, minClients: 500 });
    learnInto(world, world.learning, 0, 600);
    const baseline = world.learning.publish(PUBLISH);
    expect(baseline.manifest.alerting).toBe(false);
    expect(baseline.manifest.learning).toEqual(
      expect.arrayContaining([
        '600 of 1000 segments',
        '200 of 500 clients',
        '600 of 1,000 segments to calibrate alpha 0.001',
      ]),
    );
  });

  it('does not calibrate with segments that read otherwise than they were learned: they would be new to themselves', () => {
    const world = createWorld();
    const { symbols } = world;
    const other = symbols.label(symbols.intern('shop'), 2, symbols.intern('GET /cart/{id}'), 0);
    const learning = createLearning(world.config, {
      symbols,
      learners: testLearners,
      rescore(spans) {
        const segment = world.read(spans, '192.0.2.1');
        if (spans.firstOffset % 3 === 0) segment.label[1] = other;
        return segment;
      },
    });
    learnInto(world, learning, 0, 3_000);
    expect(learning.publish(PUBLISH).manifest).toMatchObject({ segments: 3_000, calibrated: 2_000 });
  });

  it('makes a version of nothing that still judges', () => {
    const world = createWorld();
    const baseline = world.learning.publish(PUBLISH);
    const judged = baseline.judge(requestOf(world.symbols, usual(createRandom(1))), JudgementStage.absence);
    expect(judged).toMatchObject({ p: 1, anomalous: false });
    expect(judged.match.text).toContain("to 'GET /cart'");
    expect(baseline.manifest.alerting).toBe(false);
  });

  it('judges a slow query as anomalous, with shares that sum to 1 and a match that says so', () => {
    const world = createWorld();
    learnInto(world, world.learning, 0, 3_000);
    const baseline = world.learning.publish(PUBLISH);
    const slow = requestOf(world.symbols, { gateway: 3, way: 1, shop: 8, query: 4_000 });
    const judged = baseline.judge(slow, JudgementStage.absence);
    expect(judged.anomalous).toBe(true);
    expect(judged.p).toBeLessThan(1e-3);
    expect(judged.score).toBeGreaterThan(3);
    expect(judged.findings.reduce((sum, f) => sum + f.share, 0)).toBeCloseTo(1, 9);
    expect(judged.findings.some((f) => f.candidate && f.operation === 'SELECT cart')).toBe(true);
    expect(judged.match.worst).toBe('timing');
    expect(judged.match.deviation.max).toBeGreaterThan(1);
    expect(judged.match.text).toMatch(
      /^similarity 0\.\d\d to 'GET \/cart' \(baseline ≥ 0\.\d\d, learned from 0\), deviation \d+(\.\d)?×: SELECT cart: 4\.00 s, /,
    );
    const normal = baseline.judge(
      requestOf(world.symbols, { gateway: 3, way: 1, shop: 8, query: 5 }),
      JudgementStage.absence,
    );
    expect(normal).toMatchObject({ anomalous: false, findings: [] });
    expect(normal.match.deviation.max).toBe(0);
  });

  it('gives the same version for the same traffic, however it was spread over trainers and restarts', () => {
    const versions = new Set<string>();
    const whole = createWorld({ calibrationSegments: 100 });
    learnInto(whole, whole.learning, 0, 900);
    const of = (world: World): string =>
      [...world.learning.publish(PUBLISH).models.timing.entries()].map((entry) => entry.value).join('\n');
    versions.add(of(whole));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 899 }), fc.integer({ min: 0, max: 1 }), (cut, moved) => {
        const before = createWorld({ calibrationSegments: 100 });
        learnInto(before, before.learning, 0, cut);
        const bytes = before.learning.encode(moved);
        const after = createWorld({ calibrationSegments: 100 });
        after.learning.restore(moved, bytes);
        after.learning.restore(1 - moved, before.learning.encode(1 - moved));
        learnInto(after, after.learning, cut, 900);
        versions.add(of(after));
        expect(versions.size).toBe(1);
        expect(after.learning.progress().segments).toBe(900);
      }),
      { numRuns: 6 },
    );
  });

  it('is deterministic: the same traffic, the same version id', () => {
    const ids = [1, 2].map(() => {
      const world = createWorld();
      learnInto(world, world.learning, 0, 600);
      return world.learning.publish(PUBLISH).version;
    });
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(ids[1]).toBe(ids[0]);
  });

  it('goes on calibrating with what cross-fitting found of segments whose bytes are gone', () => {
    const world = createWorld();
    learnInto(world, world.learning, 0, 1_200);
    expect(world.learning.publish(PUBLISH).manifest.calibrated).toBe(1_200);
    const restarted = createWorld();
    for (const partition of [0, 1]) restarted.learning.restore(partition, world.learning.encode(partition));
    learnInto(restarted, restarted.learning, 1_200, 1_500);
    expect(restarted.learning.publish(PUBLISH).manifest.calibrated).toBe(1_500);
  });

  it('bounds the sample by count, uniformly over time', () => {
    const world = createWorld({ calibrationSegments: 500 });
    learnInto(world, world.learning, 0, 4_000);
    const { sampled } = world.learning.progress();
    expect(sampled).toBeLessThanOrEqual(500);
    expect(sampled).toBeGreaterThan(250);
    expect(world.learning.publish(PUBLISH).manifest.calibrated).toBe(sampled);
  });

  it('forgets a partition that was taken away, and blocks older than the window', () => {
    const world = createWorld({ profile: 'production', windowMs: 60_000 });
    learnInto(world, world.learning, 0, 3_000); // 150 s
    world.learning.drop(1);
    expect(world.learning.progress().segments).toBe(1_500);
    const { segments } = world.learning.publish(PUBLISH).manifest;
    expect(segments).toBeLessThan(900);
    expect(segments).toBeGreaterThan(500);
  });

  it('refuses learned state that is damaged or of other buckets', () => {
    const world = createWorld();
    learnInto(world, world.learning, 0, 100);
    const bytes = world.learning.encode(0);
    expect(() => world.learning.restore(0, bytes.subarray(0, bytes.length >> 1))).toThrow(
      expect.objectContaining({ code: 'BASELINE_DAMAGED' }),
    );
    const other = createWorld({ spanMs: 3_600_000 });
    expect(() => other.learning.restore(0, bytes)).toThrow(expect.objectContaining({ code: 'SCHEMA_MISMATCH' }));
  });
});

describe('a version as a file', () => {
  const world = createWorld();
  learnInto(world, world.learning, 0, 1_200);
  const baseline = world.learning.publish(PUBLISH);
  const lines = [...writeVersion(baseline.entries())].map((line) => line.trimEnd());

  function load(text: readonly string[]): Baseline {
    const reader = createVersionReader<BaselineEntry>();
    for (const line of text) reader.line(line);
    return loadBaseline(reader.finish(), createSymbols({ maxTexts: 1_000, maxLabels: 1_000 }), testLearners);
  }

  it('judges as the version that was published', () => {
    const symbols = createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
    const reader = createVersionReader<BaselineEntry>();
    for (const line of lines) reader.line(line);
    const loaded = loadBaseline(reader.finish(), symbols, testLearners);
    expect(loaded.manifest).toEqual(baseline.manifest);
    const random = createRandom(77);
    for (let i = 0; i < 200; i++) {
      const shape = usual(random);
      const here = baseline.judge(requestOf(world.symbols, shape), JudgementStage.absence);
      expect(loaded.judge(requestOf(symbols, shape), JudgementStage.absence)).toEqual(here);
    }
  });

  it('of an older schema is refused by name wherever its entries were kept, before anything of it is read', () => {
    const manifest = { ...baseline.manifest, schema: 1 };
    const older = [...baseline.entries()].map((entry) =>
      entry.group === 'manifest'
        ? { ...entry, value: JSON.stringify(manifest) }
        : { ...entry, value: 'what it was then' },
    );
    const symbols = createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
    expect(() => loadBaseline(older, symbols, testLearners)).toThrow(
      expect.objectContaining({
        code: 'BASELINE_SCHEMA',
        message: 'the baseline has schema 1, this version of Spanwarden reads schema 2: it must be learned anew',
      }),
    );
  });

  it('is refused when cut short, altered or of another schema, each by its code', () => {
    const code = (value: string) => expect.objectContaining({ code: value });
    expect(() => load(lines.slice(0, -1))).toThrow(code('BASELINE_DAMAGED'));
    expect(() => load(lines.toSpliced(3, 1))).toThrow(code('BASELINE_DAMAGED'));
    expect(() =>
      load(
        lines.with(
          2,
          lines[2]!.replace(/\d/, (d) => String((Number(d) + 1) % 10)),
        ),
      ),
    ).toThrow(code('BASELINE_DAMAGED'));
    expect(() => load([...lines, 'more'])).toThrow(code('BASELINE_DAMAGED'));
    expect(() => load([])).toThrow(code('BASELINE_DAMAGED'));
    expect(() => load(['{"resourceSpans":[]}'])).toThrow(code('BASELINE_DAMAGED'));
    expect(() => load(lines.with(0, lines[0]!.replace('"schema":2', '"schema":7')))).toThrow(
      expect.objectContaining({ code: 'BASELINE_SCHEMA', message: expect.stringMatching(/schema 7.*schema 2/) }),
    );
  });
});
