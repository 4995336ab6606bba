/** A version's entries come back as they were, all or a kind at a time, and a baseline is built of them as they come. */
import { describe, expect, it } from 'vitest';
import { createBaselineLoader, loadBaseline } from '../../../baseline/baseline.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { createEntryPacker, packEntries } from '../../../baseline/packed-entries.ts';
import { createVersionReader, writeVersion } from '../../../schemas/baselines/version.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createLearningWorld, LEARNERS, PUBLISH, segmentsOf } from './generated.ts';

const entry = (kind: string, n: number): BaselineEntry => ({
  group: 'structure',
  kind,
  key: `café → ${n}\n"quoted" \u2028 \ud83d\ude00`,
  value: JSON.stringify({ n, text: 'x'.repeat(n % 97), odd: '\\n\n\u0000' }),
});

describe('packed entries', () => {
  it('are what was added, in its order, as often as they are read', () => {
    const entries = [...Array(3_000).keys()].map((n) => entry(`kind ${n % 3}`, n));
    const packed = packEntries(entries);
    expect(packed.count).toBe(3_000);
    expect([...packed]).toEqual(entries);
    expect([...packed]).toEqual(entries);
    expect([...packed.ofKind('kind 1')]).toEqual(entries.filter(({ kind }) => kind === 'kind 1'));
    expect([...packed.ofKind('none')]).toEqual([]);
    expect(packEntries(packed)).toBe(packed);
  });

  it('take as many bytes as they have letters', () => {
    const entries = [...Array(3_000).keys()].map((n) => entry('edge', n));
    const text = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    expect(packEntries(entries).bytes).toBeLessThan(2 * text);
  });

  it('may be none', () => {
    expect([...createEntryPacker().finish()]).toEqual([]);
  });
});

describe('a baseline', () => {
  const world = createLearningWorld({ spanMs: 60_000, calibrationSegments: 300, folds: 3 });
  const segments = segmentsOf({ seed: 3, traces: 400, perSecond: 20 });
  for (const segment of segments) world.learn(segment);
  const baseline = world.learning.publish(PUBLISH);

  it('is the same built of entries one by one as of all of them, and writes the same file', () => {
    const lines = [...writeVersion(baseline.entries())];
    const symbols = createSymbols({ maxTexts: 10_000, maxLabels: 10_000 });
    const loader = createBaselineLoader(symbols, LEARNERS);
    const reader = createVersionReader<BaselineEntry>(loader.take);
    for (const line of lines) reader.line(line.trimEnd());
    expect(reader.finish()).toEqual([]);
    const loaded = loader.finish();
    expect([...writeVersion(loaded.entries())]).toEqual(lines);
    const again = loadBaseline(loaded.entries(), world.kit.symbols, LEARNERS);
    expect([...writeVersion(again.entries())]).toEqual(lines);
    for (const segment of segments.slice(0, 100)) {
      expect(world.judge(again, segment)).toEqual(world.judge(baseline, segment));
    }
  });

  it('is not built of a file that was cut', () => {
    const lines = [...writeVersion(baseline.entries())];
    const reader = createVersionReader<BaselineEntry>(() => {});
    for (const line of lines.slice(0, -1)) reader.line(line.trimEnd());
    expect(() => reader.finish()).toThrow(expect.objectContaining({ code: 'BASELINE_DAMAGED' }));
    expect(() => createBaselineLoader(world.kit.symbols, LEARNERS).finish()).toThrow(
      expect.objectContaining({ code: 'BASELINE_DAMAGED' }),
    );
  });
});
