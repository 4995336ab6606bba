/** The comparison of sequence models on recorded traffic, in small: every number rests on the windows it is said to. */
import { expect, it } from 'vitest';
import { windowsOf } from '../../../cli/sequence/windows.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { compareSequenceModels, RERANKERS } from '../../../trainer/sequence/comparison.ts';
import { segmentsOf } from '../../unit/check/market.ts';

it('compares counts, PPM and the recurrent unit on a window that none of them has learned', async () => {
  const traffic = segmentsOf({ seed: 1, traces: 3_000, startMs: Date.UTC(2026, 2, 2, 8) });
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
  const learning = learningSection.parse({ profile: 'export' });
  const windows = windowsOf(traffic, { learning, seed: 1, each: 60 }, kit);
  const learned = windows.learned.reduce((sum, { weight }) => sum + weight, 0);
  expect(learned + windows.calibration.length + windows.benign.length).toBe(traffic.length);
  expect(learned / traffic.length).toBeCloseTo(0.6, 2);
  expect(windows.mutants.length).toBeGreaterThan(60);
  expect(windows.mutants.every(({ judged }) => !judged.known)).toBe(true);

  const comparison = await compareSequenceModels(windows, { steps: 3, units: 8 });
  const kinds = [...new Set(windows.mutants.map(({ kind }) => kind))].sort();
  for (const model of RERANKERS) {
    const { all, byKind } = comparison.recall[model];
    expect(all.of).toBe(windows.mutants.length);
    expect(Object.keys(byKind).sort()).toEqual(kinds);
    expect(Object.values(byKind).reduce((sum, { found }) => sum + found, 0)).toBe(all.found);
    expect(all.found).toBeGreaterThan(0);
  }
  expect(comparison.novel.of).toBe(windows.benign.length);
});
