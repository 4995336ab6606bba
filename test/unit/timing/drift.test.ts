import { describe, expect, it } from 'vitest';
import { profileOf } from '../../../baseline/learning/profile.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import type { TimingKeyForm } from '../../../baseline/timing/compile.ts';
import { timingLearner } from '../../../baseline/timing/learner.ts';
import { learningSection } from '../../../schemas/config/learning.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { createRandom } from '../fusion/random.ts';
import { segmentOf } from '../traces/segments.ts';
import { logNormal } from './traffic.ts';

const profile = profileOf(learningSection.parse({ profile: 'export' }));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A version of 400 calls whose duration is spread round `medianMs`. */
function version(medianMs: number, createdMs: number, previous: readonly BaselineEntry[], deployed: string[] = []) {
  const symbols = createSymbols({ maxTexts: 100, maxLabels: 100 });
  const random = createRandom(7);
  const partial = timingLearner.createPartial();
  for (let i = 0; i < 400; i++) {
    const segment = segmentOf(symbols, {
      service: 'shop',
      operation: 'GET /',
      durationMs: logNormal(random, medianMs, 0.3),
    });
    timingLearner.learn(partial, segment, { bucket: i % 20, client: 0, quarantined: false });
  }
  const model = timingLearner.compile(partial, {
    profile,
    symbols,
    segments: 400,
    clients: 0,
    buckets: 20,
    previous,
    sensitiveTables: [],
    createdMs,
    deployed: new Set(deployed),
  });
  return JSON.parse(JSON.stringify([...model.entries()])) as BaselineEntry[];
}

/** The longest call a version has taken for normal, milliseconds. */
const longestMs = (entries: readonly BaselineEntry[]): number =>
  Math.max(...entries.map(({ value }) => (JSON.parse(value) as TimingKeyForm).self!.top[0]!)) / 1e6;

describe('drift of what is usual', () => {
  it('holds a slow poisoner back: one per cent slower from version to version, a version every half hour', () => {
    let entries = version(100, 0, []);
    entries = version(100, 2 * DAY, entries);
    const honest = longestMs(entries);
    let median = 100;
    for (let v = 1; v <= 48; v++) {
      median *= 1.01;
      entries = version(median, 2 * DAY + (v * HOUR) / 2, entries);
    }
    expect(median).toBeGreaterThan(160);
    // a tenth of q99 (about twice the median) a day, and the bin up to which nobody can tell
    expect(longestMs(entries) / honest).toBeLessThan(1.2 * 2 ** (1 / 8));
  });

  it('follows what stays, in days', () => {
    let entries = version(100, 0, []);
    entries = version(100, 2 * DAY, entries);
    const honest = longestMs(entries);
    entries = version(140, 2 * DAY + HOUR, entries);
    expect(longestMs(entries)).toBe(honest);
    for (let day = 3; day <= 6; day++) entries = version(140, day * DAY, entries);
    expect(longestMs(entries) / honest).toBeCloseTo(1.4, 1);
  });

  it('does not stand in the way of a deploy, nor of the first day, nor of noise', () => {
    const first = version(100, 0, []);
    expect(longestMs(version(140, HOUR, first)) / longestMs(first)).toBeCloseTo(1.4, 1);
    const known = version(100, 2 * DAY, first);
    expect(longestMs(version(140, 2 * DAY + HOUR, known, ['shop'])) / longestMs(known)).toBeCloseTo(1.4, 1);
    expect(longestMs(version(140, 2 * DAY + HOUR, known, ['stock']))).toBe(longestMs(known));
    expect(longestMs(version(103, 2 * DAY + HOUR, known)) / longestMs(known)).toBeCloseTo(1.03, 2);
  });
});
