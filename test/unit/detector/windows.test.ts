import { beforeAll, describe, expect, it } from 'vitest';
import type { Baseline } from '../../../baseline/baseline.ts';
import { JudgementStage } from '../../../baseline/model.ts';
import { createWindows } from '../../../detector/core/windows.ts';
import type { CollectiveCounts } from '../../../schemas/log/collective.ts';
import type { ReadingKit } from '../../../traces/kit.ts';
import { EPOCH_MS, segmentSpansOf } from '../traces/otlp.ts';
import { learnEntries, loadInto, newKit, searchTrace } from './traffic.ts';

const LOAD_LAG_MS = 3_000;
const SHIFT_LAG_MS = 6_000;
let kit: ReadingKit;
let baseline: Baseline;

beforeAll(() => {
  kit = newKit();
  baseline = loadInto(learnEntries(600), kit);
});

function create() {
  const said: CollectiveCounts[] = [];
  const windows = createWindows({ loadLagMs: LOAD_LAG_MS, shiftLagMs: SHIFT_LAG_MS }, (counts) => said.push(counts));
  return {
    windows,
    said,
    /** A request that ends `atMs` after the epoch, `slower` times as long as usual, judged and counted. */
    count(partition: number, offset: number, atMs: number, slower = 1) {
      const spans = searchTrace(offset, atMs, '198.51.100.1').map((span) => ({
        ...span,
        start: atMs,
        end: atMs + ((span.end as number) - (span.start as number)) * slower,
      }));
      kit.reader.read(segmentSpansOf(spans, { appendMs: EPOCH_MS + atMs + 100 }), kit.segment);
      baseline.judge(kit.segment, JudgementStage.closed);
      windows.addToLoad(partition, offset, baseline, kit.segment);
      windows.addToShift(partition, offset, baseline, kit.segment);
    },
  };
}

const shift = (counts: readonly CollectiveCounts[]) => counts.filter(({ windowMs }) => windowMs === 20_000);

describe('collective windows', () => {
  it('are said once, when what segments need to close has passed their end', () => {
    const { windows, said, count } = create();
    count(0, 5, 1_000);
    count(0, 6, 2_000);
    windows.advance(0, EPOCH_MS + 20_000 + SHIFT_LAG_MS - 1);
    expect(shift(said)).toEqual([]);
    windows.advance(0, EPOCH_MS + 20_000 + SHIFT_LAG_MS);
    windows.advance(0, EPOCH_MS + 60_000);
    expect(shift(said).map(({ partition, window, version }) => [partition, window, version])).toEqual([
      [0, EPOCH_MS / 20_000, baseline.version],
    ]);
    const total = shift(said)[0]!.keys.find(
      ({ label, feature }) => label.includes('GET /search') && feature === 'total',
    );
    expect(total?.count).toBe(2);
  });

  it('hold the commit back until they are said, each partition its own', () => {
    const { windows, count } = create();
    expect(windows.floor(0)).toBe(Infinity);
    count(0, 7, 1_000);
    count(0, 5, 2_000);
    count(1, 40, 1_000);
    expect([windows.floor(0), windows.floor(1)]).toEqual([5, 40]);
    windows.advance(0, EPOCH_MS + 60_000);
    expect([windows.floor(0), windows.floor(1)]).toEqual([Infinity, 40]);
    windows.drop(1);
    expect(windows.floor(1)).toBe(Infinity);
  });

  it('of one second are said only when something was above all that was learned', () => {
    const { windows, said, count } = create();
    count(0, 5, 1_000);
    count(0, 6, 5_000, 100);
    windows.advance(0, EPOCH_MS + 60_000);
    const seconds = said.filter(({ windowMs }) => windowMs === 1_000);
    expect(seconds.length).toBeGreaterThan(0);
    for (const { window, keys } of seconds) {
      expect(window).toBeGreaterThanOrEqual(EPOCH_MS / 1_000 + 5);
      expect(keys.some(({ aboveMaximum }) => aboveMaximum > 0)).toBe(true);
    }
  });
});
